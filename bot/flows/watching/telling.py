"""A warning is an alert of ours, of the lowest severity, and a note in the live incidents around it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.domain.alert import Alert, Severity, fingerprint
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.watch import CONNECTOR, Sort, Warned
from bot.flows.alerts import on_alerts
from bot.flows.announce import announce
from bot.flows.desk import Desk
from bot.ports import Transaction
from bot.redact import clean, redact

LONGEST = 400  # characters of a warning


def worded(text: str) -> str:
    """A text with names from outside as it may be shown."""
    return redact(clean(" ".join(text.split())))[:LONGEST]


def tell(tx: Transaction, warned: Sequence[Warned], desk: Desk) -> None:
    """They are kept, raised as alerts under the noise rules, and noted in live incidents of the service and its neighbours."""
    if not warned:
        return
    desk.noise.line(tx)
    desk.watches.warn(tx, warned)
    on_alerts(tx, [alert_of(one, desk) for one in warned], desk)
    live = desk.incidents.live(tx)
    for one in warned:
        mark = fingerprint(alert_of(one, desk))
        around = {one.service, *neighbours(one.service, desk)}
        for incident in live:
            member = any(m.fingerprint == mark for m in incident.members)
            if not member and incident.environment == one.environment and around & set(incident.services):
                note(tx, incident, one.text, desk)


def over(tx: Transaction, warned: Iterable[Warned], why: str, desk: Desk) -> None:
    """They are over: their alerts clear."""
    now = desk.clock()
    ended = [replace(one, ended_at=now, why_ended=why) for one in warned]
    if not ended:
        return
    desk.noise.line(tx)
    desk.watches.warn(tx, ended)
    on_alerts(tx, [alert_of(one, desk) for one in ended], desk)


def note(tx: Transaction, incident: Incident, text: str, desk: Desk) -> None:
    """A line in the incident's timeline; its card shows it."""
    desk.timeline.add(tx, [Entry(incident.id, desk.clock(), EntryKind.NOTE, text)])
    announce(tx, incident, desk)


def neighbours(service: str, desk: Desk) -> tuple[str, ...]:
    """The services of ours one call away, in either direction, declared or learned."""
    catalogue = desk.catalogue()
    graph, outside = catalogue.whole, catalogue.external
    return tuple(
        s for s in dict.fromkeys((*graph.callees(service), *graph.callers(service))) if s not in outside and s != service
    )


def alert_of(one: Warned, desk: Desk) -> Alert:
    """The warning as an alert; the same one tells of its end."""
    labels = {"service": one.service, "metric": one.metric, "severity": Severity.SEV4.value}
    if one.change_id:
        labels["change"] = one.change_id
    return Alert(
        connector=CONNECTOR,
        name=one.sort.value,
        service=one.service,
        environment=one.environment or desk.default_environment,
        severity=Severity.SEV4,
        resolved=one.ended_at is not None,
        started_at=one.at,
        ended_at=one.ended_at,
        summary=one.text,
        description=_ABOUT[one.sort],
        labels=labels,
        group={"metric": one.metric},
        service_from="Tocsin's own watch",
    )


_ABOUT = {
    Sort.ANOMALY: "Nobody set a limit on this metric; it left all that was seen of it before. `tocsin watch explain` says more.",
    Sort.FORECAST: "A straight line through the last two days; it is withdrawn when the trend ends.",
    Sort.BAKE: "Golden signals since the deployment, compared with the same span of time before it.",
}
