"""What people see: one message per thing, posted once, edited in place."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.alert import Severity
from bot.domain.evidence import Candidate, Confidence, Diagnosis, Verdict
from bot.domain.incident import Incident
from bot.domain.view import EvidenceView, IncidentView, NoteView, Place, PointerView, Shown
from bot.errors import NotAllowed, NotFound, Unavailable
from bot.flows.announce import announce, post_once, want
from bot.flows.desk import Desk
from bot.flows.resolving import resolve
from bot.flows.showing import incident_view
from bot.storage.database import SqlDatabase
from tests.desk import a_desk, handlers
from tests.fakes import FakeChannel, FakeClock, an_incident


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock)


def diagnosis(at: datetime, **fields: object) -> Diagnosis:
    cause = Candidate("github:1", "payments", "raise retries", version="v43", commit="3f2c1a9")
    given = {"verdict": Verdict.CONVICTED, "confidence": Confidence.STRONG, "summary": "payments v43", "at": at, "cause": cause}
    return Diagnosis(**{**given, **fields})  # type: ignore[arg-type]  # the test gives what it means


async def kept(desk: Desk, **fields: object) -> Incident:
    return await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(channel="", version=0, **fields)))


async def told(desk: Desk, incident: Incident) -> None:
    await desk.db.write(lambda tx: announce(tx, incident, desk))


async def test_the_first_card_waits_for_the_first_diagnosis_but_not_for_ever(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk, service="checkout")
    await told(desk, incident)
    await desk.work.run_all(handlers(desk), now=clock())
    assert desk.channel.posts == []
    clock.advance(seconds=1)
    await desk.work.run_all(handlers(desk), now=clock())
    card, *pointers = desk.channel.posts
    assert isinstance(card.view, IncidentView)
    assert card.view.looking
    assert card.place.channel == "C-INCIDENTS"
    assert "C-ALERTS" in [p.place.channel for p in pointers]


async def test_the_card_goes_home_to_the_owner_of_the_convicted_service_with_pointers_elsewhere(
    desk: Desk, clock: FakeClock
) -> None:
    incident = await kept(desk, service="checkout")
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, diagnosis(clock())))
    await told(desk, incident)
    await desk.work.run_all(handlers(desk))
    by_channel = {p.place.channel: p.view for p in desk.channel.posts if not p.place.thread}
    assert isinstance(by_channel["C-PAYMENTS"], IncidentView)
    (card,) = (p.place for p in desk.channel.posts if p.place.channel == "C-PAYMENTS" and not p.place.thread)
    for channel in ("C-INCIDENTS", "C-ALERTS"):
        pointer = by_channel[channel]
        assert isinstance(pointer, PointerView)
        assert pointer.permalink == f"https://chat.example/{card.channel}/{card.ts}"
    assert [p.view for p in desk.channel.posts if p.place.thread and isinstance(p.view, EvidenceView)]


class Threads(FakeChannel):
    """A channel in which a search finds what stands in the very thread that it was given, as Slack's does."""

    async def find(self, channel: str, key: str, thread: str = "") -> Place | None:
        """The message that carries the key."""
        place = await super().find(channel, key, thread)
        return place if place is not None and place.thread == thread else None


async def test_what_went_out_before_its_thread_stood_is_found_where_it_is(desk: Desk, clock: FakeClock) -> None:
    """Found by tests/once: it was posted, nobody could say so, and meanwhile the card came, in whose thread it belongs."""
    desk = replace(desk, channel=Threads(lose_answers=1))
    with pytest.raises(Unavailable):
        await post_once("automatic:1", Place("C-OPS"), NoteView("It runs by itself."), desk)
    stands = await post_once("automatic:1", Place("C-OPS", "", "7.1"), NoteView("It runs by itself."), desk)
    assert stands == Place("C-OPS", "1.000001")
    assert len(desk.channel.posts) == 1


async def test_a_thousand_wishes_are_one_refresh(desk: Desk) -> None:
    incident = await kept(desk)
    for _ in range(1000):
        await desk.db.write(lambda tx: want(tx, f"card:{incident.id}", desk))
    assert len(desk.work.named("refresh")) == 1


async def test_what_people_see_already_is_not_shown_again(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk)
    await desk.db.write(lambda tx: want(tx, f"card:{incident.id}", desk))
    await desk.work.run_all(handlers(desk))
    clock.advance(minutes=5)
    await desk.db.write(lambda tx: want(tx, f"card:{incident.id}", desk))
    await desk.work.run_all(handlers(desk))
    assert desk.channel.edits == []
    assert sum(isinstance(p.view, IncidentView) for p in desk.channel.posts) == 1


async def test_a_change_edits_the_card_in_place(desk: Desk) -> None:
    incident = await kept(desk)
    await desk.db.write(lambda tx: want(tx, f"card:{incident.id}", desk))
    await desk.work.run_all(handlers(desk))
    await desk.db.write(lambda tx: resolve(tx, desk.incidents.get(tx, incident.id) or incident, "U0ONCALL", "fixed", desk))
    await desk.work.run_all(handlers(desk))
    cards = [p for p in desk.channel.posts if isinstance(p.view, IncidentView)]
    assert len(cards) == 1
    assert not cards[0].view.incident.live


async def test_a_post_whose_answer_was_lost_is_found_and_not_posted_again(desk: Desk) -> None:
    incident = await kept(desk)
    desk.channel.lose_answers = 1
    await desk.db.write(lambda tx: want(tx, f"card:{incident.id}", desk))
    with pytest.raises(Unavailable):
        await desk.work.run_all(handlers(desk))
    key = f"card:{incident.id}"
    await handlers(desk)["refresh"]({"key": key})
    assert sum(p.key == key for p in desk.channel.posts) == 1
    card = await desk.db.read(lambda tx: desk.cards.get(tx, key))
    assert card is not None
    assert card.place.ts == desk.channel.posts[0].place.ts


async def test_a_channel_that_is_missing_sends_the_card_to_the_default_one(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock)
    incident = await kept(desk)
    await desk.db.write(
        lambda tx: desk.incidents.save(tx, replace(desk.incidents.get(tx, incident.id) or incident, channel="#missing"))
    )
    await desk.db.write(lambda tx: want(tx, f"card:{incident.id}", desk))
    await desk.work.run_all(handlers(desk))
    assert desk.channel.posts[0].place.channel == "C-INCIDENTS"


async def test_a_refresh_that_was_lost_or_never_ended_does_not_freeze_the_card(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk)

    async def wanted(**later: float) -> int:
        clock.advance(**later)
        await desk.db.write(lambda tx: want(tx, f"card:{incident.id}", desk))
        return len(desk.work.named("refresh"))

    assert [await wanted(), await wanted(minutes=3)] == [1, 1]
    desk.work.started.clear()
    assert [await wanted(minutes=3), await wanted(minutes=3)] == [1, 1]
    assert [await wanted(hours=1), await wanted(minutes=3)] == [2, 2]


async def test_while_slack_is_away_one_refresh_is_tried_again_and_one_later_one_at_most_waits(desk: Desk) -> None:
    incident = await kept(desk)
    key = f"card:{incident.id}"

    async def tried(nth: int) -> None:
        try:
            await handlers(desk)["refresh"](desk.work.named("refresh")[nth].args)
        except Unavailable:
            return

    desk.channel.down = True
    for _ in range(10):
        await desk.db.write(lambda tx: want(tx, key, desk))
        await tried(0)
    assert len(desk.work.named("refresh")) == 1
    await desk.db.write(lambda tx: desk.cards.put(tx, replace(desk.cards.hold(tx, key), pending="")))  # as while it ran
    for _ in range(10):
        await desk.db.write(lambda tx: want(tx, key, desk))
        await tried(0)
    assert len(desk.work.named("refresh")) == 2
    desk.channel.down = False
    await tried(0)
    assert desk.channel.posts == [], "the later one will show it"  # and nothing was posted while Slack was away
    await tried(1)
    assert len(desk.channel.posts) == 1


async def test_a_rollback_is_offered_only_for_a_convicted_change(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk)
    now = datetime.now(UTC)
    for verdict, offered in ((Verdict.UNDETERMINED, ""), (Verdict.OPERATIONAL, ""), (Verdict.CONVICTED, "the version before")):
        await desk.db.write(lambda tx, v=verdict: desk.diagnoses.save(tx, incident.id, diagnosis(now, verdict=v)))
        await handlers(desk)["refresh"]({"key": f"card:{incident.id}"})
        view = next(p.view for p in desk.channel.posts if isinstance(p.view, IncidentView))
        assert view.may_propose == offered


async def test_another_look_that_finds_the_same_changes_nothing_that_people_see(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk)
    for _ in range(3):
        await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, diagnosis(clock())))
        for message in ("card", "evidence"):
            await desk.db.write(lambda tx, m=message: want(tx, f"{m}:{incident.id}", desk))
        await desk.work.run_all(handlers(desk))
        clock.advance(seconds=30)
    assert desk.channel.edits == []


class Refusing(FakeChannel):
    """A chat in which some channels are closed to the bot, and messages can be deleted by people."""

    closed: tuple[str, ...] = ()

    async def post(self, place: Place, view: Shown, *, key: str) -> Place:
        """Keep a new message, unless the channel is closed."""
        if place.channel in self.closed:
            raise NotAllowed("The bot is not a member there.")
        return await super().post(place, view, key=key)

    async def edit(self, place: Place, view: Shown) -> None:
        """Show something else in the same message, if it is still there."""
        if not any((p.place.channel, p.place.ts) == (place.channel, place.ts) for p in self.posts):
            raise NotFound("The message is gone.")
        await super().edit(place, view)


async def test_a_card_that_a_person_deleted_is_posted_again_when_there_is_news(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock, channel=Refusing())
    incident = await kept(desk)
    await desk.db.write(lambda tx: want(tx, f"card:{incident.id}", desk))
    await desk.work.run_all(handlers(desk))
    desk.channel.posts[:] = [p for p in desk.channel.posts if p.key != f"card:{incident.id}"]
    await desk.db.write(lambda tx: resolve(tx, desk.incidents.get(tx, incident.id) or incident, "U0ONCALL", "fixed", desk))
    await desk.work.run_all(handlers(desk))
    (card,) = (p for p in desk.channel.posts if p.key == f"card:{incident.id}")
    assert isinstance(card.view, IncidentView)
    assert not card.view.incident.live


async def test_a_card_whose_channel_is_closed_to_the_bot_appears_in_the_default_one(
    database: SqlDatabase, clock: FakeClock
) -> None:
    channel = Refusing()
    channel.closed = ("C-PAYMENTS",)
    desk = a_desk(database, clock, channel=channel)
    incident = await kept(desk)
    for _ in range(2):
        await handlers(desk)["refresh"]({"key": f"card:{incident.id}"})
    (card,) = (p for p in channel.posts if p.key == f"card:{incident.id}")
    assert card.place.channel == "C-INCIDENTS"


async def test_wishes_stand_in_one_line_until_the_message_is_known_to_stand(desk: Desk) -> None:
    incident = await kept(desk)
    key = f"card:{incident.id}"
    wished: list[str | None] = []

    class Slow(FakeChannel):
        async def post(self, place: Place, view: Shown, *, key: str) -> Place:
            """News comes in while the first message is on its way."""
            await desk.db.write(lambda tx: want(tx, key, desk))
            wished.append(desk.work.named("refresh")[-1].partition)
            return await super().post(place, view, key=key)

    await desk.db.write(lambda tx: want(tx, key, desk))
    first = desk.work.named("refresh")[0]
    slow = replace(desk, channel=Slow())
    await handlers(slow)["refresh"]({"key": key})
    assert wished[0] == first.partition


async def test_a_bad_incident_of_a_service_that_nobody_knows_says_so_and_a_lesser_one_does_not(desk: Desk) -> None:
    said = "service cartd is not in services.yaml: /incident unmatched says whose it is"
    for number, severity, service, expected in (
        (1, "SEV2", "cartd", True),
        (2, "SEV3", "cartd", False),
        (3, "SEV1", "checkout", False),
    ):
        incident = await kept(desk, id=f"i{number}", number=number, service=service, severity=Severity(severity))
        view = await desk.db.read(lambda tx, incident=incident: incident_view(tx, incident, desk))
        assert (said in view.notices) is expected, severity
