"""The app against the local workspace, over its real sockets, with flows that only remember what they were asked."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from typing import Any, cast

import pytest

from bot.domain.action import ActionKind, Claim
from bot.domain.deployments import Offer, OrderForm
from bot.domain.request import ChangeRequest, CommandRequest, Deed, More, Opening, Person, Pin, Press, Question, Regroup
from bot.domain.suggestion import reference
from bot.domain.view import HomeView, NoteView, Place, RegroupForm, Shown, Suggestion
from bot.errors import NotAllowed
from bot.flows.desk import Desk
from bot.ports import Delivery
from bot.slack.app import build_app
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from bot.slack.front import Front, Stories
from bot.slack.socket import SocketMode
from bot.wiring import utc_now
from tests.fakes import FakeChannel
from tests.slack.samples import CARD, HOME, INCIDENT, VIEWS
from tests.workspace.conftest import Running, block_schema, running


@dataclass
class OnlyAChannel:
    """As much of a desk as Slack's handlers touch themselves."""

    channel: Any
    clock: Any = utc_now


@dataclass
class Remembering:
    """Flows that remember; `fails` is raised by the next, `waits` holds every one of them up."""

    asked: list[Any] = field(default_factory=list)
    known: tuple[str, ...] = ("payments", "checkout")
    many: int = 3  # versions that ran
    slow: dict[str, asyncio.Event] = field(default_factory=dict)  # services whose versions are told once this happens
    fails: Exception | None = None
    waits: asyncio.Event | None = None
    answer: Shown = field(default_factory=lambda: NoteView("done <!channel>"))

    async def _on(self, name: str, request: Any) -> Shown:
        if self.waits is not None:
            await self.waits.wait()
        self.asked.append((name, request))
        if self.fails is not None:
            raise self.fails
        return self.answer

    async def on_command(self, request: CommandRequest, desk: Desk) -> Shown:
        return await self._on("command", request)

    async def on_question(self, asked: Question, desk: Desk) -> None:
        await self._on("question", asked)
        await desk.channel.post(Place(asked.place.channel, "", asked.place.thread), NoteView("it was v43"), key=asked.id)

    async def on_approval(self, press: Press, desk: Desk) -> Shown | None:
        return await self._on("approval", press)

    async def on_feedback(self, press: Press, desk: Desk) -> Shown | None:
        return await self._on("feedback", press)

    async def on_card(self, press: Press, desk: Desk) -> Shown | None:
        return await self._on("card", press)

    async def home(self, person: Person, desk: Desk) -> HomeView:
        await self._on("home", person)
        return HOME

    async def suggestions(self, desk: Desk) -> tuple[Suggestion, ...]:
        return (Suggestion("Why?", "Why did INC-42 happen?"),)

    def services(self, desk: Desk) -> tuple[str, ...]:
        return self.known

    async def order_form(self, kind: ActionKind, service: str, environment: str, person: Person, desk: Desk) -> OrderForm:
        self.asked.append(("form", (kind, service, environment)))
        places, claims = ("production", "staging"), (Claim.NONE, Claim.FIX)
        if service in self.slow:
            await self.slow[service].wait()
        if not service:
            return OrderForm(
                kind, self.known, places, "production", claims=claims, trouble="" if self.known else "There is nothing to deploy."
            )
        ran = tuple(Offer(f"v{n}", None, n != 42) for n in range(43, 43 - self.many, -1))
        return OrderForm(kind, self.known, places, environment or "production", service, ran, "v43", claims)

    async def versions_like(self, kind: ActionKind, service: str, environment: str, typed: str, desk: Desk) -> tuple[Offer, ...]:
        self.asked.append(("versions", (kind, service, environment, typed)))
        return (Offer("v142"),)

    async def check_order(self, asked: ChangeRequest, desk: Desk) -> Mapping[str, str]:
        return {"version": "There is no such version."} if asked.version == "wrong" else {}

    async def on_order(self, asked: ChangeRequest, desk: Desk) -> Shown:
        return await self._on("order", asked)

    async def on_opening(self, asked: Opening, desk: Desk) -> Shown:
        return await self._on("opening", asked)

    async def regroup_form(self, incident_id: str, desk: Desk) -> RegroupForm:
        self.asked.append(("regroup form", incident_id))
        return RegroupForm(incident_id, "INC-42", (), ())

    async def on_regroup(self, asked: Regroup, desk: Desk) -> Shown:
        return await self._on("regroup", asked)

    async def on_mapping(self, press: Press, desk: Desk) -> Shown | None:
        return await self._on("mapping", press)

    async def on_draft(self, press: Press, desk: Desk) -> Shown | None:
        return await self._on("draft", press)

    async def on_suggestion(self, press: Press, desk: Desk) -> Shown | None:
        return await self._on("suggestion", press)

    async def offered(self, typed: str, about: str, channel: str, desk: Desk) -> tuple[tuple[str, str], ...]:
        self.asked.append(("offered", (typed, about, channel)))
        return (("0123456789abcdef", "Payments retry storm"),)

    async def on_overheard(self, delivery: Delivery, id: str, channel: str, desk: Desk) -> bool:
        self.asked.append(("overheard", (id, channel, delivery)))
        return True

    async def on_pin(self, asked: Pin, desk: Desk) -> Shown | None:
        shown = await self._on("pin", asked)
        return shown if asked.asked else None

    @property
    def stories(self) -> Stories:
        names = [f.name for f in fields(Stories)]
        return Stories(**{name: getattr(self, name) for name in names})


@dataclass
class Scene:
    """A running workspace with our app connected to it."""

    workspace: Running
    flows: Remembering
    channel: SlackChannel
    front: Front

    async def card(self) -> str:
        return (await self.channel.post(Place("C0INCIDENTS"), CARD, key="card:i1")).ts

    async def press(self, ts: str, action_id: str, value: str = "", who: str = "U0ONCALL") -> dict[str, Any]:
        extra = {"value": value} if value else {}
        return await self.workspace.do("actions", **{"as": who}, channel="C0INCIDENTS", ts=ts, action_id=action_id, **extra)

    async def told(self, user: str = "U0ONCALL") -> list[str]:
        return [m["text"] for m in (await self.workspace.see("ephemerals", **{"as": user}))["messages"]]

    async def asked(self, many: int = 1) -> list[Any]:
        found: list[Any] = await self.workspace.until(lambda: len(self.flows.asked) >= many and self.flows.asked)
        return found


@asynccontextmanager
async def scene(**settings: Any) -> AsyncIterator[Scene]:
    async with running(**{"ack_seconds": 10.0, "retry_delays": (0.0, 0.2), **settings}) as workspace:
        flows = Remembering()
        client = connect(workspace.config.bot_token, f"{workspace.config.base_url}/api/")
        channel = SlackChannel(client)
        desk = cast(Desk, OnlyAChannel(channel))
        api = f"{workspace.config.base_url}/api/"
        app = build_app(desk, flows.stories, bot_token=workspace.config.bot_token, api_url=api)
        socket = SocketMode(app, workspace.config.app_token, api, ping_interval=1, watch=0.3)
        await socket.start()
        try:
            await workspace.until(lambda: socket.connected())
            yield Scene(workspace, flows, channel, Front(desk, flows.stories, client))
        finally:
            await socket.stop()


async def test_a_command_reaches_its_flow_and_is_answered_in_private() -> None:
    async with scene() as it:
        done = await it.workspace.do(
            "commands", **{"as": "U0ONCALL"}, channel="C0INCIDENTS", command="/incident", text="show INC-42"
        )
        assert done["acked"]
        [(name, request)] = await it.asked()
        assert name == "command"
        assert (request.command, request.words, request.person.id) == ("incident", ("show", "INC-42"), "U0ONCALL")
        [told] = await it.workspace.until(lambda: it.told())
        assert told.startswith("done &lt;!channel&gt;")
        assert await it.told("U0OUTSIDER") == []


async def test_a_mention_is_answered_once_in_its_thread() -> None:
    async with scene() as it:
        posted = await it.workspace.do(
            "messages", **{"as": "U0ONCALL"}, channel="C0INCIDENTS", text="@tocsin what changed in INC-42?"
        )
        [(_, asked)] = await it.asked()
        assert asked.text == "what changed in INC-42?"
        assert (asked.incident_hint, asked.place.thread) == ("INC-42", posted["ts"])

        async def answered() -> bool:
            return len(await it.workspace.messages(thread=posted["ts"])) == 2

        await it.workspace.until(answered)
        assert await it.channel.find("C0INCIDENTS", asked.id, posted["ts"]) is not None
        await asyncio.sleep(0.3)
        assert len(it.flows.asked) == 1  # app_mention and message of the same post


async def test_a_question_is_acknowledged_only_once_it_is_kept() -> None:
    """A bot that dies before its write gets the event again; here the write waits, and Slack sends the event again."""
    async with scene(ack_seconds=1.0) as it:
        it.flows.waits = asyncio.Event()
        await it.workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0INCIDENTS", text="@tocsin what changed?")

        async def sent_again() -> bool:
            entries = (await it.workspace.see("transcript"))["entries"]
            return any(entry["kind"] == "redelivered" for entry in entries)

        await it.workspace.until(sent_again)
        it.flows.waits.set()
        asked = await it.asked(2)
        assert len({question.id for _, question in asked}) == 1


async def test_a_direct_message_is_a_question_and_the_bots_own_answer_is_none() -> None:
    async with scene() as it:
        await it.workspace.do("messages", **{"as": "U0ONCALL"}, channel="U0TOCSIN", text="seen before?")
        [(name, asked)] = await it.asked()
        assert (name, asked.text) == ("question", "seen before?")
        await asyncio.sleep(0.3)
        assert len(it.flows.asked) == 1


async def test_a_message_in_a_channel_that_does_not_mention_the_bot_is_none_of_its_business() -> None:
    async with scene() as it:
        await it.workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0INCIDENTS", text="lunch?")
        await asyncio.sleep(0.3)
        assert it.flows.asked == []


@pytest.mark.parametrize(
    ("action_id", "value", "flow", "deed", "choice"),
    [
        ("rollback_propose", "", "approval", Deed.ROLLBACK_PROPOSE, None),
        ("incident_ack", "", "card", Deed.INCIDENT_ACK, None),
        ("incident_more", f"timeline:{INCIDENT.id}", "card", Deed.INCIDENT_MORE, More.TIMELINE),
    ],
)
async def test_a_button_of_the_card_reaches_its_flow_with_the_incidents_id(
    action_id: str, value: str, flow: str, deed: Deed, choice: More | None
) -> None:
    async with scene() as it:
        ts = await it.card()
        assert (await it.press(ts, action_id, value))["acked"]
        [(name, press)] = await it.asked()
        assert (name, press.action_id, press.choice, press.value) == (flow, deed, choice, INCIDENT.id)
        assert press.place == Place("C0INCIDENTS", ts)
        assert await it.workspace.until(lambda: it.told())


async def test_another_cause_is_asked_for_in_a_modal_and_reaches_its_flow_with_the_words() -> None:
    async with scene() as it:
        place = await it.channel.post(Place("C0INCIDENTS"), VIEWS["confirm"], key="confirm:i1")
        assert (await it.press(place.ts, "cause_other"))["acked"]

        async def modal() -> Any:
            found = (await it.workspace.see("modals", **{"as": "U0ONCALL"}))["modals"]
            return found[-1] if found else None

        opened = await it.workspace.until(modal)
        assert it.flows.asked == []
        values = {"words": {"text": "the provider's certificate ran out"}}
        done = await it.workspace.do("modals/submit", **{"as": "U0ONCALL"}, view_id=opened["id"], values=values)
        assert done["acked"]
        [(name, press)] = await it.asked()
        assert (name, press.action_id, press.value) == ("feedback", Deed.CAUSE_OTHER, INCIDENT.id)
        assert press.text == "the provider's certificate ran out"
        assert await it.workspace.until(lambda: it.told())


async def opened_modal(it: Scene, who: str = "U0ONCALL", words: str = "") -> Any:
    async def modal() -> Any:
        found = (await it.workspace.see("modals", **{"as": who}))["modals"]
        return found[-1] if found and words in str(found[-1]) else None

    return await it.workspace.until(modal)


async def submit(it: Scene, view: Any, **values: str) -> dict[str, Any]:
    """Send a modal; `values` are by the beginning of the block's id."""
    blocks = {b["block_id"]: b["element"]["action_id"] for b in view["blocks"]}
    given = {b: {action: v} for b, action in blocks.items() for name, v in values.items() if b.split(":")[0] == name}
    assert len(given) == len(values), blocks
    return await it.workspace.do("modals/submit", **{"as": "U0ONCALL"}, view_id=view["id"], values=given)


async def test_resolving_from_the_menu_asks_why_and_an_empty_reason_will_do() -> None:
    async with scene() as it:
        ts = await it.card()
        await it.press(ts, "incident_more", f"resolve:{INCIDENT.id}")
        await submit(it, await opened_modal(it))
        [(name, press)] = await it.asked()
        assert (name, press.action_id, press.text, press.cause) == ("card", Deed.INCIDENT_RESOLVE, "", "")


async def test_resolving_may_name_the_cause_too() -> None:
    async with scene() as it:
        ts = await it.card()
        await it.press(ts, "incident_more", f"resolve:{INCIDENT.id}")
        await submit(it, await opened_modal(it), words="it is over", cause="a bad retry")
        [(_, press)] = await it.asked()
        assert (press.text, press.cause) == ("it is over", "a bad retry")


async def test_silencing_asks_for_how_long_and_why() -> None:
    async with scene() as it:
        ts = await it.card()
        await it.press(ts, "incident_silence", INCIDENT.id)
        await submit(it, await opened_modal(it), span="4h", words="a known flap")
        [(name, press)] = await it.asked()
        assert (name, press.action_id, press.value) == ("card", Deed.INCIDENT_SILENCE, INCIDENT.id)
        assert (press.span, press.text, press.place) == ("4h", "a known flap", Place("C0INCIDENTS", ts))


async def test_the_home_page_is_published_when_it_is_opened() -> None:
    async with scene() as it:
        await it.workspace.do("home", **{"as": "U0ONCALL"})

        async def view() -> Any:
            return (await it.workspace.see("home", **{"as": "U0ONCALL"}))["view"]

        shown = await it.workspace.until(view)
        assert "INC-42" in str(shown)


async def test_the_acknowledgement_waits_for_no_flow() -> None:
    async with scene() as it:
        it.flows.waits = asyncio.Event()
        ts = await it.card()
        asks = {"as": "U0ONCALL"}
        command = await it.workspace.do("commands", **asks, channel="C0INCIDENTS", command="/runbook", text="x")
        press = await it.press(ts, "incident_ack")
        assert (command["acked"], press["acked"]) == (True, True)
        assert it.flows.asked == []
        it.flows.waits.set()
        await it.asked(2)


async def test_a_refusal_is_told_to_the_person_alone() -> None:
    async with scene() as it:
        it.flows.fails = NotAllowed("rule x", for_people="Only team-payments may approve this.")
        place = await it.channel.post(Place("C0INCIDENTS"), VIEWS["action"], key="action:a1")
        await it.press(place.ts, "action_approve", who="U0OUTSIDER")
        [told] = await it.workspace.until(lambda: it.told("U0OUTSIDER"))
        assert told == "Only team-payments may approve this."
        assert await it.told("U0ONCALL") == []


async def test_a_mistake_of_ours_is_told_with_a_reference_and_logged_with_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scene() as it:
        it.flows.fails = ZeroDivisionError("secret detail")
        ts = await it.card()
        await it.press(ts, "incident_ack")
        [told] = await it.workspace.until(lambda: it.told())
    assert told.startswith("Something broke inside Tocsin (ref ")
    assert "secret detail" not in told
    reference = told.partition("ref ")[2].partition(")")[0]
    [record] = [r for r in caplog.records if reference in r.getMessage()]
    assert record.exc_info is not None


async def test_a_dropped_connection_is_opened_again_and_requests_go_on() -> None:
    async with scene() as it:
        await it.workspace.do("sockets/disconnect", abrupt=True)

        async def heard() -> bool:
            asks = {"as": "U0ONCALL"}
            done = await it.workspace.do("commands", **asks, channel="C0INCIDENTS", command="/incident", text="list")
            return bool(done["acked"])

        await it.workspace.until(heard, seconds=15)
        assert await it.asked()


@pytest.mark.shared_data
async def test_every_message_is_taken_by_a_workspace_that_checks_structure_and_sizes() -> None:
    try:
        schema = block_schema()
    except FileNotFoundError:
        pytest.skip("the block schema is not there")
    async with scene(block_schema=schema) as it:
        for name, view in VIEWS.items():
            place = await it.channel.post(Place("C0INCIDENTS"), view, key=name)
            await it.channel.edit(place, view)
            assert await it.channel.find("C0INCIDENTS", name) == place


async def test_a_person_who_cannot_be_told_does_not_end_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    channel = FakeChannel(down=True)
    flows = Remembering(fails=NotAllowed("no"))
    front = Front(cast(Desk, OnlyAChannel(channel)), flows.stories, connect("xoxb-1"))
    person = Person("U1")
    with caplog.at_level(logging.WARNING):
        await front.serve(flows.on_card(cast(Press, None), front.desk), front.whisper(Place("C1"), person))
    assert "could not be told" in caplog.text


async def test_a_document_is_judged_and_another_one_linked_from_the_thread() -> None:
    async with scene() as it:
        place = await it.channel.post(Place("C0INCIDENTS"), VIEWS["evidence"], key="evidence:i1")
        about = f"incident:{INCIDENT.id}"
        ref = reference("runbook:payments/retry-storm.md")
        await it.press(place.ts, "suggestion_judge", f"not_useful:{ref}")
        [(name, press)] = await it.asked()
        assert (name, press.action_id, press.value) == ("suggestion", Deed.SUGGESTION_JUDGE, about)
        assert press.text == f"not_useful:{ref}"

        await it.press(place.ts, "suggestion_link")
        opened = await it.workspace.until(lambda: opened_modal(it, words="tocsin_link"))
        values = {"document": {"link_document": "0123456789abcdef"}, "words": {"text": ""}}
        done = await it.workspace.do("modals/submit", **{"as": "U0ONCALL"}, view_id=opened["id"], values=values)
        assert done["acked"]
        found = await it.workspace.until(lambda: it.asked(2))
        assert (found[-1][0], found[-1][1].action_id, found[-1][1].value) == ("suggestion", Deed.SUGGESTION_LINK, about)
