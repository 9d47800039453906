"""How far the bot may go with a step now. Every condition is looked at; one that does not hold costs a degree and says why."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.actions.policy import Automation, DegreeRule, Policies, Rule
from bot.domain.action import Action, ActionStatus, Risk
from bot.domain.automation import ORDER, Condition, Degree, Missing, Ruled, TypedStep
from bot.domain.evidence import Verdict
from bot.domain.service import Service
from bot.topology.impact import CRITICAL, Reach

RISKS = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)
DID_NO_GOOD = (ActionStatus.FAILED, ActionStatus.ROLLED_BACK, ActionStatus.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for a step on a service: `automation` of policies.yaml, with what its degree says of its own."""

    confirmed: int
    per_day: int
    per_hour: int
    reach: int
    tier_1: int
    risk: Risk


@dataclass(frozen=True, slots=True)
class Facts:
    """What a ruling looks at, as it is now, from what is stored; counts are of actions and incidents that are kept.

    `rule` is the one of policies.yaml that decides about the action, `standing` why it may not happen now ("" if it may).
    `plan` is the action that the bot planned for the incident, None while it planned none. `guilty` is the version that the
    diagnosis convicts on this service, "" where it convicts none there.
    """

    service: Service
    verdict: Verdict
    rule: Rule | None
    standing: str
    reach: Reach
    guilty: str
    switched_off: bool = False
    confirmed: tuple[str, ...] = ()  # keys of the incidents in which people approved it and it helped
    last: Action | None = None  # the newest that ran
    today: int = 0
    this_hour: int = 0
    near: tuple[str, ...] = ()  # services near this one on which something automatic is under way
    busy: str = ""  # what is under way on the service itself
    plan: Action | None = None


def wanted_by(step: TypedStep, service: Service, environment: str, policies: Policies) -> DegreeRule | None:
    """The first entry of `automation.degrees` that speaks about this step on this service, or None: it is suggested."""
    degrees = policies.file.automation.degrees
    return next((d for d in degrees if d.speaks_of(step.label, step.kind, service, environment)), None)


def limits_of(rules: Automation, own: DegreeRule | None) -> Limits:
    """The limits of `automation`, where the degree says nothing else."""
    given = own or DegreeRule(name="none", degree=Degree.SUGGEST)
    return Limits(
        confirmed=rules.confirmed if given.confirmed is None else given.confirmed,
        per_day=rules.per_day if given.per_day is None else given.per_day,
        per_hour=rules.per_hour,
        reach=rules.reach if given.reach is None else given.reach,
        tier_1=rules.tier_1 if given.tier_1 is None else given.tier_1,
        risk=rules.risk if given.risk is None else given.risk,
    )


def rule_degree(own: DegreeRule | None, facts: Facts, limits: Limits) -> Ruled:
    """The highest degree, up to the wanted one, of which nothing is missing; each refusal falls back one degree."""
    wanted = own.degree if own else Degree.SUGGEST
    asked = ORDER[1 : ORDER.index(wanted) + 1]
    missing = tuple(m for m in _missing(facts, limits) if m.degree in asked)
    denied = {m.degree for m in missing}
    degree = next((d for d in reversed(asked) if d not in denied), Degree.SUGGEST)
    return Ruled(wanted, degree, missing, own.name if own else "")


def _missing(facts: Facts, limits: Limits) -> Iterator[Missing]:
    for condition, why in _for_both(facts):
        yield Missing(condition, Degree.AUTOMATIC, why)
        yield Missing(condition, Degree.ONE_CLICK, why)
    yield from (Missing(condition, Degree.ONE_CLICK, why) for condition, why in _for_one_click(facts))
    yield from (Missing(condition, Degree.AUTOMATIC, why) for condition, why in _for_automatic(facts, limits))


def _for_both(facts: Facts) -> Iterator[tuple[Condition, str]]:
    if facts.switched_off:
        yield Condition.SWITCH, "automation is switched off"
    if facts.verdict is not Verdict.CONVICTED:
        yield Condition.VERDICT, f"the verdict is {facts.verdict.value}, not convicted"
    if facts.rule is None:
        yield Condition.RULE, f"no rule of policies.yaml allows such actions of {facts.service.name}"
    if facts.standing:
        yield Condition.GUARD, facts.standing
    if facts.busy:
        yield Condition.ALONE, facts.busy
    if facts.plan is not None and facts.plan.ended:
        yield Condition.ONCE, f"it was tried in this incident already: {facts.plan.status.value}"


def _for_one_click(facts: Facts) -> Iterator[tuple[Condition, str]]:
    rule = facts.rule
    if rule is None:
        return
    if not (rule.self_approval or rule.one_click):
        yield Condition.ONE_PRESS, f'rule "{rule.name}" has neither one_click nor self_approval'
    needed = rule.needed(facts.plan.plan.risk if facts.plan and facts.plan.plan else Risk.LOW)
    if needed > 1:
        yield Condition.APPROVALS, f'rule "{rule.name}" wants {needed} people'


def _for_automatic(facts: Facts, limits: Limits) -> Iterator[tuple[Condition, str]]:
    count, last = len(facts.confirmed), facts.last
    if count < limits.confirmed:
        yield Condition.CONFIRMED, f"confirmed by {count} of {limits.confirmed} incidents on {facts.service.name}"
    if last is not None and last.status in DID_NO_GOOD:
        yield Condition.LAST_RUN, f"its last run on {facts.service.name} is {last.status.value}"
    yield from _of_the_plan(facts, limits)
    if facts.today >= limits.per_day:
        yield Condition.PER_DAY, f"it ran by itself {facts.today} of {limits.per_day} times in 24 hours on {facts.service.name}"
    if facts.this_hour >= limits.per_hour:
        yield Condition.PER_HOUR, f"{facts.this_hour} of {limits.per_hour} automatic actions in an hour are used up"
    if len(facts.reach.dependants) > limits.reach:
        yield Condition.REACH, f"{facts.reach.sentence}: more than {limits.reach}"
    critical = len(facts.reach.critical) + (facts.service.tier == CRITICAL)
    if critical > limits.tier_1:
        yield Condition.TIER_1, f"{critical} of tier {CRITICAL} would feel it: more than {limits.tier_1}"
    if facts.near:
        yield Condition.NEIGHBOURS, f"something automatic is under way on {', '.join(facts.near[:3])}"


def _of_the_plan(facts: Facts, limits: Limits) -> Iterator[tuple[Condition, str]]:
    """What runs must be what is convicted, and the plan no riskier than wanted; without a plan the risk is not known yet."""
    if not facts.guilty:
        yield Condition.STILL_GUILTY, f"no version of {facts.service.name} is convicted"
    plan = facts.plan.plan if facts.plan else None
    if plan is None:
        return
    if facts.guilty and plan.current_version != facts.guilty:
        yield Condition.STILL_GUILTY, f"{plan.current_version} runs, not the convicted {facts.guilty}"
    if RISKS.index(plan.risk) > RISKS.index(limits.risk):
        yield Condition.RISK, f"the plan's risk is {plan.risk.value}, not {limits.risk.value} at most"
