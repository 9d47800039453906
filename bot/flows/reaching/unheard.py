"""What cleared while its vendor kept silent about it: a vendor that is told to be silent does not say that an alert is over."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.alert import Alert, fingerprint
from bot.domain.incident import Incident
from bot.flows.alerts import on_alerts
from bot.flows.desk import Desk
from bot.ports import SilenceSource, Transaction

MOST_EVENTS = 5000  # of an incident, looked through for the alerts that fire


async def cleared_unheard(connector: str, source: SilenceSource, desk: Desk) -> None:
    """Silenced alerts that no longer fire at the vendor have cleared here too. Raises Unavailable."""
    quiet = await desk.db.read(lambda tx: _kept_silent(tx, connector, desk))
    firing = await source.firing() if quiet else None
    if firing is None:
        return
    gone = [alert for alert in quiet if alert.ref not in firing]
    if gone:
        await desk.db.write(lambda tx: _clear(tx, connector, gone, desk))


def _clear(tx: Transaction, connector: str, gone: Sequence[Alert], desk: Desk) -> None:
    """Those that still fire here: a delivery may have come since they were looked up."""
    still = {alert.ref: alert for alert in _kept_silent(tx, connector, desk)}
    now = desk.clock()
    over = [replace(alert, resolved=True, ended_at=now) for alert in gone if still.get(alert.ref) == alert]
    if over:
        on_alerts(tx, over, desk)


def _kept_silent(tx: Transaction, connector: str, desk: Desk) -> list[Alert]:
    """The vendor's alerts that fire here, in problems that are silenced or were until a moment ago."""
    found: list[Alert] = []
    for incident in desk.incidents.live(tx):
        silenced = {
            m.fingerprint
            for m in incident.members
            if m.connector == connector and m.firing and _silent(incident, m.silenced_until)
        }
        if not silenced:
            continue
        latest = {e.ref: e for e in desk.alerts.events(tx, incident.id, MOST_EVENTS) if e.ref and fingerprint(e) in silenced}
        found += [event for event in latest.values() if not event.resolved]
    return found


def _silent(incident: Incident, until: object) -> bool:
    return until is not None or incident.silenced_until is not None
