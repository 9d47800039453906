"""Tickets and incidents follow each other, each step once; many reports of users about one service are an alert."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.domain.alert import Severity
from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.domain.request import CommandRequest, Person
from bot.domain.ticket import Ticket, TicketStatus
from bot.errors import Unavailable
from bot.flows.announce import announce
from bot.flows.command import on_command
from bot.flows.desk import Desk, Ticketing
from bot.flows.grouping.regroup import merge, undo
from bot.flows.resolving import resolve
from bot.flows.ticketing import keep_ticket
from bot.flows.tickets import USER_REPORTS, on_tickets, reports_quiet
from bot.ports import TicketDraft
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock, an_incident


@dataclass
class FakeTracker:
    """A ports.Tracker in memory; `away` makes the next so many calls fail after they did their deed."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    moves: list[TicketStatus] = field(default_factory=list)
    away: int = 0

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("The tracker did not answer within 10 s.")

    async def open(self, draft: TicketDraft) -> Ticket:
        """Open it once per key."""
        ref = self.keys.setdefault(draft.key, f"OPS-{len(self.keys) + 1}")
        ticket = self.tickets.setdefault(
            ref, Ticket("jira", ref, draft.title, TicketStatus.OPEN, NOON, url=f"https://jira.example/{ref}")
        )
        self._answer()
        return ticket

    async def get(self, ref: str) -> Ticket | None:
        """One ticket."""
        return self.tickets.get(ref)

    async def comment(self, ref: str, text: str, key: str) -> None:
        """Once per key."""
        self.comments.setdefault(key, text)
        self._answer()

    async def move(self, ref: str, status: TicketStatus) -> None:
        """Bring it there."""
        self.moves.append(status)
        self._answer()


@pytest.fixture
def tracker() -> FakeTracker:
    return FakeTracker()


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, tracker: FakeTracker) -> Desk:
    return a_desk(database, clock, trackers={"jira": tracker}, ticketing=Ticketing("jira", Severity.SEV2))


async def open_incident(desk: Desk, **fields: object) -> Incident:
    def go(tx: object) -> Incident:
        incident = desk.incidents.save(tx, an_incident(version=0, **fields))
        announce(tx, incident, desk)
        return incident

    return await desk.db.write(go)


async def catch_up(desk: Desk) -> None:
    """The tickets' work is done, in order, once each."""
    for item in desk.work.named("keep_ticket"):  # type: ignore[attr-defined]  # InMemoryWork
        if item.id not in desk.work.done:  # type: ignore[attr-defined]  # InMemoryWork
            await keep_ticket(item.args, desk)
            desk.work.done.add(item.id)  # type: ignore[attr-defined]  # InMemoryWork


async def told(desk: Desk, incident: Incident) -> list[str]:
    return [entry.text for entry in await desk.db.read(lambda tx: desk.timeline.of(tx, incident.id))]


async def tell(desk: Desk, *tickets: Ticket) -> None:
    await desk.db.write(lambda tx: on_tickets(tx, tickets, desk))


async def latest(desk: Desk, incident: Incident) -> Incident:
    found = await desk.db.read(lambda tx: desk.incidents.get(tx, incident.id))
    assert found is not None
    return found


def a_ticket(ref: str = "OPS-9", title: str = "payments declines my card", **fields: object) -> Ticket:
    return replace(Ticket("jira", ref, title, TicketStatus.OPEN, NOON), **fields)  # type: ignore[arg-type]  # fields of Ticket


async def test_a_severe_incident_gets_one_ticket_that_follows_it_to_its_end(desk: Desk, tracker: FakeTracker) -> None:
    incident = await open_incident(desk, severity=Severity.SEV2)
    await catch_up(desk)
    await desk.db.write(lambda tx: resolve(tx, incident, "U0ONCALL", "rolled back", desk))
    await catch_up(desk)
    assert list(tracker.tickets) == ["OPS-1"]
    assert tracker.moves == [TicketStatus.DONE]
    assert [text.partition(": ")[2] for text in tracker.comments.values()] == ["resolved: rolled back"]
    assert "ticket OPS-1 was opened https://jira.example/OPS-1" in await told(desk, incident)


async def test_a_mild_incident_gets_none_until_somebody_asks(desk: Desk, tracker: FakeTracker) -> None:
    incident = await open_incident(desk, severity=Severity.SEV3)
    await catch_up(desk)
    assert tracker.tickets == {}
    request = CommandRequest(Person("U0ONCALL"), "C1", "incident", ("ticket", incident.key), "", "t", "t")
    await on_command(request, desk)
    await catch_up(desk)
    assert list(tracker.tickets) == ["OPS-1"]


async def test_a_tracker_that_breaks_off_after_it_did_it_is_asked_again_and_does_nothing_twice(
    desk: Desk, tracker: FakeTracker
) -> None:
    incident = await open_incident(desk, severity=Severity.SEV2)
    await desk.db.write(lambda tx: resolve(tx, incident, "U0ONCALL", "rolled back", desk))
    args: Mapping[str, str] = {"incident_id": incident.id}
    for _ in range(3):
        tracker.away = 1
        with pytest.raises(Unavailable):
            await keep_ticket(args, desk)
    await keep_ticket(args, desk)
    assert len(tracker.tickets) == len(tracker.comments) == 1
    assert [t for t in await told(desk, incident) if "was opened" in t] == ["ticket OPS-1 was opened https://jira.example/OPS-1"]


async def test_comments_and_moves_of_the_ticket_are_followed_and_our_own_are_no_echo(desk: Desk, tracker: FakeTracker) -> None:
    incident = await open_incident(desk, severity=Severity.SEV2)
    await catch_up(desk)
    ours = a_ticket("OPS-1", comment="12:00 UTC: opened\n\n(tocsin-0123456789abcdef)", commented_by="Tocsin")
    said = a_ticket(
        "OPS-1", comment="the provider is down, token=abcdefgh12345678", commented_by="Mia", status=TicketStatus.IN_PROGRESS
    )
    await tell(desk, ours, said)
    lines = await told(desk, incident)
    assert "Mia on OPS-1: “the provider is down" in "\n".join(lines)
    assert "abcdefgh12345678" not in "\n".join(lines)
    assert not any("Tocsin on OPS-1" in line for line in lines)
    assert (await latest(desk, incident)).status is Status.ACKNOWLEDGED
    await catch_up(desk)
    assert not any("the provider is down" in text for text in tracker.comments.values())


@pytest.mark.parametrize("firing", [0, 2])
async def test_a_ticket_that_is_done_ends_an_incident_only_once_its_alerts_are_clear(desk: Desk, firing: int) -> None:
    members = tuple(replace(m, firing=firing) for m in an_incident().members[:1])
    incident = await open_incident(desk, severity=Severity.SEV2, members=members)
    await catch_up(desk)
    await tell(desk, a_ticket("OPS-1", status=TicketStatus.DONE))
    assert (await latest(desk, incident)).live is (firing > 0)


async def test_a_ticket_that_names_an_incident_is_linked_to_it(desk: Desk) -> None:
    incident = await open_incident(desk, severity=Severity.SEV4)
    await tell(desk, a_ticket(text=f"see {incident.key}"))
    kept = await desk.db.read(lambda tx: desk.tickets.of_incident(tx, incident.id))
    assert [t.ref for t in kept] == ["OPS-9"]


async def test_three_reports_about_one_service_are_an_alert_that_clears_when_it_is_quiet(desk: Desk, clock: FakeClock) -> None:
    await tell(desk, a_ticket("OPS-7"), a_ticket("OPS-8", services=("payments-api",), title="help"), a_ticket("OPS-8"))
    assert await desk.db.read(desk.incidents.live) == ()
    await tell(desk, a_ticket("OPS-9", title="search is slow"), a_ticket("OPS-10"))
    (incident,) = await desk.db.read(desk.incidents.live)
    assert (incident.service, incident.members[0].name, incident.title) == (
        "payments", USER_REPORTS, "3 tickets about payments within 30 min",
    )  # fmt: skip
    clock.advance(minutes=31)
    await reports_quiet({"service": "payments"}, desk)
    assert (await latest(desk, incident)).firing == 0


async def test_a_ticket_about_no_service_or_about_two_is_no_signal(desk: Desk) -> None:
    await tell(desk, *(a_ticket(f"OPS-{n}", title="payments or checkout is down") for n in range(5)))
    await tell(desk, *(a_ticket(f"IT-{n}", title="my printer is down") for n in range(5)))
    assert await desk.db.read(desk.incidents.live) == ()


async def test_our_own_words_are_no_news_however_long_they_are(desk: Desk, tracker: FakeTracker) -> None:
    incident = await open_incident(desk, severity=Severity.SEV2)
    note = Entry(incident.id, NOON, EntryKind.NOTE, "x" * 9000, "U0ONCALL")
    await desk.db.write(lambda tx: desk.timeline.add(tx, [note]))
    await catch_up(desk)
    (said,) = (text for text in tracker.comments.values() if "xxx" in text)
    assert len(said) < 3900  # connectors read the first 4,000 characters, and the mark stands at the end
    before = await told(desk, incident)
    await tell(desk, a_ticket("OPS-1", comment=f"{said}\n\n(tocsin-0123456789abcdef)", commented_by="Tocsin"))
    assert await told(desk, incident) == before


async def test_news_that_comes_late_moves_no_ticket_back(desk: Desk, clock: FakeClock) -> None:
    incident = await open_incident(desk, severity=Severity.SEV2)
    await catch_up(desk)
    later = NOON + timedelta(minutes=5)
    await tell(desk, a_ticket("OPS-1", status=TicketStatus.IN_PROGRESS, at=later), a_ticket("OPS-1", status=TicketStatus.OPEN))
    kept = await desk.db.read(lambda tx: desk.tickets.get(tx, "jira", "OPS-1"))
    assert kept is not None
    assert (kept.status, kept.status_at) == (TicketStatus.IN_PROGRESS, later)
    assert [line for line in await told(desk, incident) if line.startswith("ticket OPS-1 is")] == ["ticket OPS-1 is in progress"]


async def test_a_ticket_that_names_an_incident_that_is_over_is_linked_to_none(desk: Desk) -> None:
    incident = await open_incident(desk, severity=Severity.SEV4)
    await desk.db.write(lambda tx: resolve(tx, incident, "U0ONCALL", "over", desk))
    await tell(desk, a_ticket(text=f"like {incident.key} last week"))
    assert await desk.db.read(lambda tx: desk.tickets.of_incident(tx, incident.id)) == ()


async def test_a_long_past_is_told_to_the_end_though_nothing_more_happens(desk: Desk, tracker: FakeTracker) -> None:
    incident = await open_incident(desk, severity=Severity.SEV3)
    notes = [Entry(incident.id, NOON + timedelta(seconds=n), EntryKind.NOTE, f"note {n}", "U1") for n in range(25)]
    await desk.db.write(lambda tx: desk.timeline.add(tx, notes))
    await on_command(CommandRequest(Person("U0ONCALL"), "C1", "incident", ("ticket", incident.key), "", "t", "t"), desk)
    for _ in range(3):
        await catch_up(desk)
    assert sum("note" in said for said in tracker.comments.values()) == 25


async def test_the_ticket_of_a_merged_incident_follows_the_survivor_and_comes_back_with_it(
    desk: Desk, tracker: FakeTracker
) -> None:
    one = await open_incident(desk, id="i-1", number=1)
    await catch_up(desk)
    other = await open_incident(desk, id="i-2", number=2, severity=Severity.SEV3)
    before = [Entry(other.id, NOON, EntryKind.NOTE, "long before they met", "U1")]
    await desk.db.write(lambda tx: desk.timeline.add(tx, before))
    await desk.db.write(lambda tx: merge(tx, one, other, Person("U0ONCALL"), desk))
    survivor = await latest(desk, other)
    await desk.db.write(lambda tx: announce(tx, desk.incidents.save(tx, survivor.move(Status.ACKNOWLEDGED, NOON, by="U1")), desk))
    await catch_up(desk)
    assert list(tracker.tickets) == ["OPS-1"]  # the merged one opens no other
    assert tracker.moves == [TicketStatus.IN_PROGRESS]
    assert not any("long before" in said for said in tracker.comments.values())
    gone = await latest(desk, one)
    await desk.db.write(lambda tx: undo(tx, gone, Person("U0ONCALL"), desk))
    await catch_up(desk)
    assert tracker.moves == [TicketStatus.IN_PROGRESS, TicketStatus.OPEN]
    (kept,) = await desk.db.read(lambda tx: desk.tickets.of_incident(tx, one.id))
    assert kept.ref == "OPS-1"


async def test_our_own_comment_that_comes_back_takes_no_incident_for_anybody(desk: Desk, tracker: FakeTracker) -> None:
    incident = await open_incident(desk)
    await catch_up(desk)
    echo = a_ticket("OPS-1", status=TicketStatus.IN_PROGRESS, comment="12:00 UTC: open again\n\n(tocsin-1f2e3d4c5b6a7988)")
    await tell(desk, replace(echo, at=NOON + timedelta(minutes=9)))
    assert (await latest(desk, incident)).status is Status.OPEN
    await tell(desk, replace(echo, at=NOON + timedelta(minutes=9), comment="I am on it"))
    assert (await latest(desk, incident)).status is Status.ACKNOWLEDGED
