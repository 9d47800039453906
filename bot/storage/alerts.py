"""Problems, their instances one row each, and every alert event with its verdict; a batch is a handful of statements."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, delete, func, select

from bot.domain.alert import Alert, Severity
from bot.domain.care import Fired
from bot.ports import Problem, Sighting, Transaction
from bot.storage.bulk import among, listed, put_many
from bot.storage.codec import dump, load
from bot.storage.columns import Short
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

problems = Table(
    "problems",
    metadata,
    Column("fingerprint", String(16), primary_key=True),
    Column("name", Short(200), nullable=False),
    Column("service", Short(200), nullable=False),
    Column("incident_id", String(64), nullable=False, index=True),
    Column("firing", Integer, nullable=False),
    Column("events", Integer, nullable=False),
    Column("last_at", UtcDateTime),
    Column("resolved_at", UtcDateTime, index=True),
)
instances = Table(
    "instances",
    metadata,
    Column("key", String(16), primary_key=True),  # the digest covers the problem's fingerprint too
    Column("fingerprint", String(16), nullable=False),
    Column("began_at", UtcDateTime),  # set while it fires
    Column("ended_at", UtcDateTime, index=True),  # set once it is cleared
)
alerts = Table(
    "alerts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("fingerprint", String(16), nullable=False),
    Column("instance", String(16), nullable=False),
    Column("name", Short(200), nullable=False),
    Column("service", Short(200), nullable=False),
    Column("environment", Short(100), nullable=False),
    Column("severity", String(4), nullable=False),
    Column("resolved", Boolean, nullable=False),
    Column("verdict", String(40), nullable=False),
    Column("incident_id", String(64), nullable=False),
    Column("body", Text, nullable=False),
)
Index("ix_alerts_incident_id_id", alerts.c.incident_id, alerts.c.id)
_BEGINS = ("new", "fires again")  # the verdicts that tell of a beginning
DIALECTS = ("sqlite", "postgresql")
_INSTANCES = {dialect: select(instances).where(among("values", instances.c.key, dialect)) for dialect in DIALECTS}
_PROBLEMS = {dialect: select(problems).where(among("values", problems.c.fingerprint, dialect)) for dialect in DIALECTS}


class SqlAlertStore:
    """ports.AlertStore in SQL."""

    def known(self, tx: Transaction, pairs: Collection[tuple[str, str]]) -> Mapping[str, Problem]:
        """What is known of the problems of these (fingerprint, instance key) pairs, by fingerprint."""
        firing: dict[str, dict[str, datetime]] = {}
        cleared: dict[str, dict[str, datetime]] = {}
        wanted, dialect = {"values": listed({key for _, key in pairs})}, sql(tx).dialect.name
        for row in sql(tx).execute(_INSTANCES[dialect], wanted):
            if row.began_at is not None:
                firing.setdefault(row.fingerprint, {})[row.key] = row.began_at
            elif row.ended_at is not None:
                cleared.setdefault(row.fingerprint, {})[row.key] = row.ended_at
        wanted = {"values": listed({fingerprint for fingerprint, _ in pairs})}
        return {
            row.fingerprint: Problem(
                fingerprint=row.fingerprint,
                name=row.name,
                service=row.service,
                incident_id=row.incident_id,
                firing=firing.get(row.fingerprint, {}),
                cleared=cleared.get(row.fingerprint, {}),
                count=row.firing,
                events=row.events,
                last_at=row.last_at,
                resolved_at=row.resolved_at,
            )
            for row in sql(tx).execute(_PROBLEMS[dialect], wanted)
        }

    def save(self, tx: Transaction, kept: Iterable[Problem]) -> None:
        """Insert or replace problems and the instances they hold; instances they do not hold stay as they are."""
        kept = list(kept)
        upsert(tx, problems, [_row(problem) for problem in kept])
        upsert(tx, instances, [row for problem in kept for row in _instances(problem)])

    def seen(self, tx: Transaction, sightings: Sequence[Sighting]) -> None:
        """Keep alert events."""
        rows = [
            {
                "at": one.alert.ended_at or one.alert.started_at,
                "fingerprint": one.fingerprint,
                "instance": one.instance,
                "name": one.alert.name,
                "service": one.alert.service,
                "environment": one.alert.environment,
                "severity": str(one.alert.severity),
                "resolved": one.alert.resolved,
                "verdict": one.verdict,
                "incident_id": one.incident_id,
                "body": dump(one.alert),
            }
            for one in sightings
        ]
        put_many(tx, alerts, rows)

    def events(self, tx: Transaction, incident_id: str, limit: int = 500) -> tuple[Alert, ...]:
        """The first alert events of an incident, oldest first."""
        found = select(alerts.c.body).where(alerts.c.incident_id == incident_id).order_by(alerts.c.id).limit(limit)
        return tuple(load(Alert, body) for body in sql(tx).execute(found).scalars())

    def services(self, tx: Transaction, since: datetime) -> frozenset[str]:
        """The services that alerts were about since a time."""
        found = select(alerts.c.service).where(alerts.c.at >= since).distinct()
        return frozenset(sql(tx).execute(found).scalars())

    def fired(self, tx: Transaction, since: datetime) -> tuple[Fired, ...]:
        """How often each alert of each service began to fire since a time, the most frequent first."""
        mine = (alerts.c.at >= since) & (alerts.c.resolved.is_(False)) & alerts.c.verdict.in_(_BEGINS)
        which = (alerts.c.name, alerts.c.service, alerts.c.incident_id)
        each = select(*which, func.count(), func.min(alerts.c.severity), func.max(alerts.c.at)).where(mine).group_by(*which)
        found: dict[tuple[str, str], Fired] = {}
        for name, service, incident, times, severity, last in sql(tx).execute(each):
            had = found.get((name, service), Fired(name, service, 0, Severity.SEV4))
            found[name, service] = Fired(
                name,
                service,
                had.times + times,
                Severity.worst(had.severity, Severity(severity)),
                (*had.incidents, *([incident] if incident else [])),
                max(filter(None, (had.last_at, last))),
            )
        return tuple(sorted(found.values(), key=lambda f: (-f.times, f.name, f.service)))

    def forget(self, tx: Transaction, before: datetime) -> int:
        """Delete alert events older than this, and instances that cleared and problems that ended before it; how many events."""
        gone = sql(tx).execute(delete(alerts).where(alerts.c.at < before)).rowcount
        sql(tx).execute(delete(instances).where(instances.c.ended_at < before, instances.c.began_at.is_(None)))
        sql(tx).execute(delete(problems).where(problems.c.resolved_at < before, problems.c.firing == 0))
        return gone


def _row(problem: Problem) -> dict[str, object]:
    return {
        "fingerprint": problem.fingerprint,
        "name": problem.name,
        "service": problem.service,
        "incident_id": problem.incident_id,
        "firing": problem.count,
        "events": problem.events,
        "last_at": problem.last_at,
        "resolved_at": problem.resolved_at,
    }


def _instances(problem: Problem) -> Iterator[dict[str, object]]:
    for key, began in problem.firing.items():
        yield {"key": key, "fingerprint": problem.fingerprint, "began_at": began, "ended_at": None}
    for key, ended in problem.cleared.items():
        yield {"key": key, "fingerprint": problem.fingerprint, "began_at": None, "ended_at": ended}
