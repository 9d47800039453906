"""Did it help? The version that runs is asked, the alerts and metrics that motivated it are watched, for a limited time."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.actions.effect import said
from bot.actions.execute import Step
from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.change import Change, Version
from bot.domain.incident import Incident, Member
from bot.domain.verification import Judgement, Verification
from bot.domain.watch import Sort

WORSE_AFTER = timedelta(seconds=30)  # what begins to fire after an action may settle for so long
UNSEEN = Verification()
FIRST_WAIT, SLOWEST_WAIT = 1.0, 5.0  # seconds between two looks, growing


def wait_before(look: int) -> timedelta:
    """How long to wait before this look."""
    return timedelta(seconds=min(SLOWEST_WAIT, FIRST_WAIT * 1.2 ** min(look, 40)))


def still_firing(action: Action, incident: Incident | None, live: tuple[Incident, ...]) -> tuple[str, ...]:
    """The alerts that should clear and have not: those of the incident, else those on the service.

    What was said of the deployment that the action replaced is none: it stays for hours, whatever runs now.
    """
    if incident is not None:
        return tuple(f"{m.name} on {m.service}" for m in incident.members if m.firing and not of_the_old(m, action))
    here = [i for i in live if i.environment == action.environment]
    mine = [m for i in here for m in i.members if m.firing and m.service == action.service and not of_the_old(m, action)]
    return tuple(f"{m.name} on {m.service}" for m in mine)


def of_the_old(member: Member, action: Action) -> bool:
    """The bot's own word that what the action replaced is suspect; that of the target itself comes later."""
    suspect = member.name == Sort.BAKE and member.service == action.service
    return suspect and member.joined_at <= action.updated_at


def in_effect(action: Action, changes: Iterable[Change]) -> datetime:
    """Since when the target runs: as its deployment was reported, at the latest when watching began.

    The deployer is only asked now and then, so what the action broke may fire before that.
    """
    where = (action.service, action.environment, action.target)
    told = [c.at for c in changes if c.shipped and any((s, c.environment, c.version) == where for s in c.services)]
    return min([action.updated_at, *(at for at in told if at >= _carried_out(action))])


def _carried_out(action: Action) -> datetime:
    """When the last approval came; what the target did on an earlier occasion says nothing. Vendors cut fractions of seconds."""
    return max([action.created_at, *(d.at for d in action.decisions if d.approved)]).replace(microsecond=0)


def begun_since(incident: Incident | None, since: datetime) -> tuple[str, ...]:
    """The alerts of the incident that fire and did not before."""
    members = incident.members if incident else ()
    return tuple(f"{m.name} on {m.service}" for m in members if m.firing and m.joined_at > since)


def begun_here(action: Action, live: tuple[Incident, ...], since: datetime) -> tuple[str, ...]:
    """The alerts on the action's own service that fire and did not before."""
    here = [i for i in live if i.environment == action.environment]
    mine = [m for i in here for m in i.members if m.service == action.service and m.firing and m.joined_at > since]
    return tuple(f"{m.name} on {m.service}" for m in mine)


def judge(
    action: Action,
    current: Version | None,
    firing: tuple[str, ...],
    now: datetime,
    watch: timedelta,
    limit: timedelta,
    begun: tuple[str, ...] = (),
    seen: Verification = UNSEEN,
) -> Step:
    """What is known so far; `current` None means that the deployer cannot be asked, `action.updated_at` is when watching began.

    `watch` is how long nothing may fire before that counts as good, `limit` how long is waited for it. `begun` are the
    alerts that did not fire before: people hear of those earlier. `seen` is what is known of the effect: worse by its metrics
    is worse after half the limit whatever the alerts say, and calm that was not measured yet waits for that.
    """
    spent = now - action.updated_at
    there = current is not None and current.version == action.target
    worse = there and seen.metrics is Judgement.WORSE
    if there and not firing and not worse and spent >= watch and not _untold(action, seen, spent, limit):
        return Step(ActionStatus.SUCCEEDED, _calm(action, seen, int(spent.total_seconds())))
    if there and begun and spent >= min(limit / 2, WORSE_AFTER):
        text = f"It made things worse: {action.target} runs, and since then fires what did not before: {_named(begun)}."
        return Step(ActionStatus.FAILED, f"{text} {_back(action)}")
    if worse and spent >= limit / 2:
        return Step(ActionStatus.FAILED, f"It made things worse: {action.target} runs; {said(seen, action)}. {_back(action)}")
    if spent < limit:
        return Step(None)
    waited = f"after {int(limit.total_seconds())} s"
    if current is None:
        return Step(
            ActionStatus.UNCERTAIN, f"The deployer cannot be asked what runs {waited}; look at {action.service} yourself."
        )
    if not there:
        text = f"The deployer says that it succeeded, but {current.version} runs in place of {action.target} {waited}."
        return Step(ActionStatus.FAILED, text)
    if not firing:  # the watch is longer than the limit: nothing fired all the time
        return Step(ActionStatus.SUCCEEDED, f"Verified: {action.target} runs and nothing fires {waited}.")
    if seen.metrics is Judgement.BETTER:  # alerts that look at long windows clear late
        text = f"It helped: {action.target} runs; {said(seen, action)}. These should clear now: {_named(firing)}."
        return Step(ActionStatus.SUCCEEDED, text)
    measured = f" Measured: {said(seen, action)}." if seen.measured else ""
    text = f"It did not help: {action.target} runs, but {waited} still fires: {_named(firing)}.{measured}"
    return Step(ActionStatus.FAILED, f"{text} {_back(action)}")


def _untold(action: Action, seen: Verification, spent: timedelta, limit: timedelta) -> bool:
    """The metrics may tell soon; with an incident people wait for the end of it, so that they wait half as long."""
    patience = limit / 2 if action.incident_id else limit
    return bool(seen.measured) and seen.metrics is Judgement.UNKNOWN and spent < patience


def _calm(action: Action, seen: Verification, seconds: int) -> str:
    if seen.metrics is not Judgement.UNKNOWN:
        return f"Verified: {action.target} runs ({seconds} s after); {said(seen, action)}."
    calm = "its alerts have cleared" if action.incident_id else f"no alert fires on {action.service}"
    return f"Verified: {action.target} runs and {calm} ({seconds} s after)."


def _named(alerts: tuple[str, ...]) -> str:
    return ", ".join(alerts[:3]) + (f" and {len(alerts) - 3} more" if len(alerts) > 3 else "")


def _back(action: Action) -> str:
    before = action.plan.current_version if action.plan else ""
    if not before:
        return ""
    command = "deploy" if action.kind is ActionKind.ROLLBACK else "rollback"
    return f"The way back: /{command} {action.service} {before} {action.environment}"
