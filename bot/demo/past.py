"""Past incidents of the shop, as the Markdown files that its people keep; dated relative to the demo's start."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.demo.history import RETRIES_RAISED_AGO


@dataclass(frozen=True, slots=True)
class PastIncident:
    """An incident that was resolved before the demo began."""

    id: str
    title: str
    severity: str
    services: tuple[str, ...]
    ago: timedelta
    lasted: timedelta
    cause: str
    change: str
    fix: str
    confirmed_by: str
    text: str


INCIDENTS = (
    PastIncident(
        "INC-17",
        "Payments retry storm",
        "SEV2",
        ("payments", "checkout", "storefront"),
        RETRIES_RAISED_AGO - timedelta(minutes=42),
        timedelta(minutes=29),
        "payments v38 raised the retries of the acmepay client from 2 to 8 and took the backoff away",
        "payments v38",
        "rolled back payments to v37",
        "olivia",
        """\
Checkout and storefront answered with errors first; payments alerted minutes later. Calls from payments to acmepay had
risen five-fold while the number of orders had not: every slow answer was tried again at once, which made acmepay
slower. Restarting payments did not help. The rollback to v37 did, within a minute.

What we learned: retries multiply load exactly when there is none to spare. Look at calls per request, not only at errors.
""",
    ),
    PastIncident(
        "INC-21",
        "AcmePay outage, charges fail",
        "SEV2",
        ("payments", "checkout"),
        timedelta(days=12, hours=3),
        timedelta(minutes=51),
        "acmepay lost its connection to the card network; no change of ours was involved",
        "none",
        "waited for acmepay; put a notice on the storefront",
        "priya",
        """\
All charges failed with status 503 from acmepay ("card network unreachable"). We first suspected the payments release of
the same morning and rolled it back, which changed nothing and cost us ten minutes. Calls per request were at most three,
as configured. The provider confirmed the outage on the phone and came back by itself.

What we learned: if the provider answers 503 by itself and calls per request are normal, call acmepay, do not roll back.
""",
    ),
    PastIncident(
        "INC-9",
        "Catalogue slow after a cache was shortened",
        "SEV3",
        ("storefront", "inventory", "store"),
        timedelta(days=41, hours=6),
        timedelta(minutes=37),
        "storefront v108 set the page cache from 20 s to 1 s, so that nearly every visit scanned the store",
        "storefront v108",
        "rolled back storefront to v107",
        "yuki",
        """\
Pages took seconds; the store's workers were all busy with scans and reservations queued behind them, so orders failed
too. The cache hit ratio of the storefront had dropped from 0.99 to 0.4 with the deployment.
""",
    ),
)


def past_incidents(now: datetime) -> dict[str, str]:
    """File name (without .md) and text of every past incident."""
    return {incident.id: _markdown(incident, now) for incident in INCIDENTS}


def _markdown(incident: PastIncident, now: datetime) -> str:
    started = now - incident.ago
    front = {
        "id": incident.id,
        "title": incident.title,
        "severity": incident.severity,
        "services": f"[{', '.join(incident.services)}]",
        "started": _iso(started),
        "resolved": _iso(started + incident.lasted),
        "cause": incident.cause,
        "change": incident.change,
        "fix": incident.fix,
        "confirmed_by": incident.confirmed_by,
    }
    lines = [f"{name}: {value}" for name, value in front.items()]
    return "---\n" + "\n".join(lines) + "\n---\n" + incident.text


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
