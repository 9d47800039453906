"""What is known of the noise of each problem, every decision with its reason, silences, inhibiting sources, and storms."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import islice

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy import insert as plain_insert
from sqlalchemy.exc import IntegrityError

from bot.domain.noise import WAITING, Decision, Kind, NoiseState, Outcome, Silence, Source, Storm
from bot.errors import Outrun
from bot.ports import Transaction
from bot.storage.bulk import DIALECTS, among, execute_many, listed, put_many
from bot.storage.codec import dump, load
from bot.storage.columns import Key, Prose, Short
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.inbox import INBOX_LOCK
from bot.storage.upsert import upsert

CHUNK = 400  # values in one IN list

states = Table(
    "noise_states",
    metadata,
    Column("fingerprint", String(16), primary_key=True),
    Column("updated_at", UtcDateTime, nullable=False, index=True),
    Column("held", String(20), nullable=False),  # the kind of the hold, "" for none
    Column("held_until", UtcDateTime, index=True),
    Column("body", Text, nullable=False),
)
decisions = Table(
    "noise_decisions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("fingerprint", String(16), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("acted", Boolean, nullable=False),
    Column("until", UtcDateTime),
    Column("outcome", String(12), nullable=False),
    Column("ended_at", UtcDateTime),
    Column("incident_id", String(64), nullable=False, index=True),
    Column("body", Text, nullable=False),
)
silences = Table(
    "noise_silences",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
    Column("body", Text, nullable=False),
)
sources = Table(
    "noise_sources",
    metadata,
    Column("rule", Short(80), primary_key=True),
    Column("instance", String(16), primary_key=True),
    Column("equal", String(32), nullable=False, index=True),
    Column("values", Prose, nullable=False),
    Column("told", Prose, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
storms = Table(
    "noise_storms",
    metadata,
    Column("environment", Key(100), primary_key=True),
    Column("body", Text, nullable=False),
)
_STATES = {
    dialect: select(states.c.fingerprint, states.c.body).where(among("marks", states.c.fingerprint, dialect))
    for dialect in DIALECTS
}
_HELD = select(states.c.body).order_by(states.c.held_until).limit(bindparam("most"))
_DUE = _HELD.where(states.c.held_until <= bindparam("at"))
_WAITING = _HELD.where(or_(*[states.c.held == kind.value for kind in sorted(WAITING)]), states.c.held_until <= bindparam("until"))
_STORMS = select(storms.c.body).where(storms.c.environment.in_(bindparam("environments", expanding=True)))
_SILENCES = select(silences.c.body).where(silences.c.ends_at > bindparam("since")).order_by(silences.c.number)
_DOWN_TO = (decisions.c.incident_id == bindparam("incident")) & decisions.c.acted
_PUT_DOWN = select(func.count()).select_from(decisions).where(_DOWN_TO)


def _word(outcome: Outcome) -> ColumnElement[str]:
    return literal_column(repr(outcome.value), String)


_PENDING = (decisions.c.id == bindparam("this")) & (decisions.c.outcome == _word(Outcome.PENDING))
_ENDED = bindparam("ended", type_=UtcDateTime())
_OUTLASTED = decisions.c.until.is_not(None) & (decisions.c.until < _ENDED)
_TURNED_OUT = update(decisions).where(_PENDING).values(outcome=bindparam("word", type_=String()), ended_at=_ENDED)
_OVER = case((_OUTLASTED, _word(Outcome.OUTLASTED)), else_=_word(Outcome.CLEARED))
_TURNED_OUT_ITSELF = update(decisions).where(_PENDING).values(outcome=_OVER, ended_at=_ENDED)


class SqlNoiseStore:
    """ports.NoiseStore in SQL."""

    def line(self, tx: Transaction) -> None:
        """From here until this transaction ends no replica drains the inbox: incidents and problems stand still."""
        if sql(tx).dialect.name == "postgresql":
            sql(tx).execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": INBOX_LOCK + 1})

    def states(self, tx: Transaction, fingerprints: Collection[str]) -> Mapping[str, NoiseState]:
        """What is known of the noise of these problems."""
        if not fingerprints:
            return {}
        found = sql(tx).execute(_STATES[sql(tx).dialect.name], {"marks": listed(fingerprints)})
        return {mark: load(NoiseState, body) for mark, body in found}

    def keep(self, tx: Transaction, kept: Iterable[NoiseState], at: datetime) -> None:
        """Insert or replace states."""
        upsert(tx, states, [_state(one, at) for one in kept])

    def due(self, tx: Transaction, at: datetime, limit: int) -> tuple[NoiseState, ...]:
        """Problems whose hold ends by then, the earliest first."""
        return tuple(load(NoiseState, body) for body in sql(tx).execute(_DUE, {"at": at, "most": limit}).scalars())

    def held(self, tx: Transaction, limit: int = 500) -> tuple[NoiseState, ...]:
        """Problems that fire and that people are not told of now."""
        query = select(states.c.body).where(states.c.held_until.is_not(None)).order_by(states.c.held_until).limit(limit)
        return tuple(load(NoiseState, body) for body in sql(tx).execute(query).scalars())

    def waiting(self, tx: Transaction, until: datetime, limit: int = 500) -> tuple[NoiseState, ...]:
        """Problems that are held for being alone, and that are looked at by then."""
        return tuple(load(NoiseState, body) for body in sql(tx).execute(_WAITING, {"until": until, "most": limit}).scalars())

    def look_now(self, tx: Transaction, kinds: Collection[Kind], at: datetime) -> int:
        """Have holds of these kinds looked at again at once; how many there are."""
        wanted = states.c.held.in_([kind.value for kind in kinds]) & states.c.held_until.is_not(None)
        return sql(tx).execute(update(states).where(wanted).values(held_until=at)).rowcount

    def every(self, tx: Transaction) -> Iterator[NoiseState]:
        """All states."""
        for body in sql(tx).execute(select(states.c.body).order_by(states.c.fingerprint)).scalars():
            yield load(NoiseState, body)

    def decide(self, tx: Transaction, made: Sequence[Decision]) -> None:
        """Keep decisions."""
        put_many(tx, decisions, [_decision(one) for one in made])

    def turned_out(self, tx: Transaction, ids: Collection[str], at: datetime, outcome: Outcome | None = None) -> None:
        """How these decisions turned out; without a word: outlasted if `at` lies after their hold, else cleared."""
        if outcome is None:
            execute_many(tx, _TURNED_OUT_ITSELF, [{"this": id, "ended": at} for id in sorted(ids)])
        else:
            execute_many(tx, _TURNED_OUT, [{"this": id, "word": outcome.value, "ended": at} for id in sorted(ids)])

    def decided(
        self, tx: Transaction, since: datetime | None = None, fingerprint: str = "", limit: int = 10_000
    ) -> tuple[Decision, ...]:
        """Decisions, of one problem or all, the newest first."""
        query = select(decisions).order_by(decisions.c.at.desc(), decisions.c.id.desc()).limit(limit)
        if since is not None:
            query = query.where(decisions.c.at >= since)
        if fingerprint:
            query = query.where(decisions.c.fingerprint == fingerprint)
        return tuple(
            replace(load(Decision, row.body), outcome=Outcome(row.outcome), ended_at=row.ended_at)
            for row in sql(tx).execute(query)
        )

    def put_down_to(self, tx: Transaction, incident_id: str) -> int:
        """How many alerts are or were held because this incident explains them."""
        return int(sql(tx).execute(_PUT_DOWN, {"incident": incident_id}).scalar_one())

    def silences(self, tx: Transaction, since: datetime) -> tuple[Silence, ...]:
        """Silences that end after this, the oldest first."""
        return tuple(load(Silence, body) for body in sql(tx).execute(_SILENCES, {"since": since}).scalars())

    def silence(self, tx: Transaction, silence: Silence) -> Silence:
        """Keep a silence; a new one (id "") gets the next id. Raises Outrun if somebody was faster."""
        if silence.id:
            number = _number(silence.id)
            sql(tx).execute(
                update(silences).where(silences.c.number == number).values(ends_at=silence.ends_at, body=dump(silence))
            )
            return silence
        number = (sql(tx).execute(select(func.max(silences.c.number))).scalar() or 0) + 1
        kept = replace(silence, id=f"SIL-{number}")
        try:
            sql(tx).execute(plain_insert(silences).values(number=number, ends_at=kept.ends_at, body=dump(kept)))
        except IntegrityError as error:
            raise Outrun(f"{kept.id} exists already; please try again.") from error
        return kept

    def find_silence(self, tx: Transaction, id: str) -> Silence | None:
        """The silence of this id, "SIL-4"."""
        body = sql(tx).execute(select(silences.c.body).where(silences.c.number == _number(id))).scalar_one_or_none()
        return None if body is None else load(Silence, body)

    def fire(self, tx: Transaction, firing: Sequence[Source]) -> None:
        """These alerts fire and inhibit others."""
        upsert(
            tx,
            sources,
            [
                {
                    "rule": s.rule,
                    "instance": s.instance,
                    "equal": _digest(s.equal),
                    "values": s.equal,
                    "told": s.told,
                    "seen_at": s.seen_at,
                }
                for s in firing
            ],
        )

    def clear(self, tx: Transaction, instances: Collection[str]) -> None:
        """These instances fire no more."""
        for some in _chunks(sorted(instances)):
            sql(tx).execute(delete(sources).where(sources.c.instance.in_(some)))

    def sources(self, tx: Transaction, values: Collection[tuple[str, str]], since: datetime) -> dict[tuple[str, str], Source]:
        """The sources of these (rule, equal values) that were seen since then, one of each."""
        found: dict[tuple[str, str], Source] = {}
        for some in _chunks(sorted({_digest(equal) for _, equal in values})):
            query = select(sources).where(sources.c.equal.in_(some), sources.c.seen_at >= since)
            for row in sql(tx).execute(query).mappings():
                source = Source(row["rule"], row["instance"], row["values"], row["told"], row["seen_at"])
                found[source.rule, source.equal] = source
        return found

    def storms(self, tx: Transaction, environments: Collection[str]) -> dict[str, Storm]:
        """What is brewing in these environments."""
        bodies = sql(tx).execute(_STORMS, {"environments": sorted(environments)}).scalars()
        found = (load(Storm, body) for body in bodies)
        return {storm.environment: storm for storm in found}

    def brew(self, tx: Transaction, kept: Iterable[Storm]) -> None:
        """Insert or replace storms."""
        upsert(tx, storms, [{"environment": s.environment, "body": dump(s)} for s in kept])

    def forget(self, tx: Transaction, before: datetime) -> int:
        """Delete decisions, silences, sources and states that are older than this; holds stay. How many decisions."""
        gone = sql(tx).execute(delete(decisions).where(decisions.c.at < before)).rowcount
        sql(tx).execute(delete(silences).where(silences.c.ends_at < before))
        sql(tx).execute(delete(sources).where(sources.c.seen_at < before))
        sql(tx).execute(delete(states).where(states.c.updated_at < before, states.c.held_until.is_(None)))
        return gone

    def reset(self, tx: Transaction, fingerprint: str = "") -> int:
        """Delete what was learned, of one problem or all; problems that are held now stay. How many there were."""
        unheld = states.c.held_until.is_(None)
        wanted = unheld & (states.c.fingerprint == fingerprint) if fingerprint else unheld
        return sql(tx).execute(delete(states).where(wanted)).rowcount


def _state(state: NoiseState, at: datetime) -> dict[str, object]:
    return {
        "fingerprint": state.fingerprint,
        "updated_at": at,
        "held": state.hold.kind.value if state.hold else "",
        "held_until": state.hold.until if state.hold else None,
        "body": dump(state),
    }


def _decision(decision: Decision) -> dict[str, object]:
    return {
        "id": decision.id,
        "at": decision.at,
        "fingerprint": decision.fingerprint,
        "kind": decision.kind.value,
        "acted": decision.acted,
        "until": decision.until,
        "outcome": decision.outcome.value,
        "ended_at": decision.ended_at,
        "incident_id": decision.incident_id,
        "body": dump(decision),
    }


def _number(id: str) -> int:
    digits = id[4:] if id[:4].upper() == "SIL-" else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 9 else -1


def _digest(values: str) -> str:
    return sha256(values.encode("utf-8", "replace")).hexdigest()[:32]


def _chunks(values: Sequence[str]) -> Iterator[list[str]]:
    left = iter(values)
    while some := list(islice(left, CHUNK)):
        yield some
