"""Commands: each does one thing, says so to the person who typed it, and shows on the card what changed."""

from datetime import timedelta

import pytest

from bot.domain.document import Document, DocumentKind
from bot.domain.incident import Incident, Status
from bot.domain.interaction import Feature
from bot.domain.request import CommandRequest, Deed, More, Person, Press
from bot.domain.view import CatchupView, IncidentView, ListView, NoteView, Place, RunbookView, Shown, TimelineView
from bot.errors import BotError, NotFound
from bot.flows.command import on_command
from bot.flows.desk import Desk
from bot.flows.tending import on_press, parse_span
from bot.slack.blocks import render
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock, an_incident

RUNBOOK = Document(
    id="payments/errors",
    kind=DocumentKind.RUNBOOK,
    title="Payments answer with errors",
    text="# Payments answer with errors\n\n## First look\n\nCompare the error ratio by version.\n",
    services=("payments",),
)


@pytest.fixture
async def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    desk = a_desk(database, clock, documents=(RUNBOOK,))
    await desk.library.sync()
    return desk


async def kept(desk: Desk, **fields: object) -> Incident:
    return await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0, **fields)))


async def now(desk: Desk, incident: Incident) -> Incident:
    found = await desk.db.read(lambda tx: desk.incidents.get(tx, incident.id))
    assert found is not None
    return found


async def run(desk: Desk, line: str, person: str = "U0ONCALL") -> Shown:
    command, _, text = line.removeprefix("/").partition(" ")
    request = CommandRequest(Person(person), "C-PAYMENTS", command, tuple(text.split()), text, "t1", f"id of {line}")
    return await on_command(request, desk)


async def note(desk: Desk, line: str, person: str = "U0ONCALL") -> str:
    shown = await run(desk, line, person)
    assert isinstance(shown, NoteView)
    return shown.text


async def test_list_shows_the_open_ones_and_all_the_newest(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk)
    await kept(desk, id="over", number=41, status=Status.RESOLVED, resolved_at=clock())
    few, every = await run(desk, "/incident list"), await run(desk, "/incident list all")
    assert isinstance(few, ListView)
    assert isinstance(every, ListView)
    assert [i.id for i in few.incidents] == [incident.id]
    assert {i.id for i in every.incidents} == {incident.id, "over"}
    assert isinstance(await run(desk, "/incident"), ListView)


async def test_ack_is_the_first_persons_and_shows_on_the_card(desk: Desk) -> None:
    incident = await kept(desk)
    assert await note(desk, "/incident ack") == "INC-42 is yours."
    assert await note(desk, "/incident ack", "U0APPROVER") == "INC-42 is acknowledged already."
    assert await note(desk, "/incident ack") == "INC-42 is acknowledged already by you."
    assert (await now(desk, incident)).acknowledged_by == "U0ONCALL"
    assert desk.work.named("first_card")


async def test_resolve_ends_it_with_the_reason_and_asks_for_the_cause(desk: Desk) -> None:
    incident = await kept(desk)
    assert await note(desk, "/incident resolve INC-42 it was a test") == "INC-42 is resolved."
    done = await now(desk, incident)
    assert not done.live
    told = await desk.db.read(lambda tx: [e.text for e in desk.timeline.of(tx, incident.id)])
    assert "resolved: it was a test" in told
    assert f"confirm:{incident.id}" in [s.args["key"] for s in desk.work.named("refresh")]
    ledger = await desk.db.read(desk.ledger.entries)
    assert (ledger[-1].actor, ledger[-1].deed) == ("U0ONCALL", "resolved")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("2 h", timedelta(hours=1)),
        ("9999d", timedelta(days=30)),
        ("", timedelta(hours=1)),
        ("for ever", timedelta(hours=1)),
    ],
)
def test_spans_are_read_as_people_write_them(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize("words", ["service~payments", "payments 2h", "everything"])
async def test_a_matcher_that_is_none_silences_nothing(desk: Desk, words: str) -> None:
    incident = await kept(desk)
    said = await note(desk, f"/incident silence {words}")
    assert said.startswith(f"{words.split()[0]!r} is neither an incident")
    assert (await now(desk, incident)).silenced_until is None


async def test_silence_lasts_as_long_as_asked(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk)
    said = await note(desk, "/incident silence INC-42 2h")
    assert (await now(desk, incident)).silenced_until == clock() + timedelta(hours=2)
    assert "silent until 2026-11-22 14:00 UTC" in said


async def test_show_timeline_and_catchup_look_and_change_nothing(desk: Desk) -> None:
    incident = await kept(desk)
    assert isinstance(await run(desk, "/incident show"), IncidentView)
    assert isinstance(await run(desk, "/incident timeline inc-42"), TimelineView)
    assert isinstance(await run(desk, "/incident catchup"), CatchupView)
    assert (await now(desk, incident)).version == incident.version


async def test_an_unknown_verb_is_answered_with_the_nearest_one(desk: Desk) -> None:
    said = await note(desk, "/incident resovle")
    assert "I do not know `/incident resovle`" in said
    assert "Did you mean `/incident resolve`?" in said
    assert "Did you mean" not in await note(desk, "/incident qqqqq")


async def test_without_an_incident_it_says_where_to_look(desk: Desk) -> None:
    with pytest.raises(NotFound, match=r"No incident is open. `/incident list all`"):
        await run(desk, "/incident ack")
    with pytest.raises(NotFound, match=r"There is no INC-99. `/incident list all`"):
        await run(desk, "/incident show inc-99")


async def test_a_resolved_incident_cannot_be_resolved_or_acknowledged_again(desk: Desk) -> None:
    await kept(desk)
    await run(desk, "/incident resolve INC-42")
    for verb in ("resolve", "ack"):
        with pytest.raises(BotError, match="INC-42"):
            await run(desk, f"/incident {verb} INC-42")


async def test_usage_is_told_where_words_are_missing(desk: Desk) -> None:
    assert "/deploy <service> <version>" in await note(desk, "/deploy payments")
    assert "/rollback <service>" in await note(desk, "/rollback")
    assert "/runbook <question>" in await note(desk, "/runbook")
    assert "/incident list" in await note(desk, "/nonsense")


async def test_a_service_that_nobody_knows_cannot_be_rolled_back(desk: Desk) -> None:
    with pytest.raises(BotError, match="nosuch"):
        await run(desk, "/rollback nosuch v1")


async def test_runbook_finds_the_section(desk: Desk) -> None:
    shown = await run(desk, "/runbook payments answer with errors")
    assert isinstance(shown, RunbookView)
    assert [f.document.title for f in shown.found] == ["Payments answer with errors"]


async def test_what_runbook_answers_is_in_the_journal_and_can_be_judged(desk: Desk) -> None:
    shown = await run(desk, "/runbook payments answer with errors")
    assert isinstance(shown, RunbookView)
    (entry,) = await desk.db.read(desk.journal.recent)
    assert entry.id == shown.interaction_id
    assert (entry.feature, entry.question) == (Feature.RUNBOOK, "payments answer with errors")
    assert entry.answer == "Payments answer with errors › First look"
    assert [r.document for r in entry.retrieved] == ["payments/errors"]
    buttons = [e["action_id"] for b in render(shown, ()).blocks if b["type"] == "actions" for e in b["elements"]]
    assert buttons == [Deed.ANSWER_USEFUL, Deed.ANSWER_NOT_USEFUL, Deed.SUGGESTION_LINK]


async def test_status_tells_the_bots_own_state(desk: Desk) -> None:
    await kept(desk)
    said = await note(desk, "/tocsin status")
    assert "1 open incidents" in said
    assert "answers come from rules" in said
    assert "/incident list" in await note(desk, "/tocsin help")


@pytest.mark.parametrize(
    ("deed", "choice", "shown"),
    [
        (Deed.INCIDENT_ACK, None, NoteView),
        (Deed.INCIDENT_SILENCE, None, NoteView),
        (Deed.INCIDENT_RESOLVE, None, NoteView),
        (Deed.INCIDENT_MORE, More.TIMELINE, TimelineView),
        (Deed.INCIDENT_MORE, More.CATCHUP, CatchupView),
        (Deed.INCIDENT_MORE, More.EXPLAIN, CatchupView),  # there is no diagnosis yet
    ],
)
async def test_a_cards_buttons_do_what_the_commands_do(desk: Desk, deed: Deed, choice: More | None, shown: type) -> None:
    incident = await kept(desk)
    press = Press(Person("U0ONCALL"), Place("C-PAYMENTS", "9.1"), deed, incident.id, "t", "p1", choice)
    assert isinstance(await on_press(press, desk), shown)
