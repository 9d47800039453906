"""When telemetry itself dates a change: starts that fail since a rollout, a steady growth that began with it.

That something was shipped shortly before it hurt says nothing, as innocent changes do the same; a date of another kind does.
It speaks of deployments: the points are shared by all changes (`rivals`) of which the same could be said.
"""

from collections.abc import Sequence
from datetime import timedelta

from bot.domain.change import ChangeKind
from bot.domain.evidence import EvidenceKind, Fact
from bot.investigation.exhibits import Exhibits
from bot.investigation.nature import harmless
from bot.investigation.picture import Picture
from bot.investigation.shipments import Shipment, known
from bot.investigation.symptoms import TELEMETRY_KINDS
from bot.investigation.vocabulary import Kind
from bot.investigation.wording import clock, plain
from bot.signals.direction import counts_traffic
from bot.signals.figures import figure, name_of
from bot.signals.ramps import Ramp

STARTS = timedelta(minutes=5)  # within this long after a rollout (or three samples) its processes have started, or failed to
EARLY = timedelta(minutes=1)  # a deployment may be reported this long after it began to serve
AT_ONCE = timedelta(seconds=30)
_AT_ONCE = frozenset({ChangeKind.FLAG, ChangeKind.CONFIG})
SWITCHED = 1.0
STARTING = 1.5
GROWING = 2.5


def movers(every: Sequence[Shipment]) -> tuple[Shipment, ...]:
    """The changes that are known to have been shipped and may have done anything."""
    return tuple(s for s in every if s.at and known(s) and not harmless(s.text, s.title))


def not_started(shipment: Shipment, picture: Picture, rivals: Sequence[Shipment], exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points if what was rolled out does not start, or does not stay up, from the rollout on."""
    if shipment.at is None or not known(shipment):
        return 0.0
    late = max(3 * picture.step, STARTS)
    for sign in picture.signs:
        down = Kind.STARTUP in sign.kinds or (sign.what is EvidenceKind.EVENT and Kind.MEMORY in sign.kinds)
        here = down and sign.service in shipment.services and sign.what in TELEMETRY_KINDS
        if here and sign.at and shipment.at - EARLY <= sign.at <= shipment.at + late:
            text = f"{sign.service} does not stay up since {clock(sign.at, picture.step)}, right after this was rolled out"
            others = [r for r in rivals if sign.service in r.services and r.at and sign.at - late <= r.at <= sign.at + EARLY]
            points = STARTING / max(len(others), 1)
            facts.append(Fact(text, round(points, 3), (sign.cite(exhibits),), "not_started"))
            return points
    return 0.0


def switched(shipment: Shipment, picture: Picture, exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points if it began at the very moment at which a switch was turned, which acts at once."""
    change = shipment.change
    if change is None or shipment.at is None or change.kind not in _AT_ONCE:
        return 0.0
    hurt = [s for s in picture.signs if s.at and s.about in shipment.services and s.what in TELEMETRY_KINDS]
    near = max(2 * picture.step, AT_ONCE)
    first = min(hurt, key=lambda s: s.at or picture.onset, default=None)
    if first is None or first.at is None or not -picture.step <= first.at - shipment.at <= near:
        return 0.0
    text = f"{first.service} is in trouble since {clock(first.at, picture.step)}, when this was switched"
    facts.append(Fact(text, SWITCHED, (first.cite(exhibits),), "switched"))
    return SWITCHED


def growing_since(
    shipment: Shipment, picture: Picture, rivals: Sequence[Shipment], exhibits: Exhibits, facts: list[Fact]
) -> float:
    """Points if something that the service uses up began to grow steadily just when this was rolled out, and traffic did not."""
    if shipment.at is None or not known(shipment):
        return 0.0
    busier = {d.service for d in picture.deviations if counts_traffic(d.metric) and d.rising}
    for ramp in picture.ramps:
        if not _begins(ramp, shipment) or ramp.service not in shipment.services or ramp.service in busier:
            continue
        told = f"{name_of(ramp.metric)} grew steadily from {figure(ramp.low, ramp.metric)} to {figure(ramp.high, ramp.metric)}"
        text = f"{told} since about {clock(ramp.at)}, when this was rolled out"
        cite = exhibits.cite(EvidenceKind.METRIC, f"{ramp.service}: {text}", "metrics", at=ramp.at, service=ramp.service)
        others = [r for r in rivals if ramp.service in r.services and _begins(ramp, r)]
        points = GROWING / max(len(others), 1)
        facts.append(Fact(text, round(points, 3), (cite,), "growing_since"))
        return points
    return 0.0


def _begins(ramp: Ramp, shipment: Shipment) -> bool:
    return shipment.at is not None and -max(ramp.about, EARLY) <= ramp.at - shipment.at <= ramp.about


def when_shipped(shipment: Shipment, picture: Picture, exhibits: Exhibits, facts: list[Fact]) -> None:
    """Time gives no points; shipping after the first deviation, or very long ago, takes some."""
    if shipment.at is None:
        return
    version, checks = (shipment.change.version, shipment.change.failing_checks) if shipment.change else ("", "")
    remark = f"; shipped {plain(checks, 160)}" if checks else ""
    cite = exhibits.cite(
        EvidenceKind.CHANGE,
        f"{'/'.join(shipment.services) or 'a change'} {version}: {plain(shipment.title, 120)}{remark}",
        shipment.change.connector if shipment.change else "commit",
        at=shipment.at,
        service=shipment.services[0] if shipment.services else "",
        link=shipment.change.url if shipment.change else "",
    )
    when = f"shipped {clock(shipment.at, picture.step)}, onset {clock(picture.onset, picture.step)}"
    if shipment.at > picture.earliest + 2 * picture.step:
        facts.append(Fact(f"{when}, but something deviated before", -1.5, (cite,), "after_earliest"))
    elif picture.onset - shipment.at > timedelta(hours=24):
        facts.append(Fact(f"{when}, more than a day later", -1.0, (cite,), "long_ago"))
    else:
        facts.append(Fact(when, 0.0, (cite,), "shipped"))
    if checks:
        facts.append(Fact(f"shipped {plain(checks, 160)}", 0.0, (cite,), "failing_checks"))
