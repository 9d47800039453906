"""Actions, moved by compare-and-set; at most one of them is under way per service and environment."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.action import BUSY, Action
from bot.errors import IllegalMove
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.columns import Key, Short
from bot.storage.database import UtcDateTime, alone, metadata, sql

ACTIONS_LOCK = 0x70C518

actions = Table(
    "actions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("incident_id", String(64), nullable=False, index=True),
    Column("service", Short(200), nullable=False),
    Column("environment", Short(100), nullable=False),
    Column("status", String(40), nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("busy", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
)
Index(
    "uq_actions_one_at_a_time",
    actions.c.service,
    actions.c.environment,
    unique=True,
    sqlite_where=actions.c.busy.is_(True),
    postgresql_where=actions.c.busy.is_(True),
)
Index(
    "ix_actions_unfinished",
    actions.c.created_at,
    sqlite_where=actions.c.ended.is_(False),
    postgresql_where=actions.c.ended.is_(False),
)
action_steps = Table(
    "action_steps",
    metadata,
    Column("action_id", String(64), primary_key=True),
    Column("step", Key(300), nullable=False),
    Column("service", Short(200), nullable=False),
    Column("environment", Short(100), nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)
Index("ix_action_steps_step", action_steps.c.step, action_steps.c.created_at)
action_batches = Table(
    "action_batches",
    metadata,
    Column("action_id", String(64), primary_key=True),
    Column("batch", String(64), nullable=False, index=True),
)
Index("ix_actions_created_at", actions.c.created_at)
Index("ix_actions_service_created_at", actions.c.service, actions.c.created_at)
_UNFINISHED = select(actions.c.body).where(actions.c.ended.is_(False)).order_by(actions.c.created_at, actions.c.id)
_NEWEST = (actions.c.created_at.desc(), actions.c.id.desc())
_WITH_STEP = select(actions.c.body).join(action_steps, action_steps.c.action_id == actions.c.id)
_STEPPED = _WITH_STEP.where(action_steps.c.created_at >= bindparam("since")).order_by(*_NEWEST)
MOST_OF_STEP = 200
_OF_STEP = (
    _WITH_STEP.where(action_steps.c.step == bindparam("step", type_=Key(300)), action_steps.c.service == bindparam("of"))
    .where(action_steps.c.environment == bindparam("place"))
    .order_by(*_NEWEST)
    .limit(MOST_OF_STEP)
)
_SPAN = (
    select(actions.c.body)
    .where(actions.c.created_at >= bindparam("start"), actions.c.created_at <= bindparam("end"))
    .order_by(*_NEWEST)
    .limit(bindparam("most"))
)
_OF_BATCH = (
    select(actions.c.body)
    .join(action_batches, action_batches.c.action_id == actions.c.id)
    .where(action_batches.c.batch == bindparam("batch"))
    .order_by(actions.c.created_at, actions.c.id)
)
_OF = select(actions.c.body).where(actions.c.incident_id == bindparam("incident")).order_by(*_NEWEST)


class SqlActionStore:
    """ports.ActionStore in SQL."""

    def hold(self, tx: Transaction) -> None:
        """From here until this transaction ends nobody else adds one."""
        alone(tx, ACTIONS_LOCK)

    def add(self, tx: Transaction, action: Action) -> Action:
        """Keep a new one."""
        kept = replace(action, version=1)
        sql(tx).execute(insert(actions).values(id=kept.id, created_at=kept.created_at, **_columns(kept)))
        if kept.step:
            where = {"step": kept.step, "service": kept.service, "environment": kept.environment}
            sql(tx).execute(insert(action_steps).values(action_id=kept.id, created_at=kept.created_at, **where))
        if kept.batch:
            sql(tx).execute(insert(action_batches).values(action_id=kept.id, batch=kept.batch))
        return kept

    def get(self, tx: Transaction, id: str) -> Action | None:
        """One action."""
        body = sql(tx).execute(select(actions.c.body).where(actions.c.id == id)).scalar_one_or_none()
        return None if body is None else load(Action, body)

    def move(self, tx: Transaction, before: Action, after: Action) -> Action | None:
        """Replace `before` by `after` if nobody was faster (version and status unchanged); else None.

        Raises IllegalMove if another action of this service and environment is under way.
        """
        moved = replace(after, version=before.version + 1)
        unchanged = (
            (actions.c.id == before.id) & (actions.c.version == before.version) & (actions.c.status == before.status.value)
        )
        try:
            done = sql(tx).execute(update(actions).where(unchanged).values(**_columns(moved)))
        except IntegrityError as error:
            raise IllegalMove(
                f"Another action on {after.service} in {after.environment} is under way; wait until it has ended."
            ) from error
        return moved if done.rowcount == 1 else None

    def of_incident(self, tx: Transaction, incident_id: str) -> tuple[Action, ...]:
        """The actions of one incident, newest first."""
        return tuple(load(Action, body) for body in sql(tx).execute(_OF, {"incident": incident_id}).scalars())

    def of_batch(self, tx: Transaction, batch: str) -> tuple[Action, ...]:
        """The actions of one batch, in no order that means anything."""
        return tuple(load(Action, body) for body in sql(tx).execute(_OF_BATCH, {"batch": batch}).scalars())

    def of_step(self, tx: Transaction, step: str, service: str, environment: str) -> tuple[Action, ...]:
        """The actions that a typed step of a runbook led to on a service, newest first, at most 200."""
        asked = {"step": step, "of": service, "place": environment}
        return tuple(load(Action, body) for body in sql(tx).execute(_OF_STEP, asked).scalars())

    def stepped(self, tx: Transaction, since: datetime) -> tuple[Action, ...]:
        """The actions that any typed step led to since a time, newest first."""
        return tuple(load(Action, body) for body in sql(tx).execute(_STEPPED, {"since": since}).scalars())

    def between(
        self, tx: Transaction, start: datetime, end: datetime, *, service: str = "", environment: str = "", most: int = 500
    ) -> tuple[Action, ...]:
        """Those asked for in a span of time, both ends included, newest first; of one service or environment if it is named."""
        asked = _SPAN
        if service:
            asked = asked.where(actions.c.service == service)
        if environment:
            asked = asked.where(actions.c.environment == environment)
        found = sql(tx).execute(asked, {"start": start, "end": end, "most": most}).scalars()
        return tuple(load(Action, body) for body in found)

    def since(self, tx: Transaction, at: datetime) -> tuple[Action, ...]:
        """All that were made since a time, oldest first."""
        made = select(actions.c.body).where(actions.c.created_at >= at).order_by(actions.c.created_at, actions.c.id)
        return tuple(load(Action, body) for body in sql(tx).execute(made).scalars())

    def unfinished(self, tx: Transaction) -> tuple[Action, ...]:
        """All that have not ended, oldest first."""
        return tuple(load(Action, body) for body in sql(tx).execute(_UNFINISHED).scalars())


def _columns(action: Action) -> dict[str, object]:
    return {
        "incident_id": action.incident_id,
        "service": action.service,
        "environment": action.environment,
        "status": action.status.value,
        "ended": action.ended,
        "busy": action.status in BUSY,
        "version": action.version,
        "body": dump(action),
    }
