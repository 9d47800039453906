"""The policy as a table: each row is a sentence that somebody who runs deploys could say, and must be true."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bot.actions.policy import ANYONE, BOT, Moment, Policies, PolicyFile, Rule, World, decide, read_policies
from bot.domain.action import Action, ActionKind, ActionStatus, Claim, CommitCheck, Decision, Plan, Risk
from bot.domain.incident import Status
from bot.domain.lock import Lock
from bot.domain.service import Service
from tests.fakes import an_incident

WEDNESDAY = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
FRIDAY_NIGHT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
CHRISTMAS = datetime(2026, 12, 25, 12, 0, tzinfo=UTC)
ASKER, CHIEF, OTHER, OUTSIDER, BREAKER, CHATTY = "U0ASKER", "U0CHIEF", "U0OTHER", "U0OUT", "U0BREAK", "U0CHAT"
DEPLOY, ROLLBACK = ActionKind.DEPLOY, ActionKind.ROLLBACK
PLAN, REQUEST, APPROVAL, START = Moment.PLAN, Moment.REQUEST, Moment.APPROVAL, Moment.START
GREEN: dict[str, bool | None] = {"unit": True, "build / image": True}
RED: dict[str, bool | None] = {"unit": False}
FIX, OVERRIDE, GLASS = Claim.FIX, Claim.OVERRIDE, Claim.BREAK_GLASS

POLICIES = read_policies("""\
groups:
  developers: [U0ASKER, U0CHIEF]
  approvers: [U0CHIEF, U0OTHER, "@release-crew", S0RELEASE]
  chiefs: [U0CHIEF]
  data: [U0DATA]
rules:
  - name: ledger needs two
    services: [ledger]
    environments: [production]
    request: [developers]
    approve: [approvers]
    approvals: 2
  - name: data owns its own
    owners: [team-data]
    environments: [production]
    request: [data]
    approve: [data]
    self_approval: true
  - name: tier one
    tiers: [1]
    actions: [deploy]
    environments: [production]
    channels: ["#deploys", C0OPS]
    request: [developers, chiefs]
    approve: [approvers]
    approvals_by_risk: {high: 2}
  - name: shop needs green
    services: [shop]
    environments: [production]
    required_checks: [unit, "build / image"]
    checks_override: [chiefs]
    request: [developers, approvers]
    approve: [approvers]
  - name: schema goes back green
    services: [schema]
    actions: [rollback]
    environments: [production]
    required_checks: [unit]
    request: [developers]
    approve: [approvers]
  - name: production
    environments: [production]
    request: [developers, approvers]
    approve: [approvers]
  - name: playground
    environments: [staging]
    request: [anyone]
    approve: [anyone]
    self_approval: true
freezes:
  - name: weekend
    weekly: ["fri 16:00 - mon 08:00"]
    zone: Europe/Berlin
    environments: [production]
    override: [developers]
    reason: nobody is here
  - name: year's end
    dates: ["2026-12-20 - 2027-01-03"]
    environments: [production]
    actions: [deploy, rollback]
    override: [chiefs]
break_glass:
  people: [U0BREAK]
""")


@dataclass(frozen=True)
class Row:
    """Somebody does something at some moment; `may` is the answer and `words` are in its reason or its rule."""

    sentence: str
    who: str
    may: bool
    words: str = ""
    moment: Moment = REQUEST
    do: ActionKind = DEPLOY
    service: str = "cart"
    owner: str = "team-web"
    tier: int = 3
    where: str = "production"
    at: datetime = WEDNESDAY
    by: str = ""  # who asked; "" is whoever acts
    claim: Claim = Claim.NONE
    why: str = "because"
    approved: tuple[str, ...] = ()
    risk: Risk = Risk.LOW
    chat: dict[str, frozenset[str]] = field(default_factory=dict)
    here: frozenset[str] = frozenset()
    hurt: str = ""  # a service with an open incident
    ended: bool = False
    elsewhere: str = "production"  # where the incident is
    lock: Lock | None = None
    checks: dict[str, bool | None] | None = None  # of the plan's commit; None: there is no plan yet
    undoes: str = ""


def locked(service: str = "cart", owner: str = OTHER, environment: str = "production", minutes: int = 60) -> Lock:
    return Lock(service, environment, owner, "migrating", WEDNESDAY, WEDNESDAY + timedelta(minutes=minutes), 1)


CREW = {CHATTY: frozenset({"S0CREW", "release-crew"})}
BY_ID = {CHATTY: frozenset({"S0RELEASE", "some-handle"})}
TIER_ONE: dict[str, Any] = {"service": "checkout", "tier": 1}
ROWS = [
    # who may ask
    Row("A developer may ask for a production deploy", ASKER, True, "production"),
    Row("A developer may ask for a production rollback", ASKER, True, "production", do=ROLLBACK),
    Row("An approver may ask too, since the rule names both groups", OTHER, True, "production"),
    Row("An outsider may not ask", OUTSIDER, False, "Only developers and approvers may ask"),
    Row("Nobody without a name may ask", "", False, "Only developers"),
    Row("Nobody without a name may ask, even where anyone may", "", False, "Only anyone", where="staging"),
    Row("The bot may suggest what some rule covers", BOT, True),
    Row("The bot may not suggest what no rule covers", BOT, False, "No rule", where="moon"),
    Row("An environment that no rule names takes nothing", CHIEF, False, "No rule", where="moon"),
    Row("Anyone may ask on the playground", OUTSIDER, True, "playground", where="staging"),
    Row("A member of a Slack user group, by its handle, may ask", CHATTY, True, chat=CREW),
    Row("A member of a Slack user group, by its id, may ask", CHATTY, True, chat=BY_ID),
    Row("Whose groups Slack did not tell may not ask", CHATTY, False, "Only developers and approvers"),
    Row("A member of some other user group may not ask", CHATTY, False, chat={CHATTY: frozenset({"S0OTHER", "crew"})}),
    Row("A handle that looks like a group's id is none", CHATTY, False, chat={CHATTY: frozenset({"s0release"})}),
    # services, owners, tiers, channels
    Row("What the data team owns only it may ask for", "U0DATA", True, "data owns", owner="team-data"),
    Row("A developer may not ask for what the data team owns", ASKER, False, "Only data", owner="team-data"),
    Row("The data team may not ask for what others own", "U0DATA", False, "Only developers"),
    Row(
        "The first rule that fits decides: the ledger's comes before its owner's",
        ASKER,
        True,
        service="ledger",
        owner="team-data",
    ),
    Row(
        "A tier 1 deploy is asked for in the deploys channel",
        ASKER,
        True,
        "tier one",
        here=frozenset({"#deploys", "C1"}),
        **TIER_ONE,
    ),
    Row(
        "A tier 1 deploy may be asked for in a channel named by id",
        ASKER,
        True,
        "tier one",
        here=frozenset({"C0OPS"}),
        **TIER_ONE,
    ),
    Row(
        "A tier 1 deploy may not be asked for elsewhere",
        ASKER,
        False,
        "#deploys or C0OPS only",
        here=frozenset({"C9"}),
        **TIER_ONE,
    ),
    Row("A tier 1 deploy may not be asked for from nowhere", ASKER, False, "asked for in #deploys", **TIER_ONE),
    Row("A tier 1 rollback may be asked for anywhere", ASKER, True, "production", do=ROLLBACK, **TIER_ONE),
    Row("The bot is in no channel and may suggest all the same", BOT, True, **TIER_ONE),
    # who may approve
    Row("An approver may approve what a developer asked for", CHIEF, True, moment=APPROVAL, by=ASKER),
    Row("Whoever asked may not approve it in production", CHIEF, False, "may not approve it too", moment=APPROVAL),
    Row("A developer's word is no approval", ASKER, False, "Only approvers may approve", moment=APPROVAL, by=OTHER),
    Row("An outsider's word is no approval", OUTSIDER, False, "Only approvers", moment=APPROVAL, by=ASKER),
    Row("The bot's word is no approval", BOT, False, "Only approvers", moment=APPROVAL, by=ASKER),
    Row("The bot's word is no approval where anyone may approve", BOT, False, moment=APPROVAL, by=ASKER, where="staging"),
    Row("Nobody's word is no approval where anyone may approve", "", False, moment=APPROVAL, by=ASKER, where="staging"),
    Row("A member of a user group may approve", CHATTY, True, moment=APPROVAL, by=ASKER, chat=CREW),
    Row("Whose groups Slack did not tell may not approve", CHATTY, False, moment=APPROVAL, by=ASKER),
    Row("Whoever asked may approve on the playground", OUTSIDER, True, moment=APPROVAL, where="staging"),
    Row("Where the rule says so whoever asked may approve", "U0DATA", True, moment=APPROVAL, owner="team-data"),
    Row("Nobody approves twice", CHIEF, False, "You approved already", moment=APPROVAL, by=ASKER, approved=(CHIEF,)),
    # approvals at the start
    Row("With one approval it starts", BOT, True, "1 of 1", moment=START, by=ASKER, approved=(CHIEF,)),
    Row("Without approval nothing starts", BOT, False, "0 of 1", moment=START, by=ASKER),
    Row("The ledger does not start with one", BOT, False, "1 of 2", moment=START, by=ASKER, service="ledger", approved=(CHIEF,)),
    Row("The ledger starts with two", BOT, True, "2 of 2", moment=START, by=ASKER, service="ledger", approved=(CHIEF, OTHER)),
    Row("One person twice is one", BOT, False, "1 of 2", moment=START, by=ASKER, service="ledger", approved=(CHIEF, CHIEF)),
    Row("Low risk needs one", BOT, True, moment=START, by=ASKER, approved=(CHIEF,), **TIER_ONE),
    Row("High risk needs two", BOT, False, "1 of 2", moment=START, by=ASKER, approved=(CHIEF,), risk=Risk.HIGH, **TIER_ONE),
    Row("High risk has two", BOT, True, moment=START, by=ASKER, approved=(CHIEF, OTHER), risk=Risk.HIGH, **TIER_ONE),
    Row("Who is no approver any more does not count", BOT, False, "0 of 1", moment=START, by=ASKER, approved=(OUTSIDER,)),
    Row("Who asked does not count at the start either", BOT, False, "0 of 1", moment=START, by=CHIEF, approved=(CHIEF,)),
    # freezes
    Row("On a Friday night nothing is deployed", ASKER, False, "freeze weekend", at=FRIDAY_NIGHT),
    Row(
        "The weekend begins by Berlin's clock: 15:30 UTC is 16:30",
        ASKER,
        False,
        "weekend",
        at=FRIDAY_NIGHT.replace(hour=15, minute=30),
    ),
    Row("At 14:30 UTC it has not begun", ASKER, True, at=FRIDAY_NIGHT.replace(hour=14, minute=30)),
    Row("It is over on Monday at eight", ASKER, True, at=datetime(2026, 11, 23, 7, 0, tzinfo=UTC)),
    Row("It is on a minute before", ASKER, False, "weekend", at=datetime(2026, 11, 23, 6, 59, tzinfo=UTC)),
    Row(
        "In summer Berlin's four o'clock is two in London's", ASKER, False, "weekend", at=datetime(2026, 7, 3, 14, 0, tzinfo=UTC)
    ),
    Row("A rollback goes on in the weekend", ASKER, True, do=ROLLBACK, at=FRIDAY_NIGHT),
    Row("The playground is not frozen", OUTSIDER, True, where="staging", at=FRIDAY_NIGHT),
    Row(
        "What was asked for before is not approved in a freeze",
        CHIEF,
        False,
        "weekend",
        moment=APPROVAL,
        by=ASKER,
        at=FRIDAY_NIGHT,
    ),
    Row(
        "What was approved before does not start in a freeze",
        BOT,
        False,
        "weekend",
        moment=START,
        by=ASKER,
        approved=(CHIEF,),
        at=FRIDAY_NIGHT,
    ),
    Row("A developer may override the weekend", ASKER, True, claim=OVERRIDE, at=FRIDAY_NIGHT),
    Row("Not without a reason", ASKER, False, "needs a reason", claim=OVERRIDE, why=" ", at=FRIDAY_NIGHT),
    Row("An approver who is no developer may not override it", OTHER, False, "weekend", claim=OVERRIDE, at=FRIDAY_NIGHT),
    Row(
        "An override still needs somebody else's approval",
        ASKER,
        False,
        "Only approvers",
        moment=APPROVAL,
        claim=OVERRIDE,
        at=FRIDAY_NIGHT,
    ),
    Row(
        "An approver may approve what a developer overrides",
        CHIEF,
        True,
        moment=APPROVAL,
        by=ASKER,
        claim=OVERRIDE,
        at=FRIDAY_NIGHT,
    ),
    Row("At Christmas even rollbacks wait", ASKER, False, "year's end", do=ROLLBACK, at=CHRISTMAS),
    Row("A developer may not override Christmas", ASKER, False, "year's end", claim=OVERRIDE, at=CHRISTMAS),
    Row("A chief may", CHIEF, True, claim=OVERRIDE, at=CHRISTMAS),
    Row("A fix is no reason in a freeze", ASKER, False, "weekend", claim=FIX, at=FRIDAY_NIGHT),
    Row(
        "The last day of a dated freeze is in it",
        ASKER,
        False,
        "year's end",
        do=ROLLBACK,
        at=datetime(2027, 1, 3, 23, 59, tzinfo=UTC),
    ),
    Row("The day after is not", ASKER, True, do=ROLLBACK, at=datetime(2027, 1, 4, 0, 0, tzinfo=UTC)),
    # the incident guard
    Row("A service with an open incident takes no deploy", ASKER, False, "incident guard", hurt="cart"),
    Row("It takes a rollback", ASKER, True, do=ROLLBACK, hurt="cart"),
    Row("It takes a fix", ASKER, True, claim=FIX, hurt="cart"),
    Row("It takes no fix that nobody explains", ASKER, False, "needs a reason", claim=FIX, why="", hurt="cart"),
    Row("Another service's incident does not matter", ASKER, True, hurt="search"),
    Row("An incident elsewhere does not matter", ASKER, True, hurt="cart", elsewhere="staging"),
    Row("An incident that is over does not matter", ASKER, True, hurt="cart", ended=True),
    Row("Who may approve may override the guard", CHIEF, True, claim=OVERRIDE, hurt="cart"),
    Row("A developer may not override the guard", ASKER, False, "incident guard", claim=OVERRIDE, hurt="cart"),
    Row("An incident that began meanwhile stops the approval", CHIEF, False, "guard", moment=APPROVAL, by=ASKER, hurt="cart"),
    Row(
        "An incident that began meanwhile stops the start",
        BOT,
        False,
        "guard",
        moment=START,
        by=ASKER,
        approved=(CHIEF,),
        hurt="cart",
    ),
    Row(
        "An unguarded environment takes deploys in an incident", OUTSIDER, True, where="staging", hurt="cart", elsewhere="staging"
    ),
    # locks
    Row("A locked service takes no deploy", ASKER, False, "lock of cart", lock=locked()),
    Row("A locked service takes no rollback", ASKER, False, "locked by U0OTHER: migrating", do=ROLLBACK, lock=locked()),
    Row("Its owner may go on", OTHER, True, lock=locked()),
    Row("Another service's lock does not matter", ASKER, True, lock=locked("search")),
    Row("A lock elsewhere does not matter", ASKER, True, lock=locked(environment="staging")),
    Row("A lock whose time is over does not matter", ASKER, True, lock=locked(minutes=0)),
    Row("Who may approve may override a lock", CHIEF, True, claim=OVERRIDE, lock=locked()),
    Row("Others may not", ASKER, False, "lock of cart", claim=OVERRIDE, lock=locked()),
    Row(
        "A lock that came meanwhile stops the start", BOT, False, "lock", moment=START, by=ASKER, approved=(CHIEF,), lock=locked()
    ),
    Row("A frozen environment takes no deploy", ASKER, False, "freeze of production", lock=locked("*")),
    Row("A frozen environment takes rollbacks", ASKER, True, do=ROLLBACK, lock=locked("*")),
    # required checks
    Row("Before there is a plan nobody knows of checks, and asking is free", ASKER, True, service="shop"),
    Row("A green commit may be deployed", ASKER, True, "shop needs green", service="shop", checks=GREEN),
    Row("A commit with a failed check may not", ASKER, False, "unit failed", service="shop", checks={**GREEN, "unit": False}),
    Row("Nor one whose check has not ended", ASKER, False, "image is not known", service="shop", checks={"unit": True}),
    Row(
        "Nor one whose check nobody could tell", ASKER, False, "unit is not known", service="shop", checks={**GREEN, "unit": None}
    ),
    Row("What nobody requires may fail", ASKER, True, service="shop", checks={**GREEN, "lint": False}),
    Row("Where no rule requires checks red is no barrier", ASKER, True, "production", checks={"unit": False}),
    Row("Names are compared as they are written", ASKER, False, "unit is not", service="shop", checks={"Unit": True}),
    Row("A commit may be red in a dry run", ASKER, True, service="shop", checks={}, moment=PLAN),
    Row("A dry run is also made in a freeze", ASKER, True, at=CHRISTMAS, moment=PLAN),
    Row("But not by an outsider", OUTSIDER, False, "Only developers", moment=PLAN),
    Row("Whom the rule names may override red checks", CHIEF, True, service="shop", checks={}, claim=OVERRIDE),
    Row(
        "Who may approve may not, as the rule names others", OTHER, False, "not green", service="shop", checks={}, claim=OVERRIDE
    ),
    Row("A fix of an incident needs green checks all the same", ASKER, False, "not green", service="shop", checks={}, claim=FIX),
    Row("Breaking the glass needs none", BREAKER, True, service="shop", checks={}, claim=GLASS),
    Row("Nobody approves a red commit either", OTHER, False, "not green", APPROVAL, service="shop", by=ASKER, checks={}),
    Row("Nor is it started", BOT, False, "not green", START, service="shop", by=ASKER, approved=(OTHER,), checks={}),
    Row("A green one is", BOT, True, moment=START, service="shop", by=ASKER, approved=(OTHER,), checks=GREEN),
    Row("A rollback needs no green checks", ASKER, True, service="shop", do=ROLLBACK, checks={"unit": False}),
    Row("Nor does a deploy that takes an action back", ASKER, True, service="shop", undoes="a0", checks={"unit": False}),
    Row("A rule of rollbacks alone means its checks", ASKER, False, "unit failed", service="schema", do=ROLLBACK, checks=RED),
    # break-glass
    Row("Whom the file names may break the glass in any freeze", BREAKER, True, claim=GLASS, at=CHRISTMAS),
    Row("And with an incident", BREAKER, True, claim=GLASS, hurt="cart"),
    Row("And from any channel", BREAKER, True, claim=GLASS, here=frozenset({"C9"}), **TIER_ONE),
    Row("And may approve it alone", BREAKER, True, moment=APPROVAL, claim=GLASS, lock=locked()),
    Row("One approval is enough then", BOT, True, moment=START, by=BREAKER, claim=GLASS, service="ledger", approved=(BREAKER,)),
    Row("Not without a reason", BREAKER, False, "needs a reason", claim=GLASS, why=""),
    Row("Others may not break the glass, whatever else they may", CHIEF, False, "may break the glass", claim=GLASS),
    Row(
        "Nobody breaks the glass for somebody else's approval",
        OUTSIDER,
        False,
        "Only approvers",
        moment=APPROVAL,
        by=BREAKER,
        claim=GLASS,
    ),
    Row("Who breaks it is otherwise nobody in particular", BREAKER, False, "Only developers"),
    Row("Where no rule speaks there is no glass to break", BREAKER, False, "No rule", where="moon", claim=GLASS),
]


def asked(row: Row) -> Action:
    """The action that a row is about."""
    checks = tuple(CommitCheck(name, passed) for name, passed in (row.checks or {}).items())
    plan = Plan("v1", "", "v2", "", risk=row.risk, checks=checks)
    return Action(
        "a1",
        row.do,
        row.service,
        row.where,
        "v2",
        ActionStatus.AWAITING,
        row.by or row.who,
        row.at,
        row.at,
        plan=None if row.service in ("shop", "schema") and row.checks is None else plan,
        undoes=row.undoes,
        claim=row.claim,
        claim_reason=row.why if row.claim else "",
        decisions=tuple(Decision(who, True, row.at) for who in row.approved),
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.sentence)
def test_the_policy_says(row: Row) -> None:
    status = Status.RESOLVED if row.ended else Status.OPEN
    incident = replace(an_incident(service=row.hurt, environment=row.elsewhere), members=(), status=status)
    world = World(
        POLICIES,
        Service(row.service, owner=row.owner, tier=row.tier),
        row.at,
        (incident,) if row.hurt else (),
        (row.lock,) if row.lock else (),
        row.chat,
        row.here,
    )
    ruling = decide(asked(row), row.who, row.moment, world)
    assert ruling.allowed is row.may, f"{row.sentence}: {ruling.reason}"
    assert row.words in f"{ruling.rule}: {ruling.reason}"
    assert ruling.allowed or ruling.advice or not ruling.rule or ruling.who, (
        f"{row.sentence}: says neither who could nor what next"
    )


def test_there_are_enough_rows_and_each_says_something_of_its_own() -> None:
    assert len({(row.sentence, row.claim) for row in ROWS}) == len(ROWS) >= 60


PEOPLE = ("U0A", "U0B", "U0C")
GROUPS = ("g1", "g2", "g3")
_groups = some.lists(some.sampled_from(GROUPS), min_size=1, max_size=2, unique=True).map(tuple)
_rules = some.builds(
    Rule,
    name=some.just("any"),
    actions=some.sampled_from([(DEPLOY,), (ROLLBACK,), (DEPLOY, ROLLBACK)]),
    environments=some.sampled_from([("production",), ("*",), ("staging", "production")]),
    tiers=some.sampled_from([(), (1,), (3,)]),
    request=_groups,
    approve=_groups,
    approvals=some.integers(1, 3),
    approvals_by_risk=some.dictionaries(some.sampled_from(list(Risk)), some.integers(1, 3), max_size=2),
)
_entries = some.lists(some.sampled_from([*PEOPLE, "S0GROUP", "@handle"]), max_size=3, unique=True).map(tuple)
_files = some.builds(
    PolicyFile,
    groups=some.fixed_dictionaries(dict.fromkeys(GROUPS, _entries)),
    rules=some.lists(_rules, min_size=1, max_size=4).map(tuple),
)
_claims = some.sampled_from(list(Claim))
_chats = some.dictionaries(some.sampled_from(PEOPLE), some.frozensets(some.sampled_from(["S0GROUP", "handle", "S0OTHER"])))


def such_an_action(kind: ActionKind, by: str, claim: Claim, risk: Risk, approved: tuple[str, ...] = ()) -> Action:
    row = Row("", by, True, do=kind, claim=claim, risk=risk, approved=approved)
    return asked(row)


@settings(max_examples=40, deadline=None)
@given(_files, _chats, some.sampled_from([DEPLOY, ROLLBACK]), _claims, some.sampled_from([1, 3]), some.sampled_from(list(Risk)))
def test_no_combination_of_rules_lets_an_unknown_person_approve(
    file: PolicyFile, chats: dict[str, frozenset[str]], kind: ActionKind, claim: Claim, tier: int, risk: Risk
) -> None:
    world = World(Policies(file), Service("cart", tier=tier), WEDNESDAY, memberships=chats)
    for stranger in ("", BOT, "U0STRANGER", "g1", "S0GROUP", "@handle", "handle", ANYONE, "*"):
        for by in (*PEOPLE, stranger):
            action = such_an_action(kind, by, claim, risk)
            assert not decide(action, stranger, APPROVAL, world).allowed
            assert not decide(such_an_action(kind, by, claim, risk, (stranger,)), BOT, START, world).allowed


@settings(max_examples=40, deadline=None)
@given(_files, _chats, some.sampled_from([DEPLOY, ROLLBACK]), _claims, some.sampled_from([1, 3]), some.sampled_from(list(Risk)))
def test_no_combination_of_rules_lets_whoever_asked_approve_alone_in_production_by_default(
    file: PolicyFile, chats: dict[str, frozenset[str]], kind: ActionKind, claim: Claim, tier: int, risk: Risk
) -> None:
    world = World(Policies(file), Service("cart", tier=tier), WEDNESDAY, memberships=chats)
    for person in PEOPLE:
        assert not decide(such_an_action(kind, person, claim, risk), person, APPROVAL, world).allowed
        assert not decide(such_an_action(kind, person, claim, risk, (person, person)), BOT, START, world).allowed
