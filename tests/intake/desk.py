"""A desk with a real inbox and nothing else, a vendor that can be read at a glance, and stories that remember."""

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, cast

from pydantic import SecretStr
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from bot.domain.alert import Alert
from bot.domain.change import Change
from bot.errors import BadPayload, BadSignature
from bot.flows.desk import Desk
from bot.intake.grouping import Grouping
from bot.intake.house import create_house
from bot.intake.meters import DoorMeters, Meters
from bot.intake.web import MOST_BYTES, MOST_WAITING, Door, Porter
from bot.ports import Clock, Connector, Database, Delivery, Ignored, Parsed, Transaction, WebhookSettings
from bot.storage.database import SqlDatabase, sql
from bot.storage.inbox import SqlInboxStore
from tests.fakes import FakeChannel, InMemoryWork, a_change, an_alert

SECRET = "a-secret-nobody-guesses"  # a test's own


class _Absent:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"This desk has no such thing ({name} was asked for).")


def a_desk(db: Database, clock: Clock) -> Desk:
    """A desk whose inbox is real; everything else says so when touched."""
    absent = cast(Any, _Absent())
    given: dict[str, Any] = {
        "db": db,
        "work": InMemoryWork(),
        "clock": clock,
        "new_id": lambda: "id",
        "channel": FakeChannel(),
        "inbox": SqlInboxStore(),
    }
    needed = (f.name for f in fields(Desk) if f.default is MISSING and f.default_factory is MISSING)
    return Desk(**{**dict.fromkeys(needed, absent), **given})


def whole_app(
    desk: Desk,
    doors: Mapping[str, Door],
    *,
    meters: Meters | None = None,
    most_bytes: int = MOST_BYTES,
    most_waiting: int = MOST_WAITING,
    arrived: Callable[[int], None] = lambda _: None,
    probes: Mapping[str, Callable[[], bool]] | None = None,
) -> Porter:
    """The door and the house behind it in one process, without what lies between them."""
    counted = DoorMeters()
    grouping = Grouping(desk.db, desk.inbox, most_waiting, arrived, counted.commit.observe)
    return Porter(doors, grouping, desk.clock, create_house(desk, meters or Meters(), probes or {}), counted, most_bytes)


class PlainWebhook:
    """{"alerts": ["name", ...]}, {"changes": [...]} or {"ping": 1}, proved by a bearer token; `x-delivery` is the id."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """The bearer token is one of the secrets."""
        given = delivery.headers.get("authorization", "").encode()
        if not any(hmac.compare_digest(f"Bearer {s}".encode(), given) for s in secrets):
            raise BadSignature("wrong token")

    def delivery_id(self, delivery: Delivery) -> str:
        """The header x-delivery."""
        return delivery.headers.get("x-delivery", "")

    def parse(self, delivery: Delivery) -> Parsed:
        """What the body names."""
        try:
            body = json.loads(delivery.body)
        except json.JSONDecodeError as error:
            raise BadPayload(f"this is not JSON: {error.msg}") from None
        if "bug" in body:
            raise ZeroDivisionError(body["bug"])
        if not isinstance(body.get("alerts", []), list):
            raise BadPayload("alerts is not a list", path="$.alerts")
        at = delivery.received_at
        alerts = [an_alert(connector="plain", name=n, started_at=at) for n in body.get("alerts", [])]
        changes = [a_change(connector="plain", id=n, at=at) for n in body.get("changes", [])]
        return (*alerts, *changes) or (Ignored("ping"),)


PLAIN = Connector(name="plain", title="Plain", settings=WebhookSettings, webhook=PlainWebhook())
DEAF = Connector(name="deaf", title="Sends nothing", settings=WebhookSettings)


def doors(*, secret: str | None = SECRET, allow_unsigned: bool = False) -> dict[str, Door]:
    """A door for the plain vendor, and one that takes no webhooks."""
    kept = SecretStr(secret) if secret else None
    return {
        "plain": Door(PLAIN, WebhookSettings(secret=kept, allow_unsigned=allow_unsigned)),
        "deaf": Door(DEAF, WebhookSettings(secret=kept)),
    }


heard = Table("heard", MetaData(), Column("id", Integer, primary_key=True), Column("what", String))


@dataclass
class Stories:
    """Stories that write what they hear into a table, in the batch's own transaction; names in `poison` are refused."""

    poison: set[str] = field(default_factory=set)
    batches: list[int] = field(default_factory=list)
    unreadable: list[Alert] = field(default_factory=list)

    def prepare(self, database: SqlDatabase) -> "Stories":
        """Make the table."""
        database.write_now(lambda tx: heard.create(sql(tx), checkfirst=True))
        return self

    def on_alerts(self, tx: Transaction, alerts: Sequence[Alert], desk: Desk) -> None:
        """Write the names."""
        self.batches.append(len(alerts))
        for alert in alerts:
            if alert.name in self.poison:
                raise LookupError(f"cannot stomach {alert.name}")
        self.unreadable += [a for a in alerts if not a.readable]
        sql(tx).execute(insert(heard), [{"what": a.name} for a in alerts])

    def on_changes(self, tx: Transaction, changes: Sequence[Change], desk: Desk) -> None:
        """Write the ids."""
        sql(tx).execute(insert(heard), [{"what": c.id} for c in changes])

    def heard(self, database: SqlDatabase) -> list[str]:
        """What was heard and committed, in order."""
        return list(database.read_now(lambda tx: sql(tx).execute(select(heard.c.what).order_by(heard.c.id)).scalars()))


def a_delivery(body: object, at: datetime, **headers: str) -> Delivery:
    """A stored delivery of the plain vendor."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery("plain", headers, raw, at)
