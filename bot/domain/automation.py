"""Automation by degrees: a typed step of a runbook, when it fits, and how far the bot may go with it by itself."""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.action import ActionKind
from bot.domain.evidence import Confidence, Remedy, Verdict

CONVICTED = "the convicted service"
ALERTING = "the alerting service"
PREVIOUS = "previous"


class Degree(StrEnum):
    """How far the bot goes with a step before a person does something."""

    SUGGEST = "suggest"  # it is shown; whoever presses gets a plan, which waits for approval as any other
    ONE_CLICK = "one click"  # the plan is made beforehand; one press of somebody who may approve starts it
    AUTOMATIC = "automatic"  # the bot starts it and tells people


ORDER = (Degree.SUGGEST, Degree.ONE_CLICK, Degree.AUTOMATIC)
SURER = (Confidence.WEAK, Confidence.LIKELY, Confidence.STRONG)


@dataclass(frozen=True, slots=True)
class When:
    """The conditions of a step, all of them typed: nothing here is read by a model or out of free text."""

    alerts: tuple[str, ...]  # names; one of the incident's alerts has one of them, in any spelling
    verdict: Verdict = Verdict.CONVICTED
    remedies: tuple[Remedy, ...] = (Remedy.ROLLBACK,)
    confidence: Confidence = Confidence.STRONG  # at least

    def sure_enough(self, confidence: Confidence) -> bool:
        """A diagnosis of this confidence is sure enough."""
        return SURER.index(confidence) >= SURER.index(self.confidence)


@dataclass(frozen=True, slots=True)
class TypedStep:
    """One action that a runbook's front matter describes. `service` is a name, CONVICTED or ALERTING, never a template.

    `target` is PREVIOUS or a version in which "*" stands for any characters. `stamp` changes with everything that the step
    says, so that what people confirmed of another wording counts for nothing.
    """

    document: str  # the page's id
    path: str
    title: str  # of the page
    link: str
    name: str
    kind: ActionKind
    service: str
    target: str
    environment: str  # "" is the incident's
    when: When
    line: int
    stamp: str

    @property
    def label(self) -> str:
        """How policies.yaml and people name it: "runbooks/payments/errors.md#rollback"."""
        return f"{self.path}#{self.name}"

    @property
    def id(self) -> str:
        """How `Action.step` names it: the label, and what it said then."""
        return f"{self.label}@{self.stamp}"


class Condition(StrEnum):
    """What a degree needs; the same word is in the audit, in tests and in `tocsin automation explain`."""

    SWITCH = "switch"
    RULE = "rule"
    GUARD = "guard"
    ALONE = "alone"
    ONCE = "once"
    VERDICT = "verdict"
    ONE_PRESS = "one press"
    APPROVALS = "approvals"
    CONFIRMED = "confirmed"
    LAST_RUN = "last run"
    RISK = "risk"
    STILL_GUILTY = "still guilty"
    PER_DAY = "per day"
    PER_HOUR = "per hour"
    REACH = "reach"
    TIER_1 = "tier 1"
    NEIGHBOURS = "neighbours"


@dataclass(frozen=True, slots=True)
class Missing:
    """A condition that does not hold, the degree that it denies, and why, for people, without a full stop."""

    condition: Condition
    degree: Degree
    why: str


@dataclass(frozen=True, slots=True)
class Ruled:
    """How far the bot may go with a step now: `wanted` by policies.yaml, `degree` after every condition was looked at."""

    wanted: Degree
    degree: Degree
    missing: tuple[Missing, ...] = ()
    rule: str = ""  # of `automation.degrees`, "" where none speaks about it

    @property
    def all_why(self) -> tuple[str, ...]:
        """What denies any degree, each sentence once."""
        return tuple(dict.fromkeys(m.why for m in self.missing))

    def why_not(self, degree: Degree) -> tuple[str, ...]:
        """What denies this degree, each sentence once."""
        return tuple(dict.fromkeys(m.why for m in self.missing if m.degree is degree))


@dataclass(frozen=True, slots=True)
class Offer:
    """A step that fits an incident, for its card. `plan` is the action that was planned for it beforehand, by its id."""

    step: TypedStep
    service: str
    environment: str
    tier: str  # how its page was found
    ruled: Ruled
    plan: str = ""
    target: str = ""  # the version of that plan

    @property
    def deed(self) -> str:
        """What would be done, for people: "roll back payments to the version before"."""
        if self.step.kind is ActionKind.ROLLBACK:
            to = "the version before" if self.step.target == PREVIOUS else f"the newest {self.step.target} that ran"
            return f"roll back {self.service} to {self.target or to}"
        return f"deploy {self.target or f'the newest {self.step.target}'} of {self.service}"
