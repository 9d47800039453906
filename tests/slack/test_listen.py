"""Alerts that other apps post: kept where a channel opted in, read by the drain, one incident with the same alert's webhook."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.domain.alert import Alert
from bot.domain.incident import Incident
from bot.domain.request import CommandRequest, Person
from bot.errors import Unavailable
from bot.flows.alerts import on_alerts
from bot.flows.command import on_command
from bot.flows.desk import Desk
from bot.intake.inbox import Drain
from bot.ports import Delivery
from bot.slack.app import build_app
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from bot.slack.front import Stories
from bot.slack.listen import delivery_of
from bot.slack.socket import SocketMode
from bot.storage.database import SqlDatabase
from bot.wiring import stories, told
from connectors import slack
from tests.desk import a_desk, handlers
from tests.fakes import FakeClock, InMemoryWork, an_alert
from tests.workspace.conftest import Running, running

CHANNEL, CARDS = "C0ALERTS", "C0PAYMENTS"
US = frozenset({"B0TOCSIN", "U0TOCSIN", "A0TOCSIN"})
POST: dict[str, Any] = {
    "type": "message",
    "channel": "C1",
    "channel_type": "channel",
    "ts": "1.1",
    "bot_id": "B0X",
    "event_ts": "1.1",
}
EDIT: dict[str, Any] = {
    **{k: v for k, v in POST.items() if k != "bot_id"},
    "subtype": "message_changed",
    "ts": "2.2",
    "message": {"ts": "1.1", "bot_id": "B0X", "edited": {"ts": "2.0"}},
}


@pytest.mark.parametrize(
    ("event", "id"),
    [
        (POST, "C1:1.1"),
        (EDIT, "C1:1.1:2.0"),
        ({**EDIT, "message": {"ts": "1.1", "bot_id": "B0X"}}, "C1:1.1:1.1"),
        ({**POST, "channel_type": "im"}, ""),
        ({**POST, "bot_id": ""}, ""),
        ({**POST, "bot_id": "B0TOCSIN"}, ""),
        ({**POST, "app_id": "A0TOCSIN"}, ""),
        ({**EDIT, "message": {"ts": "1.1", "bot_id": "B0TOCSIN"}}, ""),
        ({**POST, "subtype": "channel_join"}, ""),
        ({"type": "message", "channel": 7, "message": "x", "subtype": "message_changed"}, ""),
    ],
)
def test_only_other_apps_in_channels_are_heard_and_each_edit_once(event: dict[str, Any], id: str) -> None:
    assert delivery_of(event, US) == id


def an_attachment(title: str, color: str) -> dict[str, Any]:
    return {"color": color, "title": title, "fallback": title, "title_link": "http://alertmanager.example/#/alerts"}


async def nothing(args: object) -> None:
    """Work that this story is not about."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqlDatabase]:
    """SQLite is enough here: the stores have their own tests on both."""
    opened = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    opened.open()
    yield opened
    opened.close()


@dataclass
class Scene:
    """A running workspace, the app on its socket, real stores, and the drain turned by hand."""

    workspace: Running
    desk: Desk
    drain: Drain

    async def post(self, app: str, title: str, color: str = "danger", ts: str = "", **more: Any) -> str:
        attachments = [an_attachment(title, color)]
        extra = {"ts": ts} if ts else {}
        done = await self.workspace.do("apps/messages", app=app, channel=CHANNEL, attachments=attachments, **extra, **more)
        assert done["ok"], done
        await self.acknowledged()
        return str(done["ts"])

    async def acknowledged(self) -> None:
        """Slack heard back of every message so far."""

        async def all_heard() -> bool:
            entries = (await self.workspace.see("transcript"))["entries"]
            posted = [e for e in entries if e["kind"] in ("posted", "edited") and e["channel"] == CHANNEL]
            return len([e for e in entries if e["kind"] == "event_acked" and e["type"] == "message"]) >= len(posted)

        await self.workspace.until(all_heard)

    async def heard(self, many: int) -> list[str]:
        """What became of the messages, the oldest first, once so many were kept and drained."""

        async def outcomes() -> list[str] | None:
            await self.drain.once()
            parcels = await self.desk.db.read(lambda tx: self.desk.inbox.recent(tx, state="done", limit=50))
            return [p.outcome for p in reversed(parcels)] if len(parcels) >= many else None

        found: list[str] = await self.workspace.until(outcomes)
        return found

    async def incidents(self) -> tuple[Incident, ...]:
        return await self.desk.db.read(lambda tx: self.desk.incidents.recent(tx, 10))

    async def listen(self, how: str) -> None:
        words = ("listen", "here", how)
        await on_command(CommandRequest(Person("U0ONCALL"), CHANNEL, "tocsin", words, " ".join(words), "t", "id"), self.desk)


@asynccontextmanager
async def scene(
    database: SqlDatabase, clock: FakeClock, flows: Stories | None = None, patience: float = 10.0
) -> AsyncIterator[Scene]:
    """`patience` is how many seconds the workspace waits for an acknowledgement."""
    async with running(ack_seconds=patience, retry_delays=(0.0, 0.2)) as workspace:
        api = f"{workspace.config.base_url}/api/"
        desk = a_desk(database, clock, channel=SlackChannel(connect(workspace.config.bot_token, api)))
        app = build_app(desk, flows or stories(), bot_token=workspace.config.bot_token, api_url=api)
        socket = SocketMode(app, workspace.config.app_token, api, ping_interval=1, watch=0.3)
        await socket.start()
        try:
            await workspace.until(lambda: socket.connected())
            yield Scene(workspace, desk, Drain(desk, {"slack": slack.CONNECTOR}, told()))
        finally:
            await socket.stop()


async def test_an_alert_that_alertmanager_posts_becomes_a_card_and_its_end_clears_it(
    database: SqlDatabase, clock: FakeClock
) -> None:
    async with scene(database, clock) as it:
        await it.listen("on")
        await it.post("Alertmanager", "[FIRING:1] HighErrorRate payments (production payments-1 critical)")
        assert await it.heard(1) == ["1 alert"]
        (incident,) = await it.incidents()
        assert (incident.service, incident.firing, incident.members[0].name) == ("payments", 1, "HighErrorRate")
        work = it.desk.work
        assert isinstance(work, InMemoryWork)
        await work.run_all(defaultdict(lambda: nothing, handlers(it.desk)), now=clock.advance(seconds=5))
        shown = await it.workspace.messages(CARDS)
        assert any("HighErrorRate payments" in str(message) and message["user"] == "U0TOCSIN" for message in shown)
        await it.post("Alertmanager", "[RESOLVED] HighErrorRate payments (production critical)", "good")
        assert await it.heard(2) == ["1 alert", "1 alert"]
        (after,) = await it.incidents()
        assert (after.id, after.firing, len(after.members)) == (incident.id, 0, 1)
        assert "settle" in [started.name for started in work.started]


async def test_a_message_that_is_edited_when_it_is_over_clears_what_it_said_first(
    database: SqlDatabase, clock: FakeClock
) -> None:
    async with scene(database, clock) as it:
        await it.listen("on")
        ts = await it.post("PagerDuty", "Triggered #12: payments are slow")
        await it.heard(1)
        await it.post("PagerDuty", "Resolved #12: payments are slow", "good", ts=ts)
        assert await it.heard(2) == ["1 alert", "1 alert"]
        (incident,) = await it.incidents()
        assert (incident.firing, incident.members[0].events) == (0, 1)


async def test_people_other_channels_and_a_channel_that_was_switched_off_are_not_kept(
    database: SqlDatabase, clock: FakeClock
) -> None:
    async with scene(database, clock) as it:
        await it.post("Grafana", "[FIRING:1] before anybody said so")
        await it.listen("on")
        await it.workspace.do("messages", **{"as": "U0ONCALL"}, channel=CHANNEL, text="[FIRING:1] payments, again")
        await it.workspace.do("apps/messages", app="Builds", channel=CHANNEL, text="Build 12 of payments passed")
        (outcome,) = await it.heard(1)
        assert outcome == "ignored: a bot's message that does not say whether an alert fires or is over"
        await it.listen("off")
        await it.post("Grafana", "[FIRING:1] after it was switched off")
        assert await it.heard(1) == [outcome]
        assert await it.incidents() == ()


async def test_a_message_that_could_not_be_kept_is_sent_again_by_slack_and_kept_once(
    database: SqlDatabase, clock: FakeClock
) -> None:
    usual, fails = stories(), iter([Unavailable("the database is away")])

    async def keep(delivery: Delivery, id: str, channel: str, desk: Desk) -> bool:
        for error in fails:
            raise error
        return await usual.on_overheard(delivery, id, channel, desk)

    async with scene(database, clock, replace(usual, on_overheard=keep), 1.0) as it:
        await it.listen("on")
        await it.post("Grafana", "[FIRING:1] HighErrorRate payments (critical)")
        assert await it.heard(1) == ["1 alert"]
        entries = (await it.workspace.see("transcript"))["entries"]
        assert "redelivered" in [entry["kind"] for entry in entries]


@pytest.mark.parametrize("slack_first", [True, False])
def test_the_same_alert_by_webhook_and_by_slack_is_one_incident(
    slack_first: bool, database: SqlDatabase, clock: FakeClock
) -> None:
    desk = a_desk(database, clock)
    title = "[FIRING:1] HighErrorRate payments (production critical)"
    event = {
        **POST,
        "ts": f"{clock().timestamp():.6f}",
        "username": "Alertmanager",
        "attachments": [an_attachment(title, "danger")],
    }
    (posted,) = slack.SlackMessages().parse(Delivery("slack", {}, msgspec.json.encode(event), clock()))
    assert isinstance(posted, Alert)
    sent = replace(an_alert(), started_at=clock() - timedelta(seconds=40))
    for alert in (posted, sent) if slack_first else (sent, posted):
        database.write_now(lambda tx, alert=alert: on_alerts(tx, [alert], desk))  # type: ignore[misc]  # a lambda with a default
    (incident,) = database.read_now(lambda tx: desk.incidents.recent(tx, 10))
    assert {m.connector for m in incident.members} == {"alertmanager", "slack"}
