"""The policy, row by row: who may ask, who may approve, which rule says so, and what people are told."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.actions.policy import BOT, Policies, World, explained, policies_file, read_policies
from bot.domain.action import Action, ActionKind, ActionStatus, Decision
from bot.domain.service import Service
from bot.topology.rulefile import BadRules
from tests.fakes import NOON

RULES = """\
groups:
  on-call: [U0ONCALL]
  approvers: [U0APPROVER, U0CHIEF]
  data: [U0DATA]
rules:
  - name: the store is for the data team
    services: [store]
    environments: [production]
    request: [data]
    approve: [data]
    approvals: 2
    self_approval: true
  - name: rollbacks are quick
    actions: [rollback]
    environments: [production]
    request: [on-call, approvers]
    approve: [approvers, on-call]
  - name: production
    environments: [production]
    request: [on-call, approvers]
    approve: [approvers]
  - name: staging
    environments: [staging]
    request: [anyone]
    approve: [anyone]
    self_approval: true
    expires_minutes: 120
"""
POLICIES = read_policies(RULES)
DEPLOY, ROLLBACK = ActionKind.DEPLOY, ActionKind.ROLLBACK


def an_action(kind: ActionKind, service: str, environment: str, by: str = BOT) -> Action:
    return Action("a1", kind, service, environment, "v42", ActionStatus.AWAITING, by, NOON, NOON)


@pytest.mark.parametrize(
    ("person", "kind", "service", "environment", "allowed", "rule"),
    [
        ("U0ONCALL", DEPLOY, "payments", "production", True, "production"),
        ("U0APPROVER", DEPLOY, "payments", "production", True, "production"),
        ("U0DATA", DEPLOY, "payments", "production", False, "production"),
        ("U0NOBODY", DEPLOY, "payments", "production", False, "production"),
        ("", DEPLOY, "payments", "production", False, "production"),
        (BOT, DEPLOY, "payments", "production", True, "production"),
        ("U0ONCALL", ROLLBACK, "payments", "production", True, "rollbacks are quick"),
        ("U0NOBODY", ROLLBACK, "payments", "production", False, "rollbacks are quick"),
        ("U0ONCALL", ROLLBACK, "store", "production", False, "the store is for the data team"),
        ("U0DATA", ROLLBACK, "store", "production", True, "the store is for the data team"),
        ("U0NOBODY", DEPLOY, "store", "staging", True, "staging"),
        ("", DEPLOY, "store", "staging", False, "staging"),
        ("U0APPROVER", DEPLOY, "payments", "moon", False, ""),
        (BOT, DEPLOY, "payments", "moon", False, ""),
    ],
)
def test_who_may_ask(person: str, kind: ActionKind, service: str, environment: str, allowed: bool, rule: str) -> None:
    ruling = POLICIES.may_request(person, an_action(kind, service, environment), Service(service))
    assert (ruling.allowed, ruling.rule) == (allowed, rule)


@pytest.mark.parametrize(
    ("person", "asked_by", "kind", "service", "environment", "allowed"),
    [
        ("U0APPROVER", BOT, DEPLOY, "payments", "production", True),
        ("U0APPROVER", "U0ONCALL", DEPLOY, "payments", "production", True),
        ("U0APPROVER", "U0APPROVER", DEPLOY, "payments", "production", False),
        ("U0CHIEF", "U0APPROVER", DEPLOY, "payments", "production", True),
        ("U0ONCALL", BOT, DEPLOY, "payments", "production", False),
        ("U0ONCALL", BOT, ROLLBACK, "payments", "production", True),
        ("U0ONCALL", "U0ONCALL", ROLLBACK, "payments", "production", False),
        ("U0NOBODY", BOT, ROLLBACK, "payments", "production", False),
        ("", BOT, ROLLBACK, "payments", "production", False),
        (BOT, BOT, ROLLBACK, "payments", "production", False),
        (BOT, "U0ONCALL", DEPLOY, "payments", "staging", False),
        ("U0DATA", "U0DATA", DEPLOY, "store", "production", True),
        ("U0APPROVER", "U0DATA", DEPLOY, "store", "production", False),
        ("U0NOBODY", "U0NOBODY", DEPLOY, "payments", "staging", True),
        ("U0APPROVER", BOT, DEPLOY, "payments", "moon", False),
    ],
)
def test_who_may_approve(person: str, asked_by: str, kind: ActionKind, service: str, environment: str, allowed: bool) -> None:
    assert POLICIES.may_approve(person, an_action(kind, service, environment, asked_by), Service(service)).allowed is allowed


@pytest.mark.parametrize(
    ("person", "allowed"),
    [("U0ONCALL", True), ("U0APPROVER", True), ("U0NOBODY", False), ("U0ASKED", True), ("", False)],
)
def test_who_may_reject(person: str, allowed: bool) -> None:
    assert (
        POLICIES.may_reject(person, an_action(DEPLOY, "payments", "production", "U0ASKED"), Service("payments")).allowed
        is allowed
    )


def test_nobody_counts_twice() -> None:
    action = an_action(DEPLOY, "store", "production")
    action = replace(action, approvals_needed=2, decisions=(Decision("U0DATA", True, NOON),))
    ruling = POLICIES.may_approve("U0DATA", action, Service("store"))
    assert (ruling.allowed, ruling.reason) == (False, "You approved already; 2 people must")


def test_a_refusal_says_which_rule_and_who_may() -> None:
    ruling = POLICIES.may_approve("U0NOBODY", an_action(DEPLOY, "payments", "production", "U0CHIEF"), Service("payments"))
    assert ruling.reason == "Only approvers may approve production deploys"
    assert ruling.rule == "production"
    assert ruling.who == ("U0APPROVER",)  # whoever asked is not among those who could


def test_no_rules_means_no() -> None:
    ruling = Policies().may_request("U0CHIEF", an_action(DEPLOY, "payments", "production"), Service("payments"))
    assert not ruling.allowed
    assert "No rule of policies.yaml allows production deploys of payments" in ruling.reason


def test_explain_tells_that_one_press_may_start_a_runbooks_step() -> None:
    told = explained(an_action(DEPLOY, "store", "production"), "", World(POLICIES, Service("store"), NOON))
    pressed = [line.strip() for line in told if "one press" in line]
    assert pressed == ["a runbook's step that the bot planned: one press of whoever may ask and approve starts it"]


def test_explain_tells_how_every_rule_was_tried() -> None:
    world = World(POLICIES, Service("payments"), NOON)
    assert explained(an_action(DEPLOY, "payments", "production"), "", world) == (
        f"deploy of payments in production, at {NOON:%Y-%m-%d %H:%M} UTC",
        "1. the store is for the data team: no, it is about store",
        "2. rollbacks are quick: no, it is about rollback",
        "3. production: decides",
        "   may ask: on-call and approvers (U0ONCALL, U0APPROVER, U0CHIEF)",
        "   may approve: approvers (U0APPROVER, U0CHIEF)",
        "   approvals: 1; whoever asked may not approve",
        "   waits: 30 min",
        "   made things worse: the way back is offered",
        "4. staging: no, it is about staging",
    )
    assert explained(an_action(DEPLOY, "payments", "moon"), "", world)[-1] == "no rule matches: refused"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("rules:\n  - name: a\n    request: [ghosts]\n    approve: [anyone]\n", 3, "there is no group ghosts"),
        ("groups:\n  anyone: [U1]\nrules: []\n", 2, "anyone means everybody"),
        ("rules:\n  - name: a\n    request: [anyone]\n", 2, "approve is missing"),
        ("rules:\n  - {name: a, request: [anyone], approve: [anyone], aprovals: 2}\n", 2, "did you mean approvals?"),
        (
            "rules:\n  - {name: a, request: [anyone], approve: [anyone]}\n  - {name: a, request: [anyone], approve: [anyone]}\n",
            3,
            "two rules are called a",
        ),
        ("rules:\n  - {name: a, actions: [reboot], request: [anyone], approve: [anyone]}\n", 2, "reboot"),
        ("rules:\n  - {name: a, approvals: 0, request: [anyone], approve: [anyone]}\n", 2, "approvals"),
        ("rules:\n  - {name: a, request: [], approve: [anyone]}\n", 2, "request"),
        ("freezes:\n  - name: w\n    weekly: [friday]\n", 3, "fri 16:00 - mon 08:00"),
        ("freezes:\n  - name: w\n    weekly: ['fri 25:00 - mon 08:00']\n", 3, "weekly"),
        ("freezes:\n  - name: w\n    weekly: ['mon 08:00 - mon 08:00']\n", 3, "same minute"),
        ("freezes:\n  - name: w\n    dates: ['2026-12-24']\n", 3, "2026-12-20 - 2027-01-03"),
        ("freezes:\n  - name: w\n    dates: ['2027-01-03 - 2026-12-20']\n", 3, "ends before it begins"),
        ("freezes:\n  - name: w\n", 2, "`weekly` or `dates`"),
        ("freezes:\n  - name: w\n    weekly: ['sat 00:00 - sun 12:00']\n    zone: Berlin\n", 4, "Europe/Berlin"),
        ("freezes:\n  - name: w\n    weekly: ['sat 00:00 - sun 12:00']\n    override: [ghosts]\n", 4, "no group ghosts"),
        ("incident_guard:\n  override: [ghosts]\n", 2, "no group ghosts"),
        ("break_glass:\n  groups: [anyone]\n", 2, "may not break the glass"),
        ("break_glas: {}\n", 1, "did you mean break_glass?"),
        ("rules:\n  - {name: a, request: [anyone], approve: [anyone], approvals_by_risk: {huge: 2}}\n", 2, "huge"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(BadRules) as refused:
        read_policies(text)
    assert [f.line for f in refused.value.faults] == [line]
    assert words in str(refused.value)


def test_without_a_file_everything_is_refused(tmp_path: Path) -> None:
    policies = policies_file(tmp_path / "policies.yaml").current
    assert policies.rules == ()
