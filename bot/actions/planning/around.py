"""What else goes on around the service: open incidents, deployments and locks of it and of its neighbours in the graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.domain.action import Action
from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.incident import Incident
from bot.domain.lock import Lock
from bot.domain.service import Catalogue, Service
from bot.domain.watch import Bake
from bot.redact import clean, redact
from bot.topology.impact import reach

UNHEARD = timedelta(hours=2)  # a deployment whose end nobody told of for so long has ended
NOT_SHIPPING = (ChangeKind.COMMIT, ChangeKind.BUILD)
NAMED = 3  # critical services named beside the count


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else goes on: other actions that have not ended, live incidents, deployments that settle in, locks held."""

    unfinished: tuple[Action, ...] = ()
    incidents: tuple[Incident, ...] = ()
    bakes: tuple[Bake, ...] = ()
    locks: tuple[Lock, ...] = ()


@dataclass(frozen=True, slots=True)
class Vicinity:
    """What goes on at the service itself and at its neighbours, each a line for people."""

    own_incidents: tuple[Incident, ...] = ()  # but the one that the action is for
    nearby: tuple[str, ...] = ()
    hurt_neighbours: tuple[str, ...] = ()  # the names of neighbours with an open incident
    running: tuple[str, ...] = ()
    own_running: bool = False  # one of `running` is of the service itself
    warnings: tuple[str, ...] = ()
    named: tuple[str, ...] = ()  # the Slack user ids in the lines


def look_around(
    action: Action, service: Service, catalogue: Catalogue, changes: Sequence[Change], around: Surroundings, now: datetime
) -> Vicinity:
    """What else is to be known before this action; only of its environment."""
    near = neighbours(service, catalogue)
    here = [i for i in around.incidents if i.live and i.environment == action.environment and i.id != action.incident_id]
    own = tuple(i for i in here if service.name in i.services)
    beside = [(i, next((s for s in i.services if s in near), "")) for i in here if i not in own]
    lines = [_incident(i, "this service") for i in own]
    lines += [_incident(i, f"{name}, {near[name]}") for i, name in beside if name]
    running = _running(action, service, near, changes, now)
    locks = [lock for lock in around.locks if lock.service in near and lock.environment == action.environment and lock.held(now)]
    return Vicinity(
        own_incidents=own,
        nearby=tuple(lines),
        hurt_neighbours=tuple(dict.fromkeys(name for _, name in beside if name)),
        running=tuple(_deployment(c, named, near, now) for c, named in running),
        own_running=any(named == service.name for _, named in running),
        warnings=(
            *(
                _settling(b)
                for b in around.bakes
                if (b.service, b.environment) == (service.name, action.environment) and b.active
            ),
            *(f"{k.service}, {near[k.service]}, is locked by {k.owner}: {_plain(k.reason)}." for k in locks),
        ),
        named=tuple(k.owner for k in locks),
    )


def neighbours(service: Service, catalogue: Catalogue) -> Mapping[str, str]:
    """The services one call away, declared or learned, each with how it stands to this one."""
    graph = catalogue.whole
    found = {name: f"which calls {service.name}" for name in graph.callers(service.name)}
    for name in graph.callees(service.name):
        found[name] = f"which {service.name} calls and is called by" if name in found else f"which {service.name} calls"
    found.pop(service.name, None)
    return found


def reached(service: Service, catalogue: Catalogue) -> str:
    """Whom the service's trouble may reach: "12 services within two hops, 3 of tier 1 (checkout, cart and storefront)"."""
    found = reach(catalogue, [service.name])
    names = [d.name for d in found.critical[:NAMED]]
    more = f" and {len(found.critical) - NAMED} more" if len(found.critical) > NAMED else ""
    return f"{found.sentence} ({', '.join(names)}{more})" if names else found.sentence


def _incident(incident: Incident, where: str) -> str:
    return f"{incident.key} ({incident.severity.value}) is open on {where}: {_plain(incident.title)}"


def _running(
    action: Action, service: Service, near: Mapping[str, str], changes: Sequence[Change], now: datetime
) -> list[tuple[Change, str]]:
    """The deployments that began and have not ended, each with the service it is near by; the newest report of each counts."""
    found: list[tuple[Change, str]] = []
    for change in changes:
        began = change.status is ChangeStatus.RUNNING and change.kind not in NOT_SHIPPING and now - change.at < UNHEARD
        if not began or change.environment not in ("", action.environment) or _over(change, changes):
            continue
        names = [s for s in change.services if s == service.name] or [s for s in change.services if s in near]
        found += [(change, names[0])] if names else []
    return found


def _over(change: Change, changes: Sequence[Change]) -> bool:
    """Another sender told of the end of the same deployment."""
    ended = (c for c in changes if c.status in (ChangeStatus.SUCCEEDED, ChangeStatus.FAILED) and c.at >= change.at)
    return any(c.version == change.version and set(c.services) & set(change.services) for c in ended if c.version)


def _deployment(change: Change, name: str, near: Mapping[str, str], now: datetime) -> str:
    what = f"{change.kind.value} of {name}" + (f" {change.version}" if change.version else "")
    by = f" by {change.author}" if change.author else ""
    minutes = int((now - change.at).total_seconds() // 60)
    beside = f", {near[name]}" if name in near else ""
    return _plain(f"{what}{beside}, began {minutes} min ago{by} ({change.connector}) and has not ended")


def _settling(bake: Bake) -> str:
    worse = f"; worse so far: {', '.join(bake.hits[:3])}" if bake.hits else ""
    return _plain(f"{bake.what} is watched until {bake.ends_at.astimezone(UTC):%H:%M} UTC, as it was just deployed{worse}.")


def _plain(text: str) -> str:
    return redact(clean(text))[:200]
