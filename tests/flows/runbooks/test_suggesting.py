"""What people say of a suggestion counts from the next search on: links come first, useless pages step back, twice is once."""

from dataclasses import replace

import pytest

from bot.domain.document import Document, DocumentKind, Inquiry, Tier
from bot.domain.incident import Incident
from bot.domain.interaction import Feature, Interaction, Opinion
from bot.domain.request import Deed, Person, Press
from bot.domain.suggestion import reference
from bot.domain.view import NoteView, Place
from bot.errors import NotFound
from bot.flows.desk import Desk
from bot.flows.runbooks.knowing import Reader, audience_of, same_trouble
from bot.flows.runbooks.suggesting import offered, on_suggestion
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock, a_member, an_incident

RETRY = Document(
    "runbook:payments/retry.md",
    DocumentKind.RUNBOOK,
    "Payments retry storm",
    "## First look\n\nWatch retries of payments, which answers with errors.",
    link="https://runbooks.example.com/retry",
    alerts=("HighErrorRate",),
)
PROVIDER = Document(
    "runbook:payments/provider.md", DocumentKind.RUNBOOK, "Card provider down", "## Call them\n\nThe number is on the wall."
)
SECRET = Document(
    "runbook:security/keys.md", DocumentKind.RUNBOOK, "Rotate signing keys", "## How\n\nRotate.", channels=("security",)
)
ASKED = Inquiry(name="HighErrorRate", text="payments answers with errors: retries", services=("payments",))


@pytest.fixture
async def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    desk = a_desk(database, clock, documents=(RETRY, PROVIDER, SECRET))
    await desk.library.sync()
    return desk


@pytest.fixture
async def incident(desk: Desk) -> Incident:
    members = (a_member(name="HighErrorRate", service="payments"),)
    return await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0, members=members)))


async def press(desk: Desk, about: str, words: str, *, person: str = "U0ONCALL") -> str:
    pressed = Press(Person(person), Place("C-PAYMENTS", "9.1"), Deed.SUGGESTION_JUDGE, about, "t", "p", text=words)
    shown = await on_suggestion(pressed, desk)
    assert isinstance(shown, NoteView)
    return shown.text


async def choose(desk: Desk, about: str, *, ref: str = "", pasted: str = "", channel: str = "C-PAYMENTS") -> str:
    pressed = Press(Person("U1"), Place(channel), Deed.SUGGESTION_LINK, about, "t", "p", text=pasted, choice_ref=ref)
    shown = await on_suggestion(pressed, desk)
    assert isinstance(shown, NoteView)
    return shown.text


async def found(desk: Desk, incident: Incident | None = None, inquiry: Inquiry = ASKED) -> list[tuple[str, Tier]]:
    findings = await Reader(desk, incident).find(inquiry, DocumentKind.RUNBOOK)
    return [(f.document.id, f.tier) for f in findings.found]


async def test_a_linked_runbook_is_first_from_then_on_and_the_deed_is_on_record(desk: Desk, incident: Incident) -> None:
    about = f"incident:{incident.id}"
    assert (await found(desk))[0][0] == RETRY.id
    said = await press(desk, about, f"link:{reference(PROVIDER.id)}")
    assert said == "Card provider down is linked to HighErrorRate on payments. It comes first from now on."
    assert (await found(desk))[0] == (PROVIDER.id, Tier.CONFIRMED)
    assert await press(desk, about, f"link:{reference(PROVIDER.id)}") == "You said so already; thank you."
    assert [e.deed for e in await desk.db.read(desk.ledger.entries)] == ["linked a runbook"]
    (feedback,) = await desk.db.read(lambda tx: desk.journal.feedback(tx, incident_id=incident.id))
    assert (feedback.opinion, feedback.document, feedback.user) == (Opinion.LINKED, PROVIDER.id, "U0ONCALL")
    said = await press(desk, about, f"unlink:{reference(PROVIDER.id)}", person="U2")
    assert said == "Card provider down is no longer linked to HighErrorRate on payments."
    assert (await found(desk))[0][0] == RETRY.id


async def test_a_neighbour_inherits_a_link_once_a_second_person_says_so(desk: Desk, incident: Incident) -> None:
    elsewhere = replace(ASKED, services=("search",))
    about = f"incident:{incident.id}"
    await press(desk, about, f"link:{reference(PROVIDER.id)}", person="U1")
    assert (PROVIDER.id, Tier.CONFIRMED) not in await found(desk, inquiry=elsewhere)
    await press(desk, about, f"link:{reference(PROVIDER.id)}", person="U2")
    assert (PROVIDER.id, Tier.CONFIRMED) in await found(desk, inquiry=elsewhere)


async def test_what_two_people_found_useless_steps_back_but_never_what_the_alert_itself_links(
    desk: Desk, incident: Incident
) -> None:
    about = f"incident:{incident.id}"
    for person in ("U1", "U2"):
        await press(desk, about, f"not_useful:{reference(RETRY.id)}", person=person)
    assert all(tier is Tier.POSSIBLE for id, tier in await found(desk) if id == RETRY.id)
    linked = replace(ASKED, runbook_url=RETRY.link)
    assert (RETRY.id, Tier.LINKED) in await found(desk, inquiry=linked)


async def test_a_runbook_linked_to_a_question_answers_it_in_other_order_too(desk: Desk) -> None:
    asked = Interaction("a1", NOON, Feature.RUNBOOK, "rules", question="printer burns fiercely")
    await desk.db.write(lambda tx: desk.journal.add(tx, asked))
    await press(desk, "answer:a1", f"link:{reference(PROVIDER.id)}")
    assert (await found(desk, inquiry=Inquiry(text="Fiercely burns the printer")))[0] == (PROVIDER.id, Tier.CONFIRMED)
    assert await found(desk, inquiry=Inquiry(text="the scanner hums")) == []


async def test_a_pasted_link_or_title_names_a_runbook_that_the_channel_may_see(desk: Desk, incident: Incident) -> None:
    about = f"incident:{incident.id}"
    assert "Payments retry storm is linked" in await choose(desk, about, pasted="<https://runbooks.example.com/retry#first|x>")
    assert "Card provider down is linked" in await choose(desk, about, pasted="card provider DOWN")
    for pasted in ("https://elsewhere.example/x", "Rotate signing keys", "#", ""):
        with pytest.raises(NotFound):
            await choose(desk, about, pasted=pasted)
    assert "Rotate signing keys is linked" in await choose(desk, about, ref=reference(SECRET.id), channel="C-SECURITY")


async def test_the_form_offers_what_fits_and_nothing_that_the_channel_may_not_see(desk: Desk, incident: Incident) -> None:
    about = f"incident:{incident.id}"
    assert next(t for _, t in await offered("card", about, "C-PAYMENTS", desk)) == "Card provider down"
    everything = await offered("", about, "C-PAYMENTS", desk)
    assert {title for _, title in everything} == {"Payments retry storm", "Card provider down"}
    assert "Rotate signing keys" in {title for _, title in await offered("rotate", about, "C-SECURITY", desk)}


async def test_what_was_kept_to_others_meanwhile_is_not_named_by_an_old_button(desk: Desk, incident: Incident) -> None:
    with pytest.raises(NotFound) as caught:
        await press(desk, f"incident:{incident.id}", f"useful:{reference(SECRET.id)}")
    assert SECRET.title not in str(caught.value)


async def test_the_timeline_which_everybody_reads_does_not_name_a_restricted_runbook(desk: Desk, incident: Incident) -> None:
    await desk.library.remember(replace(SECRET, channels=("C-PAYMENTS",)))
    assert SECRET.title in await choose(desk, f"incident:{incident.id}", ref=reference(SECRET.id))
    entries = await desk.db.read(lambda tx: desk.timeline.of(tx, incident.id))
    assert [e.text for e in entries] == ["linked a runbook that not everybody may see to HighErrorRate on payments"]


async def test_the_chat_being_down_hides_what_is_restricted_and_stops_nothing(desk: Desk) -> None:
    desk.channel.down = True  # type: ignore[attr-defined]  # a FakeChannel
    assert (await audience_of("#payments", desk)).channels == {"#payments", "payments"}
    assert (await found(desk))[0][0] == RETRY.id


async def test_what_is_gone_is_said_plainly(desk: Desk, incident: Incident) -> None:
    for about, words in (("incident:none", "useful:x"), ("answer:none", "useful:x"), (f"incident:{incident.id}", "useful:x")):
        with pytest.raises(NotFound):
            await press(desk, about, words)


def test_incidents_that_were_open_together_or_are_merged_are_no_past_of_each_other() -> None:
    now, mine = NOON.replace(hour=13), an_incident(id="a", number=1, opened_at=NOON)
    earlier = an_incident(id="b", number=2, opened_at=NOON.replace(hour=9), resolved_at=NOON.replace(hour=10))
    assert not same_trouble(earlier, mine, now)
    assert same_trouble(replace(earlier, resolved_at=NOON.replace(minute=5)), mine, now)
    assert same_trouble(replace(earlier, merged_into=mine.key), mine, now)
    assert same_trouble(mine, mine, now)
