"""When telemetry itself dates a change: starts that fail since a rollout, a steady growth that began with it.

That something was shipped shortly before it hurt says nothing, as innocent changes do the same; a date of another kind does.
"""

from datetime import timedelta

from bot.domain.evidence import EvidenceKind, Fact
from bot.investigation.exhibits import Exhibits
from bot.investigation.picture import Picture
from bot.investigation.shipments import Shipment, known
from bot.investigation.symptoms import TELEMETRY_KINDS
from bot.investigation.vocabulary import Kind
from bot.investigation.wording import clock, figure, name_of
from bot.signals.direction import counts_traffic

STARTS = timedelta(minutes=5)  # within this long after a rollout (or three samples) its processes have started, or failed to
EARLY = timedelta(minutes=1)  # a deployment may be reported this long after it began to serve
STARTING = 1.5
GROWING = 2.5


def not_started(shipment: Shipment, picture: Picture, exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points if what was rolled out does not start, or does not stay up, from the rollout on."""
    if shipment.at is None or not known(shipment):
        return 0.0
    late = max(3 * picture.step, STARTS)
    for sign in picture.signs:
        here = sign.service in shipment.services and Kind.STARTUP in sign.kinds and sign.what in TELEMETRY_KINDS
        if here and sign.at and shipment.at - EARLY <= sign.at <= shipment.at + late:
            text = f"{sign.service} does not stay up since {clock(sign.at, picture.step)}, right after this was rolled out"
            facts.append(Fact(text, STARTING, (sign.cite(exhibits),), "not_started"))
            return STARTING
    return 0.0


def growing_since(shipment: Shipment, picture: Picture, exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points if something that the service uses up began to grow steadily just when this was rolled out, and traffic did not."""
    if shipment.at is None or not known(shipment):
        return 0.0
    busier = {d.service for d in picture.deviations if counts_traffic(d.metric) and d.rising}
    for ramp in picture.ramps:
        fits = -max(ramp.about, EARLY) <= ramp.at - shipment.at <= ramp.about
        if not fits or ramp.service not in shipment.services or ramp.service in busier:
            continue
        told = f"{name_of(ramp.metric)} grew steadily from {figure(ramp.low, ramp.metric)} to {figure(ramp.high, ramp.metric)}"
        text = f"{told} since about {clock(ramp.at)}, when this was rolled out"
        cite = exhibits.cite(EvidenceKind.METRIC, f"{ramp.service}: {text}", "metrics", at=ramp.at, service=ramp.service)
        facts.append(Fact(text, GROWING, (cite,), "growing_since"))
        return GROWING
    return 0.0
