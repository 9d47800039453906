"""What people think of answers is kept once; a cause that a person confirms becomes knowledge and stays it."""

from dataclasses import replace
from functools import partial

import pytest

from bot.domain.document import Document, DocumentKind, Inquiry
from bot.domain.evidence import Candidate, Confidence, Diagnosis, Fact, Verdict, named_cause
from bot.domain.incident import Incident, Status
from bot.domain.interaction import Feature, Interaction
from bot.domain.request import Deed, Person, Press
from bot.domain.view import NoteView, Place
from bot.errors import NotFound
from bot.flows.desk import Desk
from bot.flows.feedback import on_press
from bot.investigation.quality import measure
from bot.knowledge.library import Library
from bot.storage.database import SqlDatabase
from bot.wiring import Stores, confirmed_incidents
from tests.desk import a_desk, handlers
from tests.fakes import NOON, FakeClock, an_incident

CAUSE = Candidate("github:1", "payments", "raise retries", version="v43", commit="3f2c1a9" + "0" * 33)


@pytest.fixture
async def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    desk = a_desk(database, clock)
    await desk.library.sync()
    return desk


def convicted(**fields: object) -> Diagnosis:
    given = {"verdict": Verdict.CONVICTED, "confidence": Confidence.STRONG, "summary": "payments v43", "at": NOON, "cause": CAUSE}
    return Diagnosis(**{**given, **fields})  # type: ignore[arg-type]  # the test gives what it means


async def resolved(desk: Desk) -> Incident:
    over = an_incident(version=0, status=Status.RESOLVED, resolved_at=desk.clock(), resolved_by="alerts cleared")
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, over))
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, convicted()))
    return incident


async def press(desk: Desk, deed: Deed, value: str, *, text: str = "", person: str = "U0ONCALL") -> str:
    pressed = Press(Person(person), Place("C-PAYMENTS", "9.1"), deed, value, "t", "p", text=text)
    shown = await on_press(pressed, desk)
    assert isinstance(shown, NoteView)
    return shown.text


async def seen_before(library: Library) -> list[str]:
    inquiry = Inquiry(name="HighErrorRate", text="payments answers with errors", services=("payments",))
    return [f.document.facts["cause"] for f in (await library.find(inquiry, DocumentKind.INCIDENT)).found]


async def test_a_judgement_given_twice_counts_once(desk: Desk) -> None:
    answer = Interaction("answer-1", NOON, Feature.QUESTION, "rules")
    await desk.db.write(lambda tx: desk.journal.add(tx, answer))
    assert await press(desk, Deed.ANSWER_USEFUL, "answer-1") == "Thank you, noted."
    assert await press(desk, Deed.ANSWER_USEFUL, "answer-1") == "You said so already; thank you."
    assert await press(desk, Deed.ANSWER_USEFUL, "answer-1", person="U0APPROVER") == "Thank you, noted."


async def test_a_confirmed_cause_is_on_the_incident_in_the_audit_and_found_at_once(desk: Desk) -> None:
    incident = await resolved(desk)
    said = await press(desk, Deed.CAUSE_CONFIRM, incident.id)
    assert "payments v43: raise retries (3f2c1a9)" in said
    kept = await desk.db.read(lambda tx: desk.incidents.get(tx, incident.id))
    assert kept is not None
    assert (kept.confirmed_cause, kept.confirmed_by) == ("payments v43: raise retries (3f2c1a9)", "U0ONCALL")
    assert await seen_before(desk.library) == ["payments v43: raise retries (3f2c1a9)"]
    ledger = await desk.db.read(desk.ledger.entries)
    assert (ledger[-1].deed, ledger[-1].actor) == ("confirmed cause", "U0ONCALL")
    await desk.work.run_all(handlers(desk))


async def test_a_confirmed_cause_counts_for_the_rules_that_the_card_names_whatever_a_model_did_since(desk: Desk) -> None:
    incident = await resolved(desk)
    look = Interaction("look", NOON, Feature.DIAGNOSIS, "rules", incident.id, confidence="strong", cause="github:1")
    thought = replace(look, id="thought", engine="model", confidence="", cause="other", error="took too long")
    for entry in (look, thought, replace(thought, id="thought-2", error="")):
        await desk.db.write(lambda tx, e=entry: desk.journal.add(tx, e))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    await press(desk, Deed.CAUSE_CONFIRM, incident.id)
    found = await desk.db.read(lambda tx: measure(desk.journal.every(tx), desk.journal.feedback(tx)))
    assert (found.right, found.told) == (1, 1)
    assert [(c.word, c.named, c.right) for c in found.calibration] == [("strong", 1, 1)]


async def test_another_cause_in_a_persons_words_replaces_the_suspicion_and_hides_secrets(desk: Desk) -> None:
    incident = await resolved(desk)
    await press(desk, Deed.CAUSE_OTHER, incident.id, text="a certificate ran out; password=hunter2hunter2")
    (cause,) = await seen_before(desk.library)
    assert cause.startswith("a certificate ran out")
    assert "hunter2hunter2" not in cause


async def test_a_confirmed_cause_survives_a_restart(desk: Desk, database: SqlDatabase) -> None:
    incident = await resolved(desk)
    await press(desk, Deed.CAUSE_CONFIRM, incident.id)

    def source() -> list[Document]:
        return database.read_now(partial(confirmed_incidents, stores=Stores()))

    after = Library([source], None)
    await after.sync()
    assert await seen_before(after) == ["payments v43: raise retries (3f2c1a9)"]


async def test_an_incident_whose_cause_nobody_confirmed_is_no_knowledge(desk: Desk, database: SqlDatabase) -> None:
    await resolved(desk)
    assert database.read_now(partial(confirmed_incidents, stores=Stores())) == []


async def test_confirming_twice_changes_the_cause_and_keeps_one_document(desk: Desk) -> None:
    incident = await resolved(desk)
    await press(desk, Deed.CAUSE_CONFIRM, incident.id)
    await press(desk, Deed.CAUSE_OTHER, incident.id, text="the provider was down")
    assert await seen_before(desk.library) == ["the provider was down"]


async def test_an_incident_that_is_gone_is_said_plainly(desk: Desk) -> None:
    with pytest.raises(NotFound, match="/incident list"):
        await press(desk, Deed.CAUSE_CONFIRM, "no-such")


@pytest.mark.parametrize(
    ("diagnosis", "words"),
    [
        (None, "not known"),
        (convicted(), "payments v43: raise retries (3f2c1a9)"),
        (
            convicted(verdict=Verdict.OPERATIONAL, cause=None, operational_cause=Fact("the provider is down", 3.0)),
            "the provider is down",
        ),
        (convicted(verdict=Verdict.UNDETERMINED, cause=None, summary="nothing is certain"), "nothing is certain"),
    ],
    ids=["no diagnosis", "convicted", "operational", "undetermined"],
)
def test_the_cause_is_named_in_a_few_words(diagnosis: Diagnosis | None, words: str) -> None:
    assert named_cause(diagnosis) == words
