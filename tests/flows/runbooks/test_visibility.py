"""Documents that are kept to channels or groups are seen from nowhere else, one test for each way by which people see them."""

from dataclasses import replace

import pytest

from bot.domain.document import Audience, Document, DocumentKind, Inquiry
from bot.domain.evidence import Claim, Thought
from bot.domain.incident import Incident
from bot.domain.request import CommandRequest, Deed, More, Person, Press, Question
from bot.domain.view import AnswerView, CatchupView, EvidenceView, IncidentView, Place, RunbookView, Shown
from bot.flows import announce, command, tending
from bot.flows.asking.question import on_question
from bot.flows.desk import Desk
from bot.flows.investigation import collect
from bot.flows.runbooks import knowing
from bot.flows.runbooks.suggesting import offered
from bot.investigation.diagnose import diagnose
from bot.investigation.exhibits import Exhibits
from bot.investigation.tools import Looks
from bot.knowledge.library import Library
from bot.ports import Card
from bot.storage.database import SqlDatabase
from tests.desk import a_desk, handlers
from tests.fakes import FakeClock, an_incident

SECRET = "vault-of-payments"
OPEN = Document(
    id="runbook:open",
    kind=DocumentKind.RUNBOOK,
    title="Errors in general",
    text="# Errors in general\n\n## Steps\n\nCompare the error ratio of payments by version.\n",
)
FILLER = tuple(
    Document(
        f"runbook:filler{n}", DocumentKind.RUNBOOK, f"About {w}", f"# About {w}\n\n## Steps\n\nLook at the {w} and its logs.\n"
    )
    for n, w in enumerate(["broker", "disk", "certificate", "queue", "index", "cache", "router", "printer", "gateway", "clock"])
)
CLOSED = Document(
    id="runbook:closed",
    kind=DocumentKind.RUNBOOK,
    title=f"Payments errors {SECRET}",
    text=f"# Payments errors\n\n## Steps\n\nCompare the error ratio of payments by version, open the {SECRET}.\n",
    services=("payments",),
    alerts=("HighErrorRate",),
    link="https://wiki.example/closed",
    channels=("#payments",),
)
PAST = replace(
    CLOSED,
    id="incident:INC-3",
    kind=DocumentKind.INCIDENT,
    text=f"HighErrorRate: payments answers with errors, {SECRET}",
    facts={"cause": f"the {SECRET} was locked", "confirmed_by": "U1"},
)
HOME, ELSEWHERE = "C-PAYMENTS", "C-WEB"


@pytest.fixture
async def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    desk = a_desk(database, clock, documents=(*FILLER, OPEN, CLOSED, PAST))
    await desk.library.sync()
    return desk


async def diagnosed(desk: Desk, channel: str = "#payments") -> Incident:
    """An incident whose diagnosis cites the closed runbook and the closed past incident, as its home channel may see them."""
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0, channel=channel)))
    diagnosis = diagnose(await collect(incident, desk))
    quote = replace(diagnosis.evidence[-1], id="E90", text=SECRET)
    thought = Thought(("x",), desk.clock(), "m", claims=(Claim(f"Open the {SECRET}.", ("E90",)),), evidence=(quote,))
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, replace(diagnosis, thought=thought)))
    card = Card(f"card:{incident.id}", Place(HOME, "1.0"))
    await desk.db.write(lambda tx: desk.cards.put(tx, card))
    return incident


async def typed(desk: Desk, line: str, channel: str, person: str = "U1") -> Shown:
    word, _, text = line.removeprefix("/").partition(" ")
    request = CommandRequest(Person(person), channel, word, tuple(text.split()), text, "t1", f"{line} {channel} {person}")
    return await command.on_command(request, desk)


async def answered(desk: Desk, text: str, channel: str, hint: str = "", person: str = "U1") -> str:
    question = Question(Person(person), Place(channel, "9.5", "9.1"), text, hint, f"{channel}:{text}:{person}")
    await on_question(question, desk)
    await desk.work.run_all(handlers(desk))
    view = [p.view for p in desk.channel.posts if isinstance(p.view, AnswerView)][-1]
    return repr(view)


def a_press(incident_id: str, channel: str) -> Press:
    return Press(
        person=Person("U1"),
        place=Place(channel, "1.0"),
        action_id=Deed.INCIDENT_MORE,
        value=incident_id,
        trigger_id="t1",
        id=f"press {channel}",
        choice=More.EXPLAIN,
    )


def shows(what: object) -> bool:
    return SECRET in repr(what)


async def test_a_runbook_is_found_by_command_where_it_belongs_and_nowhere_else(desk: Desk) -> None:
    for channel, seen in ((HOME, True), (ELSEWHERE, False), ("D0DIRECT", False)):
        view = await typed(desk, "/runbook compare the error ratio of payments by version", channel)
        assert isinstance(view, RunbookView)
        assert shows(view) is seen, channel


@pytest.mark.parametrize(
    "text",
    ["which runbook compares the error ratio of payments by version?", "what should I check next?", "have we seen this before?"],
)
async def test_an_answer_in_a_thread_holds_only_what_its_channel_may_see(desk: Desk, text: str) -> None:
    incident = await diagnosed(desk)
    assert shows(await answered(desk, text, HOME, incident.id))
    assert not shows(await answered(desk, text, ELSEWHERE, incident.id))


async def test_the_evidence_of_an_incident_is_told_elsewhere_without_what_was_quoted(desk: Desk) -> None:
    incident = await diagnosed(desk)
    assert not shows(await answered(desk, "why is this happening?", ELSEWHERE, incident.id))
    for line in ("/incident show INC-42", "/incident catchup INC-42"):
        here, there = await typed(desk, line, HOME), await typed(desk, line, ELSEWHERE)
        assert isinstance(here, IncidentView | CatchupView)
        assert shows(here), line
        assert not shows(there), line
    for channel, seen in ((HOME, True), (ELSEWHERE, False)):
        press = a_press(incident.id, channel)
        view = await tending.on_press(press, desk)
        assert isinstance(view, EvidenceView)
        assert shows(view) is seen


@pytest.mark.parametrize(("place", "seen"), [(HOME, True), (ELSEWHERE, False)])
async def test_a_card_holds_what_the_channel_that_it_stands_in_may_see(desk: Desk, place: str, seen: bool) -> None:
    incident = await diagnosed(desk)
    await desk.db.write(lambda tx: desk.cards.put(tx, Card(f"card:{incident.id}", Place(place))))
    for kind in ("card", "evidence", "thought"):
        await announce.refresh({"key": f"{kind}:{incident.id}"}, desk)
    assert [p.key.split(":")[0] for p in desk.channel.posts] == ["card", "evidence", "thought"]
    assert {p.place.channel for p in desk.channel.posts} == {place}
    for post in desk.channel.posts:
        assert shows(post.views) is seen, post.key


async def test_pointers_in_other_channels_tell_nothing_of_it(desk: Desk) -> None:
    incident = await diagnosed(desk)
    key = f"pointer:{incident.id}:#web"
    await announce.refresh({"key": key}, desk)
    assert [p.key for p in desk.channel.posts] == [key]
    assert not shows(desk.channel.posts)


async def test_the_first_look_at_an_incident_sees_what_its_home_will_see(desk: Desk) -> None:
    for service, seen in (("payments", True), ("storefront", False)):
        incident = an_incident(version=0, id=service, number=50 + len(service), service=service, channel="")
        incident = replace(incident, members=tuple(replace(m, service=service) for m in incident.members))
        await desk.db.write(lambda tx, incident=incident: desk.incidents.save(tx, incident))
        assert shows((await collect(incident, desk)).runbooks) is seen


async def test_a_models_look_sees_what_the_incidents_channel_may_see_and_marks_it(desk: Desk) -> None:
    for channel, seen in (("#payments", True), ("#web", False)):
        incident = an_incident(channel=channel)
        exhibits = Exhibits()
        looks = Looks(await collect(incident, desk), {}, exhibits, knowing.Reader(desk, incident))
        search = next(tool for tool in looks.tools if tool.name == "runbook_section")
        assert shows(await search.run({"words": "payments errors ratio"})) is seen
        quoted = [e for e in exhibits.all if SECRET in e.text]
        assert all(not e.only.lets(Audience()) for e in quoted)
        assert bool(quoted) is seen


async def test_a_link_in_an_alert_opens_nothing_that_the_channel_may_not_see(desk: Desk) -> None:
    inquiry = Inquiry("HighErrorRate", runbook_url="https://wiki.example/closed", confirmed=("runbook:closed",))
    for channel, seen in ((HOME, True), (ELSEWHERE, False), ("", False)):
        found = await knowing.Reader(desk, channel=channel).find(inquiry, DocumentKind.RUNBOOK)
        assert shows(found) is seen


async def test_the_menu_of_runbooks_offers_only_what_the_channel_may_see(desk: Desk) -> None:
    incident = await diagnosed(desk)
    for typed_words in ("payments", SECRET):
        assert shows(await offered(typed_words, f"incident:{incident.id}", HOME, desk))
        assert not shows(await offered(typed_words, f"incident:{incident.id}", ELSEWHERE, desk))


async def test_groups_count_where_a_person_reads_alone(database: SqlDatabase, clock: FakeClock) -> None:
    document = replace(CLOSED, channels=(), groups=("@payments-oncall",))
    desk = a_desk(database, clock, documents=(*FILLER, OPEN, document))
    await desk.library.sync()
    desk.channel.memberships = {"U1": ("S01", "payments-oncall")}
    assert shows(await typed(desk, "/runbook compare the error ratio of payments by version", ELSEWHERE, "U1"))
    assert not shows(await typed(desk, "/runbook compare the error ratio of payments by version", ELSEWHERE, "U2"))
    asked = "which runbook compares the error ratio of payments by version?"
    assert shows(await answered(desk, asked, "D0DIRECT", person="U1"))
    assert not shows(await answered(desk, asked, "D0DIRECT", person="U2"))
    assert not shows(await answered(desk, asked, ELSEWHERE, person="U1"))  # everybody in that channel reads the answer


async def test_while_the_chat_is_away_nothing_more_is_seen(desk: Desk) -> None:
    desk.channel.down = True
    found = await knowing.Reader(desk, channel="#web").find(Inquiry(text="payments errors"), DocumentKind.RUNBOOK)
    assert not shows(found)


async def test_what_is_hidden_moves_no_score_and_takes_no_place() -> None:
    inquiry = Inquiry(text="compare the error ratio of payments by version")
    crowd = [replace(CLOSED, id=f"runbook:closed{n}") for n in range(40)]
    with_them, without = Library([lambda: (*FILLER, *crowd, OPEN)], None), Library([lambda: (*FILLER, OPEN)], None)
    await with_them.sync()
    await without.sync()
    seen, alone = (lib.search(inquiry, DocumentKind.RUNBOOK) for lib in (with_them, without))
    assert [f.document.id for f in alone.found] == ["runbook:open"]
    assert (seen.found, seen.note) == (alone.found, alone.note)
    assert with_them.ranking(inquiry, DocumentKind.RUNBOOK) == without.ranking(inquiry, DocumentKind.RUNBOOK)
