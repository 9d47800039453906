"""A model's answer appears while it is made, loses what no evidence supports, stands once, and gives way to the rules."""

import json
from typing import Any

import pytest

from bot.domain.conversation import Failure, Reply
from bot.domain.evidence import Confidence, Diagnosis, Evidence, EvidenceKind, Verdict
from bot.domain.interaction import Interaction
from bot.domain.request import Person, Question
from bot.domain.view import AnswerView, Place
from bot.errors import Unavailable
from bot.flows.asking.question import on_question
from bot.flows.desk import Budgets, Desk
from bot.ports import Card
from bot.storage.database import SqlDatabase
from tests.desk import a_desk, handlers
from tests.fakes import NOON, FakeClock, FakeModel, FakeTelling, Post, a_change, an_incident

GOOD = "One change of payments was shipped: v43 at 11:50:00 [E1]. Sunspots did the rest. Roll back to v41 [E1]."
KEPT = "One change of payments was shipped: v43 at 11:50:00 [E1]."


async def a_house(database: SqlDatabase, clock: FakeClock, *replies: Any, **fields: Any) -> tuple[Desk, FakeModel]:
    model = FakeModel(list(replies))
    desk = a_desk(database, clock, model=model, **fields)
    await desk.db.write(lambda tx: desk.changes.save(tx, [a_change()]))
    return desk, model


async def ask(desk: Desk, text: str = "what changed in payments today?", id: str = "Q1") -> None:
    question = Question(Person("U0ONCALL", team_id="T1"), Place("C-PAYMENTS", "9.5", "9.1"), text, "", id)
    await on_question(question, desk)


def answers(desk: Desk) -> list[Post]:
    return [p for p in desk.channel.posts if isinstance(p.view, AnswerView)]


async def only(desk: Desk) -> AnswerView:
    await desk.work.run_all(handlers(desk))
    (post,) = answers(desk)
    assert isinstance(post.view, AnswerView)
    return post.view


async def journal(desk: Desk) -> list[Interaction]:
    return list(await desk.db.read(lambda tx: desk.journal.recent(tx)))


class Watched:
    """Keeps every telling that a channel began."""

    def __init__(self, desk: Desk) -> None:
        self.begun: list[FakeTelling] = []
        tell = desk.channel.tell

        async def watched(place: Place, person: Person, *, key: str) -> FakeTelling:
            self.begun.append(await tell(place, person, key=key))
            return self.begun[-1]

        desk.channel.tell = watched  # type: ignore[method-assign]  # a fake that is watched


async def test_steps_and_words_are_told_and_the_end_keeps_only_what_is_supported(database: SqlDatabase, clock: FakeClock) -> None:
    desk, _ = await a_house(database, clock, GOOD)
    watched = Watched(desk)
    await ask(desk)
    view = await only(desk)
    (telling,) = watched.begun
    assert telling.heard[:2] == [("step", "Looking at changes today (UTC)"), ("done", "Looking at changes today (UTC)")]
    assert "".join(w for kind, w in telling.heard if kind == "words").strip() == GOOD
    assert (view.markdown, view.engine) == (KEPT, "fake:small")
    assert [id for id, _, _ in view.evidence] == ["E1"]
    (entry,) = await journal(desk)
    assert (entry.engine, entry.claims, entry.dropped, entry.id) == ("model", 3, 2, view.interaction_id)
    assert len(entry.why_dropped) == entry.dropped
    assert (entry.thread, entry.prompt, entry.cost) == ("9.1", "answer", 0.01)


async def test_the_work_waits_in_the_models_queue_in_line_with_its_thread(database: SqlDatabase, clock: FakeClock) -> None:
    desk, _ = await a_house(database, clock, GOOD)
    await ask(desk)
    (work,) = desk.work.named("answer")
    assert (work.queue, work.partition) == ("model", "C-PAYMENTS:9.1")


@pytest.mark.parametrize("failure", list(Failure))
async def test_every_failure_gives_way_to_the_rules_which_say_so(
    database: SqlDatabase, clock: FakeClock, failure: Failure
) -> None:
    desk, _ = await a_house(database, clock, Reply(failure=failure, calls=1))
    await ask(desk)
    view = await only(desk)
    assert view.engine == f"rules: the model fake:small {failure.value}"
    assert "**1 change of payments shipped today (UTC):**" in view.markdown
    tried, fallback = sorted(await journal(desk), key=lambda e: e.engine)
    assert (tried.engine, tried.parse_ok) == ("model", False)
    assert tried.error.startswith(failure.value)
    assert (fallback.engine, fallback.fallback_from, fallback.id) == ("rules", "fake:small", view.interaction_id)
    assert tried.trace_id == fallback.trace_id


async def test_an_answer_without_support_gives_way_to_the_rules(database: SqlDatabase, clock: FakeClock) -> None:
    desk, _ = await a_house(database, clock, "Sunspots. Version 99 is bad [E1].")
    await ask(desk)
    view = await only(desk)
    assert view.engine == "rules: the model fake:small said nothing that the evidence supports"


async def test_over_budget_or_switched_off_the_rules_answer_without_asking(database: SqlDatabase, clock: FakeClock) -> None:
    desk, model = await a_house(database, clock, GOOD, budgets=Budgets(day_cost=0.005))
    await desk.db.write(lambda tx: desk.switches.turn(tx, "model", "off", "U1", clock()))
    await ask(desk, id="Q1")
    assert (await only(desk)).engine == "rules: the model is switched off"
    await desk.db.write(lambda tx: desk.switches.turn(tx, "model", "on", "U1", clock()))
    for id in ("Q2", "Q3"):
        await ask(desk, id=id)
        await desk.work.run_all(handlers(desk))
    assert answers(desk)[-1].view.engine == "rules: over today's budget of $0.005"  # type: ignore[union-attr]  # an AnswerView
    assert len(model.asked) == 1


async def test_who_does_not_know_says_so_and_what_would_help(database: SqlDatabase, clock: FakeClock) -> None:
    desk, _ = await a_house(database, clock, "I do not know.")
    await ask(desk)
    assert (await only(desk)).markdown == ("I do not know.\nWhat would help: the name of a service, an alert or an incident.")


async def test_without_any_evidence_no_model_is_asked(database: SqlDatabase, clock: FakeClock) -> None:
    desk, model = await a_house(database, clock, GOOD)
    await ask(desk, "who won the football match?")
    assert (await only(desk)).markdown.startswith("I do not know")
    assert model.asked == []


async def test_a_question_delivered_twice_is_answered_once(database: SqlDatabase, clock: FakeClock) -> None:
    desk, model = await a_house(database, clock, GOOD)
    for _ in range(3):
        await ask(desk)
    await only(desk)
    assert len(model.asked) == 1


async def test_a_crash_between_streaming_and_the_journal_makes_no_second_answer(database: SqlDatabase, clock: FakeClock) -> None:
    desk, model = await a_house(database, clock, GOOD)
    tell = desk.channel.tell

    async def standing(place: Place, person: Person, *, key: str) -> FakeTelling:
        """A stream stands from its first step, as in Slack."""
        telling = await tell(place, person, key=key)
        telling.place = await desk.channel.post(place, AnswerView("…", "streaming"), key="")
        return telling

    desk.channel.tell = standing  # type: ignore[method-assign]  # a fake that streams
    model.replies = [lambda request: _crash(), GOOD]
    await ask(desk)
    (work,) = desk.work.named("answer")
    with pytest.raises(RuntimeError, match="kill -9"):
        await handlers(desk)["answer"](work.args)
    view = await only(desk)
    assert view.markdown == KEPT
    assert len(await journal(desk)) == 1


async def test_a_crash_after_the_journal_shows_what_was_kept_and_asks_nobody_again(
    database: SqlDatabase, clock: FakeClock
) -> None:
    desk, model = await a_house(database, clock, GOOD)
    desk.channel.fail_next = 0
    await ask(desk)
    (work,) = desk.work.named("answer")
    await handlers(desk)["answer"](work.args)
    for _ in range(2):
        await handlers(desk)["answer"](work.args)
    view = await only(desk)
    assert view.markdown == KEPT
    assert len(model.asked) == 1


async def test_while_the_chat_is_away_the_answer_is_kept_and_shown_later(database: SqlDatabase, clock: FakeClock) -> None:
    desk, model = await a_house(database, clock, GOOD)
    await ask(desk)
    desk.channel.down = True
    (work,) = desk.work.named("answer")
    await handlers(desk)["answer"](work.args)
    late = desk.work.named("answer")[-1]
    assert late.queue == "slack"
    with pytest.raises(Unavailable):
        await handlers(desk)["answer"](late.args)
    desk.channel.down = False
    await handlers(desk)["answer"](late.args)
    (post,) = answers(desk)
    assert post.view.markdown == KEPT  # type: ignore[union-attr]  # an AnswerView
    assert len(model.asked) == 1


async def test_earlier_questions_of_the_thread_are_context_and_other_threads_are_not(
    database: SqlDatabase, clock: FakeClock
) -> None:
    desk, model = await a_house(database, clock, GOOD)
    await ask(desk, id="Q1")
    await desk.work.run_all(handlers(desk))
    other = Question(Person("U1"), Place("C-PAYMENTS", "7.5", "7.1"), "what changed this week?", "", "Q0")
    await on_question(other, desk)
    await desk.work.run_all(handlers(desk))
    clock.advance(seconds=5)
    await ask(desk, "and what changed in the last hour?", id="Q2")
    await desk.work.run_all(handlers(desk))
    first, elsewhere, second = (json.loads(r.text) for r in model.asked)
    assert "earlier" not in first
    assert "earlier" not in elsewhere
    (before,) = second["earlier"]
    assert before["question"] == "what changed in payments today?"
    assert "[E1]" not in before["answer"]
    assert before["trusted"] is False


async def test_a_question_about_an_incident_gets_its_evidence_renumbered(database: SqlDatabase, clock: FakeClock) -> None:
    desk, model = await a_house(database, clock, "The ratio rose to 18 % [E2].")
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0)))
    seen = Diagnosis(
        Verdict.UNDETERMINED,
        Confidence.WEAK,
        "nothing is certain",
        NOON,
        evidence=(Evidence("E7", EvidenceKind.METRIC, "error ratio 18 %", "prometheus"),),
    )
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, seen))
    await desk.db.write(lambda tx: desk.cards.put(tx, Card(f"card:{incident.id}", Place("C-PAYMENTS", "9.1"))))
    await ask(desk, "what should I check next?")
    view = await only(desk)
    assert view.markdown == "The ratio rose to 18 % [E2]."
    assert [id for id, _, _ in view.evidence] == ["E2"]
    assert [e["id"] for e in json.loads(model.asked[0].text)["evidence"]] == ["E1", "E2"]


def _crash() -> str:
    raise RuntimeError("kill -9")
