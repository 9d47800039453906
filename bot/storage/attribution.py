"""What people said about whose alerts are whose, and the alerts that nobody could attribute."""

from collections.abc import Collection

from sqlalchemy import Column, PrimaryKeyConstraint, String, Table, delete, func, select

from bot.domain.alert import Alert
from bot.domain.attribution import ServiceMapping, Unmatched
from bot.ports import Transaction
from bot.storage.alerts import alerts
from bot.storage.codec import load
from bot.storage.columns import Key, Short
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert
from bot.topology.attribution import in_common, said

NEWEST = 20_000  # alert events that are looked through: the question costs the same however many are kept
MOST_KINDS = 500  # pairs of a service and an alert's name among them

mappings = Table(
    "service_mappings",
    metadata,
    Column("label", Key(100), nullable=False),
    Column("value", Key(255), nullable=False),
    Column("service", Short(200), nullable=False),
    Column("said_by", String(64), nullable=False),
    Column("said_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("label", "value", name="pk_service_mappings"),
)
_MAPPINGS = select(mappings).order_by(mappings.c.said_at.desc(), mappings.c.label, mappings.c.value)


class SqlAttributionStore:
    """ports.AttributionStore in SQL."""

    def mappings(self, tx: Transaction) -> tuple[ServiceMapping, ...]:
        """All that people said, the latest first."""
        return tuple(ServiceMapping(r.label, r.value, r.service, r.said_by, r.said_at) for r in sql(tx).execute(_MAPPINGS))

    def put(self, tx: Transaction, mapping: ServiceMapping) -> None:
        """Keep it in place of what was said of the same label and value before."""
        row = {"label": mapping.label, "value": mapping.value, "service": mapping.service}
        upsert(tx, mappings, [{**row, "said_by": mapping.by, "said_at": mapping.at}])

    def drop(self, tx: Transaction, label: str, value: str) -> bool:
        """Forget it; False if there was none."""
        gone = sql(tx).execute(delete(mappings).where(mappings.c.label == label, mappings.c.value == value))
        return gone.rowcount > 0

    def unmatched(self, tx: Transaction, known: Collection[str], limit: int = 20) -> tuple[Unmatched, ...]:
        """What the newest alerts without one of the `known` services have in common, the most frequent first."""
        newest = select(func.coalesce(func.max(alerts.c.id), 0)).scalar_subquery() - NEWEST
        kinds = (
            select(alerts.c.service, func.count().label("events"), func.max(alerts.c.id).label("last"))
            .where(alerts.c.id > newest)
            .group_by(alerts.c.service, alerts.c.name)
            .order_by(func.count().desc(), func.max(alerts.c.id).desc())
        )
        strangers = [row for row in sql(tx).execute(kinds) if row.service not in known][:MOST_KINDS]
        latest = {row.last: row.events for row in strangers}
        mapped = [m for m in self.mappings(tx) if m.service in known]
        found: dict[tuple[str, str], list[tuple[Alert, int]]] = {}
        query = select(alerts.c.id, alerts.c.body).where(alerts.c.id.in_(latest)).order_by(alerts.c.id.desc())
        for row in sql(tx).execute(query):
            alert = load(Alert, row.body)
            if alert.readable and not any(said(alert, m.label) == m.value for m in mapped):  # those of before it was said
                found.setdefault(in_common(alert), []).append((alert, latest[row.id]))
        told = [_told(label, value, kinds_of) for (label, value), kinds_of in found.items()]
        return tuple(sorted(told, key=lambda one: (-one.events, one.label, one.value))[:limit])


def _told(label: str, value: str, kinds: list[tuple[Alert, int]]) -> Unmatched:
    newest = kinds[0][0]
    frequent = sorted(kinds, key=lambda kind: (-kind[1], kind[0].name))
    return Unmatched(
        label=label,
        value=value,
        names=tuple(dict.fromkeys(alert.name for alert, _ in frequent)),
        events=sum(events for _, events in kinds),
        last_at=max((alert.ended_at or alert.started_at) for alert, _ in kinds),
        labels=newest.labels,
        service_from=newest.service_from,
    )
