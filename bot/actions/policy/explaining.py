"""Which rule decides and why each other one does not, what stands in the way, and what comes of it: line by line."""

from bot.actions.policy.deciding import Moment, World, barriers, decide
from bot.actions.policy.file import Rule, WayBack
from bot.actions.policy.rules import BOT, Policies, Ruling, spelt
from bot.domain.action import Action, ActionKind, Claim


def explained(action: Action, person: str, world: World) -> tuple[str, ...]:
    """How the policy judges this person and such an action now; with person "" only the rules are told."""
    rule = world.policies.rule_for(action.kind, world.service, action.environment)
    lines = [f"{action.kind.value} of {world.service.name} in {action.environment}, at {world.now:%Y-%m-%d %H:%M} UTC"]
    lines += _tried(action, rule, world)
    if rule is None:
        return (*lines, "no rule matches: refused")
    for barrier in barriers(action, rule, world):
        until = f" until {barrier.until:%Y-%m-%d %H:%M %Z}" if barrier.until else ""
        state = (
            f"let through, {barrier.passed}" if barrier.passed else f"stands{until}; {spelt(barrier.override)} may override it"
        )
        lines.append(f"{barrier.name}: {barrier.reason}: {state}")
    for freeze in world.policies.freezes:
        misses = freeze.misses(action.kind, world.service, action.environment)
        if misses or freeze.until(world.now) is None:
            lines.append(f"freeze {freeze.name}: no, {misses or 'it is not on now'}")
    if person:
        lines += _person(action, person, world)
    return tuple(lines)


def _tried(action: Action, decides: Rule | None, world: World) -> list[str]:
    lines: list[str] = []
    first = f"{decides.name} comes first" if decides else ""
    for number, rule in enumerate(world.policies.rules, start=1):
        misses = rule.misses(action.kind, world.service, action.environment)
        if rule is decides:
            lines += [f"{number}. {rule.name}: decides", *(f"   {line}" for line in _says(rule, world.policies))]
        else:
            lines.append(f"{number}. {rule.name}: no, {misses or first}")
    return lines


def _says(rule: Rule, policies: Policies) -> list[str]:
    risky = ", ".join(f"{risk.value} risk: {count}" for risk, count in rule.approvals_by_risk.items())
    asker = "may" if rule.self_approval else "may not"
    where = [f"asked for in: {', '.join(rule.channels)}"] if rule.channels else []
    return [
        f"may ask: {_with_ids(rule.request, policies)}",
        *where,
        f"may approve: {_with_ids(rule.approve, policies)}",
        f"approvals: {rule.approvals}{f' ({risky})' if risky else ''}; whoever asked {asker} approve",
        *_checks(rule),
        f"waits: {rule.expires_minutes} min",
        _back(rule),
        *_press(rule),
    ]


def _checks(rule: Rule) -> list[str]:
    if not rule.required_checks:
        return []
    what = "rollbacks" if rule.actions == (ActionKind.ROLLBACK,) else "deploys"
    may = spelt(rule.approve if rule.checks_override is None else rule.checks_override)
    return [f"required checks of {what}: {', '.join(rule.required_checks)}; {may} may override them"]


def _back(rule: Rule) -> str:
    if rule.way_back is WayBack.TAKE:
        return "made things worse: the way back is taken at once, once an hour at most, approved by this rule"
    return "made things worse: the way back is offered"


def _press(rule: Rule) -> list[str]:
    able = rule.one_click or rule.self_approval
    return ["a runbook's step that the bot planned: one press of whoever may ask and approve starts it"] if able else []


def _person(action: Action, person: str, world: World) -> list[str]:
    own = action if action.requested_by == person else None
    others = BOT if own else action.requested_by
    lines = [f"{person} asks: {_told(decide(action, person, Moment.REQUEST, world))}"]
    theirs = Action(
        action.id, action.kind, action.service, action.environment, action.target, action.status, others, world.now, world.now
    )
    lines.append(f"{person} approves what another asked for: {_told(decide(theirs, person, Moment.APPROVAL, world))}")
    if own:
        lines.append(f"{person} approves what they asked for: {_told(decide(own, person, Moment.APPROVAL, world))}")
    glass = "may" if world.policies.may_break_glass(person, world.groups_of(person)) else "may not"
    lines.append(f"{person} {glass} break the glass" + (" (claimed)" if action.claim is Claim.BREAK_GLASS else ""))
    return lines


def _told(ruling: Ruling) -> str:
    by = f' (rule "{ruling.rule}")' if ruling.rule and "(rule " not in ruling.reason else ""
    who = f" Who could: {', '.join(ruling.who)}." if ruling.who and not ruling.allowed else ""
    advice = f" {ruling.advice}" if ruling.advice else ""
    return f"{'yes' if ruling.allowed else 'no'}, {ruling.reason}{by}.{who}{advice}"


def _with_ids(groups: tuple[str, ...], policies: Policies) -> str:
    ids = policies.listed(groups)
    return f"{spelt(groups)} ({', '.join(ids)})" if ids else spelt(groups)
