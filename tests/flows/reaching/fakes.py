"""A desk with pagers and responders in memory, and the verbs of stories about reaching people."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.domain.alert import Alert
from bot.domain.handling import Deed
from bot.domain.incident import Incident
from bot.errors import BotError
from bot.flows import announce, selfreport
from bot.flows.announce import announce as show
from bot.flows.desk import Desk
from bot.flows.reaching import carrying, escalation, handling, paging
from bot.incidents.routing import read_routing
from bot.ports import Handler, OnCall, Page, Silenced
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock, an_incident


@dataclass
class FakePager:
    """A pager, a schedule, a vendor of alerts and of silences; `fails` is raised by whatever is asked."""

    people: tuple[OnCall, ...] = ()
    deeds: frozenset[Deed] = frozenset({Deed.ACKNOWLEDGED, Deed.RESOLVED, Deed.SILENCED, Deed.UNSILENCED})
    fails: BotError | None = None
    pages: list[Page] = field(default_factory=list)
    carried: list[tuple[str, Deed, str]] = field(default_factory=list)
    alerts: list[tuple[Alert, Deed, datetime | None]] = field(default_factory=list)
    silences: tuple[Silenced, ...] = ()
    fires: frozenset[str] | None = None
    asked: int = 0

    def _answer(self) -> None:
        if self.fails:
            raise self.fails

    async def on_call(self, schedule: str) -> tuple[OnCall, ...]:
        """`people`, whatever the schedule."""
        self.asked += 1
        self._answer()
        return self.people

    async def page(self, page: Page) -> None:
        """Remember it."""
        self._answer()
        self.pages.append(page)

    async def silenced(self) -> tuple[Silenced, ...]:
        """`silences`."""
        self._answer()
        return self.silences

    async def firing(self) -> frozenset[str] | None:
        """`fires`."""
        self._answer()
        return self.fires


class FakePages(FakePager):
    """As a ports.Pager."""

    async def carry(self, key: str, deed: Deed, by: str) -> None:
        """Remember it."""
        self._answer()
        self.carried.append((key, deed, by))


class FakeResponder(FakePager):
    """As a ports.Responder."""

    async def carry(self, alert: Alert, deed: Deed, by: str, note: str, until: datetime | None = None) -> str:
        """Remember it."""
        self._answer()
        self.alerts.append((alert, deed, until))
        self.carried.append((alert.ref, deed, by))
        return "made-1" if deed is Deed.SILENCED else ""


def a_reaching_desk(database: SqlDatabase, clock: FakeClock, routing: str, **fields: Any) -> Desk:
    """A desk with this routing.yaml."""
    return a_desk(database, clock, routing=read_routing(routing), **fields)


def handlers_of(desk: Desk) -> dict[str, Handler]:
    """The flows that these stories need, by their names."""
    flows = {
        "refresh": announce.refresh,
        "first_card": announce.first_card,
        "escalate": escalation.escalate,
        "second_outlet": escalation.second_outlet,
        "reach": paging.reach,
        "morning": paging.morning,
        "carry_alert": carrying.carry_alert,
        "carry_page": carrying.carry_page,
        "see_silences": handling.see_silences,
        "part_report": selfreport.part_report,
    }
    return Others({name: lambda args, flow=flow: flow(args, desk) for name, flow in flows.items()})  # type: ignore[misc]  # mypy cannot infer a lambda with a default


class Others(dict[str, Handler]):
    """Work that is not of these stories comes to nothing."""

    def __missing__(self, name: str) -> Handler:
        async def nothing(_args: object) -> None:
            """Nobody looks."""

        return nothing


async def until(desk: Desk, clock: FakeClock, **span: float) -> None:
    """Time goes by, and what is due in it is done, each thing at its time."""
    end = clock() + timedelta(**span)
    while True:
        await desk.work.run_all(handlers_of(desk), now=clock())
        later = [s.not_before for s in desk.work.started if s.id not in desk.work.done and s.not_before]
        nxt = min((at for at in later if at <= end), default=None)
        if nxt is None:
            break
        clock.set(max(nxt, clock()))
    clock.set(end)


async def opened(desk: Desk, clock: FakeClock, **fields: Any) -> Incident:
    """An incident that nobody has, just announced."""
    given = {"channel": "", "version": 0, "waiting_since": clock(), "opened_at": clock(), "updated_at": clock(), **fields}
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(**given)))
    await desk.db.write(lambda tx: show(tx, incident, desk))
    return incident


async def latest(desk: Desk, incident: Incident) -> Incident:
    """The incident as it is now."""
    found = await desk.db.read(lambda tx: desk.incidents.get(tx, incident.id))
    assert found is not None
    return found


async def told(desk: Desk, incident: Incident) -> list[str]:
    """Its timeline's texts."""
    return [e.text for e in await desk.db.read(lambda tx: desk.timeline.of(tx, incident.id))]
