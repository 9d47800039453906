"""Questions in a thread: answered once, from evidence that is cited, and honestly where nothing is known."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.change import ChangeKind
from bot.domain.document import Document, DocumentKind
from bot.domain.evidence import Candidate, Confidence, Diagnosis, Fact, Verdict
from bot.domain.incident import Incident
from bot.domain.request import Person, Question
from bot.domain.view import AnswerView, Place
from bot.flows.asking.question import on_question
from bot.flows.desk import Desk
from bot.ports import Card
from bot.slack.blocks import render
from bot.storage.database import SqlDatabase
from tests.desk import a_desk, handlers
from tests.fakes import FakeClock, a_change, an_incident

RUNBOOK = Document(
    id="payments/errors",
    kind=DocumentKind.RUNBOOK,
    title="Payments answer with errors",
    text="# Payments answer with errors\n\n## First look\n\n1. Compare the error ratio by version.\n2. Roll back.\n",
    services=("payments",),
    alerts=("HighErrorRate",),
)
PAST = Document(
    id="incident:INC-17",
    kind=DocumentKind.INCIDENT,
    title="payments answers with errors",
    text="# payments answers with errors\n\n## What was seen\n\nHighErrorRate: payments answers with errors\n",
    services=("payments",),
    alerts=("HighErrorRate",),
    facts={"cause": "retries were raised to 10", "fix": "rollback of payments to v42"},
)


@pytest.fixture
async def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    desk = a_desk(database, clock, documents=(RUNBOOK, PAST))
    await desk.library.sync()
    return desk


async def kept(desk: Desk, thread: str = "", **fields: object) -> Incident:
    """An incident whose card stands at the top of this thread of C-PAYMENTS."""
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0, **fields)))
    if thread:
        card = Card(f"card:{incident.id}", Place("C-PAYMENTS", thread))
        await desk.db.write(lambda tx: desk.cards.put(tx, card))
    return incident


async def ask(desk: Desk, text: str, *, thread: str = "9.1", hint: str = "", times: int = 1) -> AnswerView:
    """What is answered in the thread."""
    question = Question(Person("U0ONCALL"), Place("C-PAYMENTS", "9.5", thread), text, hint, f"C-PAYMENTS:{text}")
    for _ in range(times):
        await on_question(question, desk)
    await desk.work.run_all(handlers(desk))
    answers = [p for p in desk.channel.posts if isinstance(p.view, AnswerView)]
    assert answers[-1].place.thread == thread
    assert isinstance(answers[-1].view, AnswerView)
    return answers[-1].view


async def test_what_changed_lists_what_shipped_and_cites_it(desk: Desk) -> None:
    await desk.db.write(lambda tx: desk.changes.save(tx, [a_change(), a_change(id="github:deployment:9", services=("search",))]))
    said = await ask(desk, "what changed in payments?")
    assert "**1 change of payments shipped in the last 24 hours:**" in said.markdown
    assert "v43 (3f2c1a9)" in said.markdown
    assert "[E1]" in said.markdown
    assert [id for id, _, _ in said.evidence] == ["E1"]
    assert "search" not in said.markdown


async def test_a_change_out_of_the_span_is_not_listed(desk: Desk, clock: FakeClock) -> None:
    old = a_change(at=clock() - timedelta(days=2))
    await desk.db.write(lambda tx: desk.changes.save(tx, [old]))
    assert "No change of payments is known" in (await ask(desk, "what changed in payments?")).markdown
    assert "1 change of payments shipped in the last week" in (await ask(desk, "what changed in payments this week?")).markdown


async def test_seen_before_names_the_past_incident_its_cause_and_what_helped(desk: Desk) -> None:
    await kept(desk, "9.1")
    said = await ask(desk, "have we seen this before?")
    assert "**INC-17 payments answers with errors**" in said.markdown
    assert "retries were raised to 10" in said.markdown
    assert "rollback of payments to v42" in said.markdown
    assert said.evidence


async def test_what_next_gives_the_step_of_the_diagnosis_and_the_runbook(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk, "9.1")
    look = Diagnosis(Verdict.UNDETERMINED, Confidence.WEAK, "nothing is certain", clock(), next_step="compare versions")
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, look))
    said = await ask(desk, "what should I check next?")
    assert "compare versions [E1]" in said.markdown
    assert "Payments answer with errors" in said.markdown
    assert "Compare the error ratio by version" in said.markdown


async def test_why_tells_the_facts_that_speak_for_the_cause(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk, "9.1")
    facts = (Fact("retries went from 2 to 10", 3.0, ("E1",)),)
    cause = Candidate("github:1", "payments", "raise retries", version="v43", facts=facts)
    look = Diagnosis(Verdict.CONVICTED, Confidence.STRONG, "payments v43 did it", clock(), cause=cause)
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, look))
    said = await ask(desk, "why is this happening?")
    assert "payments v43 did it" in said.markdown
    assert "retries went from 2 to 10 [E1]" in said.markdown


async def test_what_nobody_knows_is_said_honestly(desk: Desk) -> None:
    said = await ask(desk, "who won the football match in Ouagadougou?")
    assert said.markdown.startswith("I do not know")
    assert said.evidence == ()


async def test_a_service_that_the_evidence_says_nothing_of_is_not_explained_by_another(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk, "9.1")
    look = Diagnosis(Verdict.UNDETERMINED, Confidence.WEAK, "nothing is certain", clock(), blast_radius=("checkout",))
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, look))
    said = (await ask(desk, "why is search slow?")).markdown
    assert said.startswith("I do not know: INC-42 is about payments, and nothing gathered for it tells of search.")
    assert "“chart the errors of search”" in said
    assert "nothing is certain" in (await ask(desk, "and why is checkout slow?")).markdown


async def test_with_nothing_open_why_is_not_known_and_what_would_help_is_said(desk: Desk) -> None:
    said = (await ask(desk, "why was checkout slow yesterday?")).markdown
    assert said.startswith("No incident is open, so no evidence was gathered: I do not know. What would help: ")
    assert "“what changed in checkout today?”" in said


async def test_outside_a_thread_the_incident_of_the_service_that_is_named_is_meant(desk: Desk) -> None:
    await kept(desk, "9.1", id="another", number=43, title="slow", service="checkout", members=())
    await kept(desk, "9.2")
    assert "INC-43" in (await ask(desk, "why is checkout slow?", thread="8.8")).markdown
    assert "INC-42" in (await ask(desk, "why is payments slow?", thread="8.7")).markdown


async def test_the_incident_that_the_text_names_wins_over_the_threads(desk: Desk) -> None:
    await kept(desk, "9.1")
    await kept(desk, "9.2", id="another", number=43, title="checkout is slow", service="checkout")
    assert "INC-42" in (await ask(desk, "why?")).markdown
    assert "INC-43" in (await ask(desk, "why INC-43?", hint="INC-43")).markdown


async def test_without_a_thread_of_a_card_the_newest_incident_of_the_channel_is_meant(desk: Desk) -> None:
    await kept(desk, "9.2")
    assert "INC-42" in (await ask(desk, "why?", thread="8.8")).markdown


async def test_a_question_delivered_twice_is_answered_once(desk: Desk) -> None:
    await ask(desk, "what changed?", times=3)
    assert len(desk.channel.posts) == 1


async def test_an_answer_whose_receipt_was_lost_is_found_and_not_posted_again(desk: Desk) -> None:
    desk.channel.lose_answers = 1
    question = Question(Person("U0ONCALL"), Place("C-PAYMENTS", "9.5", "9.1"), "what changed?", "", "C-PAYMENTS:9.5")
    await on_question(question, desk)
    (work,) = desk.work.named("answer")
    await handlers(desk)["answer"](work.args)
    late = desk.work.named("answer")[-1]
    assert (late.queue, late.id) == ("slack", f"late:{question.id}")  # the chat may be away for longer than a model may think
    for _ in range(2):
        await handlers(desk)["answer"](late.args)
    (post,) = desk.channel.posts
    (entry,) = await desk.db.read(lambda tx: desk.journal.recent(tx))
    assert [view.interaction_id for view in post.views if isinstance(view, AnswerView)] == [entry.id] * len(post.views)


async def test_every_answer_is_in_the_journal(desk: Desk) -> None:
    incident = await kept(desk, "9.1")
    said = await ask(desk, "why? we set password=hunter2hunter2")
    (entry,) = await desk.db.read(lambda tx: desk.journal.recent(tx))
    assert entry.id == said.interaction_id
    assert (entry.engine, entry.user, entry.incident_id) == ("rules", "U0ONCALL", incident.id)
    assert "hunter2hunter2" not in entry.question


HOSTILE = "<!channel> [press here](https://evil.example) <https://evil.example|fix> @everyone **bold**"


@pytest.mark.parametrize("kind", [ChangeKind.DEPLOY, ChangeKind.COMMIT])
async def test_titles_from_outside_cannot_bring_links_or_broadcasts_into_an_answer(desk: Desk, kind: ChangeKind) -> None:
    change = replace(a_change(), kind=kind, title=HOSTILE, author="<!here>")
    await desk.db.write(lambda tx: desk.changes.save(tx, [change]))
    said = await ask(desk, "what changed in payments?")
    shown = str(render(said, ()).blocks)
    for harm in ("<!channel>", "<!here>", "](https://evil.example)", "<https://evil.example", "@everyone "):
        assert harm not in shown
    assert "press here" in shown  # it is told, harmlessly
