"""Who may ask for what, and who may approve it: `policies.yaml`, first match wins, no match means no."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from bot.domain.action import Action, ActionKind
from bot.errors import Fault
from bot.topology.rulefile import BadRules, Lines, RuleFile, read_rules

ANYONE = "anyone"
BOT = "tocsin"
EVERYTHING = "*"


class Rule(BaseModel):
    """One rule of `policies.yaml`; all of `actions`, `environments` and `services` must match."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80)
    actions: tuple[ActionKind, ...] = (ActionKind.DEPLOY, ActionKind.ROLLBACK)
    environments: tuple[str, ...] = (EVERYTHING,)
    services: tuple[str, ...] = (EVERYTHING,)
    request: tuple[str, ...] = Field(min_length=1)
    approve: tuple[str, ...] = Field(min_length=1)
    approvals: int = Field(default=1, ge=1, le=10)
    self_approval: bool = False
    expires_minutes: int = Field(default=30, ge=1, le=7 * 24 * 60)

    def covers(self, kind: ActionKind, service: str, environment: str) -> bool:
        """This rule speaks about such an action."""
        return kind in self.actions and _named(environment, self.environments) and _named(service, self.services)

    @property
    def expires_after(self) -> timedelta:
        """How long an action waits for people."""
        return timedelta(minutes=self.expires_minutes)


class PolicyFile(BaseModel):
    """`policies.yaml` as people write it: groups of Slack user ids; rules name groups or "anyone"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the policy says: yes or no, by which rule, why, and who could (Slack user ids)."""

    allowed: bool
    rule: str
    reason: str
    who: tuple[str, ...] = ()


class Policies:
    """The rules in force; a pure object that is replaced whole when the file changes."""

    def __init__(self, file: PolicyFile | None = None) -> None:
        self._file = file or PolicyFile()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are tried."""
        return self._file.rules

    def rule_for(self, kind: ActionKind, service: str, environment: str) -> Rule | None:
        """The first rule that speaks about such an action, or None."""
        return next((r for r in self._file.rules if r.covers(kind, service, environment)), None)

    def members(self, groups: Iterable[str]) -> tuple[str, ...]:
        """The Slack user ids of these groups, each once, in the order of the file; "anyone" adds none."""
        return tuple(dict.fromkeys(u for g in groups for u in self._file.groups.get(g, ())))

    def may_switch_on(self, person: str) -> Ruling:
        """Whether this person may let the model be asked again: whoever is in a group, or anybody where there are no groups."""
        known = self.members(self._file.groups)
        if not known or person in known:
            return Ruling(True, "", "people of the groups in policies.yaml may switch the model on")
        return Ruling(
            False, "", "Only people of the groups in policies.yaml may switch the model on; anybody may switch it off", known
        )

    def may_regroup(self, person: str) -> Ruling:
        """Whether this person may merge and split incidents: whoever is in a group, or anybody where there are no groups."""
        known = self.members(self._file.groups)
        if not known or person in known:
            return Ruling(True, "", "people of the groups in policies.yaml may merge and split incidents")
        return Ruling(False, "", "Only people of the groups in policies.yaml may merge and split incidents", known)

    def may_attribute(self, person: str) -> Ruling:
        """Whether this person may say whose alerts are whose: whoever is in a group, or anybody where there are no groups."""
        known = self.members(self._file.groups)
        if not known or person in known:
            return Ruling(True, "", "people of the groups in policies.yaml may say whose alerts are whose")
        return Ruling(False, "", "Only people of the groups in policies.yaml may say whose alerts are whose", known)

    def may_request(self, person: str, action: Action) -> Ruling:
        """Whether this person may ask for such an action; the bot may suggest whatever some rule covers."""
        rule = self.rule_for(action.kind, action.service, action.environment)
        if rule is None:
            return _no_rule(action)
        if person == BOT or self._in(person, rule.request):
            return Ruling(True, rule.name, f'{_groups(rule.request)} may ask for {_such(action)} (rule "{rule.name}")')
        return Ruling(
            False,
            rule.name,
            f"Only {_groups(rule.request)} may ask for {_such(action)}",
            self.members(rule.request),
        )

    def may_approve(self, person: str, action: Action) -> Ruling:
        """Whether this person's approval counts for this action; nobody's counts twice, the bot's never."""
        rule = self.rule_for(action.kind, action.service, action.environment)
        if rule is None:
            return _no_rule(action)
        others = tuple(u for u in self.members(rule.approve) if rule.self_approval or u != action.requested_by)
        if person == BOT or not self._in(person, rule.approve):
            return Ruling(False, rule.name, f"Only {_groups(rule.approve)} may approve {_such(action)}", others)
        if person == action.requested_by and not rule.self_approval:
            reason = f'Whoever asked may not approve it too (rule "{rule.name}")'
            return Ruling(False, rule.name, f"{reason}; another of {_groups(rule.approve)} can", others)
        if any(d.by == person and d.approved for d in action.decisions):
            left = tuple(u for u in others if u not in {d.by for d in action.decisions})
            return Ruling(False, rule.name, f"You approved already; {action.approvals_needed} people must", left)
        return Ruling(True, rule.name, f'{_groups(rule.approve)} may approve {_such(action)} (rule "{rule.name}")')

    def may_reject(self, person: str, action: Action) -> Ruling:
        """Whether this person may stop it: who asked may withdraw, who may ask or approve may say no."""
        rule = self.rule_for(action.kind, action.service, action.environment)
        if rule is None:
            return _no_rule(action)
        if person == action.requested_by or self._in(person, (*rule.request, *rule.approve)):
            return Ruling(True, rule.name, f'may reject {_such(action)} (rule "{rule.name}")')
        groups = tuple(dict.fromkeys((*rule.request, *rule.approve)))
        return Ruling(False, rule.name, f"Only {_groups(groups)} may reject {_such(action)}", self.members(groups))

    def may_settle(self, person: str, action: Action) -> Ruling:
        """Whether this person may say what became of an uncertain action: whoever may approve, who approved it included."""
        rule = self.rule_for(action.kind, action.service, action.environment)
        if rule is None:
            return _no_rule(action)
        if person != BOT and self._in(person, rule.approve):
            return Ruling(True, rule.name, f'{_groups(rule.approve)} may settle {_such(action)} (rule "{rule.name}")')
        return Ruling(
            False, rule.name, f"Only {_groups(rule.approve)} may say what became of {_such(action)}", self.members(rule.approve)
        )

    def explain(self, kind: ActionKind, service: str, environment: str) -> tuple[str, ...]:
        """How the rules were tried for such an action, one line each, and what the deciding one says."""
        lines: list[str] = []
        for number, rule in enumerate(self._file.rules, start=1):
            misses = _misses(rule, kind, service, environment)
            if misses:
                lines.append(f"{number}. {rule.name}: no, {misses}")
                continue
            lines.append(f"{number}. {rule.name}: decides")
            lines.append(f"   may ask: {_with_ids(rule.request, self.members(rule.request))}")
            lines.append(f"   may approve: {_with_ids(rule.approve, self.members(rule.approve))}")
            asker = "may" if rule.self_approval else "may not"
            lines.append(f"   approvals: {rule.approvals}; whoever asked {asker} approve")
            lines.append(f"   waits: {rule.expires_minutes} min")
            return tuple(lines)
        lines.append("no rule matches: refused")
        return tuple(lines)

    def _in(self, person: str, groups: Iterable[str]) -> bool:
        return bool(person) and any(g == ANYONE or person in self._file.groups.get(g, ()) for g in groups)


def _named(name: str, names: tuple[str, ...]) -> bool:
    return EVERYTHING in names or name in names


def _misses(rule: Rule, kind: ActionKind, service: str, environment: str) -> str:
    if kind not in rule.actions:
        return f"it is about {' and '.join(rule.actions)}"
    if not _named(environment, rule.environments):
        return f"it is about {', '.join(rule.environments)}"
    if not _named(service, rule.services):
        return f"it is about {', '.join(rule.services)}"
    return ""


def _such(action: Action) -> str:
    return f"{action.environment} {action.kind.value}s"


def _groups(groups: tuple[str, ...]) -> str:
    return ANYONE if ANYONE in groups else " and ".join(groups)


def _with_ids(groups: tuple[str, ...], ids: tuple[str, ...]) -> str:
    return f"{_groups(groups)} ({', '.join(ids)})" if ids else _groups(groups)


def _no_rule(action: Action) -> Ruling:
    return Ruling(False, "", f"No rule of policies.yaml allows {_such(action)} of {action.service}; add one to allow it")


def read_policies(text: str, file: str = "policies.yaml") -> Policies:
    """The rules that a file's text says. Raises BadRules with every fault and its line."""
    parsed, lines = read_rules(text, file, PolicyFile)
    if faults := list(_misfits(parsed, lines)):
        raise BadRules(faults)
    return Policies(parsed)


def policies_file(path: Path) -> RuleFile[Policies]:
    """`policies.yaml`, reloaded on change; without a file no rule matches, so every action is refused."""
    return RuleFile(path, read_policies, absent=Policies)


def _misfits(parsed: PolicyFile, lines: Lines) -> Iterator[Fault]:
    if ANYONE in parsed.groups:
        yield lines.fault(f"{ANYONE} means everybody and cannot be a group; choose another name", "groups", ANYONE)
    seen: set[str] = set()
    for number, rule in enumerate(parsed.rules):
        if rule.name in seen:
            yield lines.fault(
                f"two rules are called {rule.name}; a refusal names its rule, so names differ", "rules", number, "name"
            )
        seen.add(rule.name)
        for key, groups in (("request", rule.request), ("approve", rule.approve)):
            for place, group in enumerate(groups):
                if group != ANYONE and group not in parsed.groups:
                    known = ", ".join((ANYONE, *parsed.groups))
                    yield lines.fault(f"there is no group {group}; known are {known}", "rules", number, key, place)
