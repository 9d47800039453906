"""Who may ask for what, and who may approve it: first match wins, no match means no, and so does an unknown person."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.actions.policy.file import ANYONE, Freeze, PolicyFile, Rule
from bot.domain.action import Action, ActionKind, Claim, Risk
from bot.domain.service import Service

BOT = "tocsin"
NOBODY: frozenset[str] = frozenset()
_GROUP_ID = re.compile(r"(?:<!subteam\^)?(S[A-Z0-9]{2,})(?:\|[^>]*)?>?")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the policy says: yes or no, by which rule, why, who could (Slack user ids), and what to do next."""

    allowed: bool
    rule: str
    reason: str
    who: tuple[str, ...] = ()
    advice: str = ""
    named: tuple[str, ...] = ()  # the Slack user ids in the reason


class Policies:
    """The rules in force; a pure object that is replaced whole when the file changes.

    `groups` of a person are the chat's user groups, by id and by handle; without them only the lists of the file count.
    """

    def __init__(self, file: PolicyFile | None = None) -> None:
        self._file = file or PolicyFile()

    @property
    def file(self) -> PolicyFile:
        """What people wrote."""
        return self._file

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are tried."""
        return self._file.rules

    @property
    def freezes(self) -> tuple[Freeze, ...]:
        """The spans of time in which nothing is deployed."""
        return self._file.freezes

    @property
    def asks_chat(self) -> bool:
        """Some group is a user group of the chat, which has to be asked who is in it."""
        return any(_chat_group(entry) for entries in self._file.groups.values() for entry in entries)

    def rule_for(self, kind: ActionKind, service: Service, environment: str) -> Rule | None:
        """The first rule that speaks about such an action, or None."""
        return next((r for r in self._file.rules if r.covers(kind, service, environment)), None)

    def listed(self, groups: Iterable[str]) -> tuple[str, ...]:
        """All that these groups list, as the file writes it: people and user groups of the chat."""
        return tuple(dict.fromkeys(entry for group in groups for entry in self._file.groups.get(group, ())))

    def members(self, groups: Iterable[str]) -> tuple[str, ...]:
        """The Slack user ids that these groups list, each once, in the order of the file; "anyone" adds none."""
        return tuple(entry for entry in self.listed(groups) if not _chat_group(entry))

    def chat_groups(self, groups: Iterable[str]) -> tuple[str, ...]:
        """The user groups of the chat that these groups list: an id, or a handle without its "@"."""
        return tuple(dict.fromkeys(found for entry in self.listed(groups) if (found := _chat_group(entry))))

    def is_in(self, person: str, groups: Iterable[str], chat: frozenset[str] = NOBODY) -> bool:
        """This person, whose user groups in the chat are `chat`, is in one of these groups; the bot is in none."""
        if not person or person == BOT:
            return False
        return any(group == ANYONE or self._is_listed(person, group, chat) for group in groups)

    def _is_listed(self, person: str, name: str, chat: frozenset[str]) -> bool:
        entries = self._file.groups.get(name, ())
        return any(group in chat if (group := _chat_group(entry)) else entry == person for entry in entries)

    def may_break_glass(self, person: str, chat: frozenset[str] = NOBODY) -> bool:
        """This person may go past every guard."""
        named = self._file.break_glass
        groups = tuple(g for g in named.groups if g != ANYONE)
        return person != BOT and bool(person) and (person in named.people or self.is_in(person, groups, chat))

    def glass_breakers(self) -> tuple[str, ...]:
        """The Slack user ids of those who may go past every guard."""
        return tuple(dict.fromkeys((*self._file.break_glass.people, *self.members(self._file.break_glass.groups))))

    def may_switch_on(self, person: str, what: str = "the model") -> Ruling:
        """Whether this person may switch it on again: whoever a group lists, or anybody where there are no groups."""
        return self._listed(person, f"switch {what} on", "; anybody may switch it off")

    def may_regroup(self, person: str) -> Ruling:
        """Whether this person may merge and split incidents: whoever a group lists, or anybody where there are no groups."""
        return self._listed(person, "merge and split incidents")

    def may_attribute(self, person: str) -> Ruling:
        """Whether this person may say whose alerts are whose: whoever a group lists, or anybody where there are no groups."""
        return self._listed(person, "say whose alerts are whose")

    def _listed(self, person: str, deed: str, more: str = "") -> Ruling:
        known = self.members(self._file.groups)
        if not any(self._file.groups.values()) or person in known:
            return Ruling(True, "", f"people of the groups in policies.yaml may {deed}")
        return Ruling(False, "", f"Only people of the groups in policies.yaml may {deed}{more}", known)

    def may_request(self, person: str, action: Action, service: Service, chat: frozenset[str] = NOBODY) -> Ruling:
        """Whether this person may ask for such an action; the bot may suggest whatever some rule covers."""
        rule = self.rule_for(action.kind, service, action.environment)
        if rule is None:
            return no_rule(action)
        if action.claim is Claim.BREAK_GLASS:
            return self._may_break(person, action, rule, chat)
        if person == BOT or self.is_in(person, rule.request, chat):
            return Ruling(True, rule.name, f'{spelt(rule.request)} may ask for {such(action)} (rule "{rule.name}")')
        reason = f"Only {spelt(rule.request)} may ask for {such(action)}"
        return Ruling(False, rule.name, reason, self.members(rule.request), "Ask one of them to ask for it.")

    def _may_break(self, person: str, action: Action, rule: Rule, chat: frozenset[str]) -> Ruling:
        if self.may_break_glass(person, chat):
            return Ruling(True, rule.name, f"{person} may break the glass; the owner is paged and the digest tells")
        able = self.glass_breakers()
        named = "Only those whom break_glass in policies.yaml names" if able or self._file.break_glass.groups else "Nobody"
        return Ruling(False, rule.name, f"{named} may break the glass for {such(action)}", able, "Ask without it.")

    def counts(self, person: str, action: Action, service: Service, chat: frozenset[str] = NOBODY) -> Ruling:
        """Whether an approval of this person's is worth something for this action; the bot's never is."""
        rule = self.rule_for(action.kind, service, action.environment)
        if rule is None:
            return no_rule(action)
        mine = person == action.requested_by
        if mine and action.claim is Claim.BREAK_GLASS and self.may_break_glass(person, chat):
            return Ruling(True, rule.name, f"{person} may break the glass and approve it alone")
        others = tuple(u for u in self.members(rule.approve) if rule.self_approval or u != action.requested_by)
        if not self.is_in(person, rule.approve, chat):
            return Ruling(False, rule.name, f"Only {spelt(rule.approve)} may approve {such(action)}", others, "Ask one of them.")
        if action.step and action.requested_by == BOT and (refused := self._one_press(person, rule, chat)):
            return Ruling(False, rule.name, refused, others, "Ask for a plan of your own; others approve it.")
        if mine and not rule.self_approval:
            reason = f'Whoever asked may not approve it too (rule "{rule.name}")'
            return Ruling(False, rule.name, f"{reason}; another of {spelt(rule.approve)} can", others)
        return Ruling(True, rule.name, f'{spelt(rule.approve)} may approve {such(action)} (rule "{rule.name}")')

    def _one_press(self, person: str, rule: Rule, chat: frozenset[str]) -> str:
        """Why one press of this person may not ask for a step that the bot planned and approve it too; "" if it may."""
        if not (rule.one_click or rule.self_approval):
            return f'Nobody may ask and approve by one press here (rule "{rule.name}" has neither one_click nor self_approval)'
        if not self.is_in(person, rule.request, chat):
            return f"One press asks and approves, and only {spelt(rule.request)} may ask"
        return ""

    def may_approve(self, person: str, action: Action, service: Service, chat: frozenset[str] = NOBODY) -> Ruling:
        """Whether this person's approval counts for this action now; nobody's counts twice."""
        ruling = self.counts(person, action, service, chat)
        rule = self.rule_for(action.kind, service, action.environment)
        if not ruling.allowed or rule is None or not any(d.by == person and d.approved for d in action.decisions):
            return ruling
        said = {d.by for d in action.decisions}
        left = tuple(u for u in self.members(rule.approve) if u not in said and (rule.self_approval or u != action.requested_by))
        return Ruling(False, rule.name, f"You approved already; {action.approvals_needed} people must", left)

    def needed(self, action: Action, service: Service, chat: frozenset[str] = NOBODY) -> int:
        """How many people must approve; `chat` are the user groups of whoever asked. One where the glass is broken."""
        rule = self.rule_for(action.kind, service, action.environment)
        if rule is None:
            return action.approvals_needed
        if action.claim is Claim.BREAK_GLASS and self.may_break_glass(action.requested_by, chat):
            return 1
        return rule.needed(action.plan.risk if action.plan else Risk.LOW)

    def may_reject(self, person: str, action: Action, service: Service, chat: frozenset[str] = NOBODY) -> Ruling:
        """Whether this person may stop it: who asked may withdraw, who may ask or approve may say no."""
        rule = self.rule_for(action.kind, service, action.environment)
        if rule is None:
            return no_rule(action)
        groups = tuple(dict.fromkeys((*rule.request, *rule.approve)))
        asked = bool(person) and person == action.requested_by
        if asked or self.is_in(person, groups, chat):
            return Ruling(True, rule.name, f'may reject {such(action)} (rule "{rule.name}")')
        return Ruling(False, rule.name, f"Only {spelt(groups)} may reject {such(action)}", self.members(groups))

    def may_cancel(self, person: str, action: Action, service: Service, chat: frozenset[str] = NOBODY) -> Ruling:
        """Whether this person may have it stopped: who asked, who may say no to it, and who may break the glass."""
        if person and person in (action.requested_by, action.on_behalf_of):
            return Ruling(True, action.policy, "whoever asked may cancel it")
        if self.may_break_glass(person, chat):
            return Ruling(True, action.policy, "those who may break the glass may cancel anything")
        ruling = self.may_reject(person, action, service, chat)
        return replace(ruling, reason=ruling.reason.replace("may reject", "may cancel"))

    def may_settle(self, person: str, action: Action, service: Service, chat: frozenset[str] = NOBODY) -> Ruling:
        """Whether this person may say what became of an uncertain action: whoever may approve, who approved it included."""
        rule = self.rule_for(action.kind, service, action.environment)
        if rule is None:
            return no_rule(action)
        if self.is_in(person, rule.approve, chat):
            return Ruling(True, rule.name, f'{spelt(rule.approve)} may settle {such(action)} (rule "{rule.name}")')
        only = f"Only {spelt(rule.approve)} may say what became of {such(action)}"
        return Ruling(False, rule.name, only, self.members(rule.approve))


def _chat_group(entry: str) -> str:
    """What the chat calls the user group that an entry names, "S0ONCALL" or "oncall"; "" if the entry is a person."""
    if entry.startswith("@"):
        return entry[1:]
    found = _GROUP_ID.fullmatch(entry)
    return found[1] if found else ""


def such(action: Action) -> str:
    """Actions like this one, for people: "production deploys"."""
    return f"{action.environment} {action.kind.value}s"


def spelt(groups: tuple[str, ...]) -> str:
    """Groups, for people."""
    return ANYONE if ANYONE in groups else " and ".join(groups) or "nobody"


def no_rule(action: Action) -> Ruling:
    """The answer where the file says nothing."""
    return Ruling(False, "", f"No rule of policies.yaml allows {such(action)} of {action.service}; add one to allow it")
