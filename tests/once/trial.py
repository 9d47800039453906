"""One trial: people ask, approve and stop, processes die or stand still, the vendor misbehaves, and at last all is counted."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.actions.sequence import in_order
from bot.domain.action import Action, ActionStatus
from bot.domain.request import Deed
from bot.flows.announce import message_key
from tests.once.books import Books
from tests.once.counting import WAITING, most, wrong_books, wrong_order, wrong_runs, wrong_stops
from tests.once.doorway import a_doorway
from tests.once.house import INCIDENT, House
from tests.once.installation import write
from tests.once.living import BOT, EXECUTOR
from tests.once.people import command, press, send
from tests.once.plan import Plan
from tests.once.replica import Replica
from tests.once.vendor import SERVICES

ONCALL = "U0ONCALL"
PATIENCE = 400.0  # seconds for what should take five; the machine may be busy
STOPS = {"cancel": Deed.ACTION_CANCEL, "stop batch": Deed.BATCH_STOP}


@dataclass
class Report:
    """How a trial ended."""

    plan: Plan
    wrong: list[str] = field(default_factory=list)
    status: str = ""
    outcome: str = ""
    blows: int = 0  # that fell
    runs: int = 0  # of one action at most
    uncertain: str = ""  # what was said, where it was uncertain for a while
    troubles: tuple[str, ...] = ()
    steps: list[str] = field(default_factory=list)
    fatal: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        wrong = f"  WRONG: {'; '.join(self.wrong)}" if self.wrong else ""
        return (
            f"{self.plan.number:4} {self.plan.lane!s:74} {self.seconds:5.1f} s  {self.blows} blows  {self.runs} runs  "
            f"{self.status}{' after uncertain' if self.uncertain else ''}{wrong}"
        )


@dataclass
class Trial:
    """A trial while it runs."""

    plan: Plan
    house: House
    folder: Path
    url: str
    books: Books
    replicas: list[Replica]
    report: Report
    asked: int = 0
    ids: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How the vendor calls it."""
        return f"n{self.plan.number}"

    async def live(self) -> None:
        """From the wish to the end of all that came of it."""
        self.ids = await self._asked_for()
        stopping = asyncio.create_task(self._stop())
        try:
            await asyncio.gather(*(self._click(c.person, c.mark, c.after, c.replica) for c in self.plan.clicks))
            await self._decided()
            await self._ended()
            await stopping
        finally:
            stopping.cancel()
        await self._until(self.books.idle, "nothing left to do")
        parts = self._parts()
        self.report.status, self.report.outcome = "+".join(p.status.value for p in parts), parts[-1].outcome

    async def _asked_for(self) -> list[str]:
        """The action, or the parts of the batch in their order."""
        await self._until(lambda: any(r.port for r in self.replicas) or any(r.lives > 1 for r in self.replicas), "a bot")
        if not self.plan.ways:
            await self._until(lambda: bool(self.books.actions()), "an action by itself")
        end = time.monotonic() + PATIENCE
        while not self.books.actions():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {PATIENCE:g} s for an action, asked for {self.asked} times")
            self.asked += 1
            bodies = [self._wish(way, f"ask{self.asked}") for way in self.plan.ways]
            await asyncio.gather(*(self._send(body, n) for body in bodies for n in range(self.plan.asks)))
            with contextlib.suppress(TimeoutError):
                await self._until(lambda: bool(self.books.actions()), "an action", 4.0 if self.plan.lane.apart else 2.0)
        first, *_ = actions = self.books.actions()
        return [a.id for a in in_order([a for a in actions if a.batch == first.batch])] if first.batch else [first.id]

    def _wish(self, way: str, mark: str) -> bytes:
        channel = self.house.channel(self.plan.number)
        if way == "card":
            return press(ONCALL, channel, Deed.ROLLBACK_PROPOSE, INCIDENT, mark)
        several = " + ".join(f"{service} v42" for service in SERVICES)
        return command(ONCALL, channel, several if way == "batch" else "payments v42", mark)

    async def _send(self, body: bytes, replica: int) -> bool:
        first = replica % len(self.replicas)
        order = self.replicas[first:] + self.replicas[:first]

        def door() -> int | None:
            return next((r.port for r in order if r.port is not None), None)

        return await send(self.house.http, door, self.house.workspace.config.signing_secret, body)

    async def _click(self, person: str, mark: str, after: float, replica: int) -> None:
        await asyncio.sleep(after)
        await self._press(person, Deed.BATCH_APPROVE if self._batch else Deed.ACTION_APPROVE, mark, replica)

    async def _press(self, person: str, deed: Deed, mark: str, replica: int, value: str = "") -> None:
        body = press(person, self.house.channel(self.plan.number), deed, value or self._batch or self.ids[0], mark)
        await self._send(body, replica)

    async def _stop(self) -> None:
        """Somebody wants it stopped, at the moment that the plan names; pressed once more it is another press."""
        stop = self.plan.stop
        if stop is None:
            return

        def there() -> bool:
            parts = self._parts()
            return not stop.when or all(p.ended for p in parts) or any(p.since(ActionStatus(stop.when)) for p in parts)

        await self._until(there, f"the moment to stop it, {stop.when}", PATIENCE * 2)
        await asyncio.sleep(stop.after)
        channel = self.house.channel(self.plan.number)
        for n in range(stop.times):
            if stop.deed == "automation off":
                await self._send(command(stop.person, channel, "automation off", f"stop{n}", "/incident"), n)
            else:
                await self._press(stop.person, STOPS[stop.deed], f"stop{n}", n)

    async def _decided(self) -> None:
        """Whoever sees that nothing happened presses again; what is automatic nobody presses."""
        end = time.monotonic() + PATIENCE
        for again in itertools.count():
            with contextlib.suppress(TimeoutError):
                await self._until(self._all_decided, "a decision", 3.0 if self.plan.lane.apart else 1.5)
                return
            if time.monotonic() > end:
                raise TimeoutError(f"waited {PATIENCE:g} s for a decision: {self._parts()}")
            for person in ("U0APPROVER", "U0OUTSIDER") if self.plan.ways else ():
                await self._click(person, f"{person}-again{again}", 0, again)

    def _all_decided(self) -> bool:
        return all(p.status not in WAITING for p in self._parts())

    async def _ended(self) -> None:
        end = time.monotonic() + PATIENCE * len(self.ids)
        uncertain: dict[str, float] = {}
        while not all(p.ended for p in self._parts()):
            if time.monotonic() > end:
                raise TimeoutError(f"waited {PATIENCE * len(self.ids):g} s for its end: {self._parts()}")
            for part in self._parts():
                if part.status is not ActionStatus.UNCERTAIN:
                    continue
                if part.id not in uncertain:
                    await self._examine(part)
                    await self.house.heal(self.name)
                    uncertain[part.id] = time.monotonic()
                elif time.monotonic() - uncertain[part.id] > 4:
                    await self._settle(part.id)
            await asyncio.sleep(0.1)

    async def _examine(self, action: Action) -> None:
        """Uncertain only where the vendor cannot be asked or does not remember; and it is said how to find out."""
        self.report.uncertain = action.outcome
        counted = await self.house.counted(self.name)
        logs = [file.read_text() for file in self.folder.glob("bot-*.log")]
        stood_still = any("could not beat" in log for log in logs)  # the machine is so busy that answers come too late
        away = stood_still or (self.plan.lane.apart and (self.plan.late or self.plan.blows))  # nobody is there to ask the vendor
        known = action.id in counted["knows"] and counted["told"][:3] == ["well"] * 3 and not away
        if known:
            self.report.wrong.append(f"uncertain although the vendor could tell: {action.outcome} {counted}")
        if action.id not in action.outcome or "find out" not in action.outcome:
            self.report.wrong.append(f"nobody is told how to find out: {action.outcome!r}")

    async def _settle(self, id: str) -> None:
        """Somebody looked, and says what they saw."""
        counted = await self.house.counted(self.name)
        deed = Deed.ACTION_RAN if counted["knows"].get(id) == "succeeded" else Deed.ACTION_DID_NOT_RUN
        await self._press("U0APPROVER", deed, f"settle{time.monotonic()}", 0, id)
        await asyncio.sleep(0.5)

    def _parts(self) -> list[Action]:
        return [self.books.action(id) for id in self.ids]

    @property
    def _batch(self) -> str:
        return self.books.action(self.ids[0]).batch

    async def _until(self, true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds:g} s for {what}")
            await asyncio.sleep(0.1)

    async def count(self) -> None:
        """Everything is counted."""
        counted, actions = await self.house.counted(self.name), self.books.actions()
        lines = self.books.told()
        self.report.runs, self.report.troubles = most(counted), tuple(counted["troubles"])
        self.report.wrong += [
            *wrong_runs(self.plan, actions, counted),
            *wrong_order(actions, lines),
            *wrong_stops(actions, counted, lines),
            *wrong_books(self.plan, actions, self.books),
            *await self._wrong_messages(),
        ]

    async def _wrong_messages(self) -> list[str]:
        keys = await self._keys()
        wanted = {message_key(a) for a in self.books.actions() if a.status not in WAITING}  # a wish may have come late
        wrong = [f"{keys.count(key)} messages of {key}" for key in wanted if keys.count(key) != 1]
        return wrong + [f"{keys.count(k)} messages of {k}" for k in set(keys) - wanted if keys.count(k) > 1]

    async def _keys(self) -> list[str]:
        """The keys of all messages in the trial's channel and its threads."""
        slack, channel = self.house.workspace.slack, self.house.channel(self.plan.number)
        found = (await slack.conversations_history(channel=channel, include_all_metadata=True, limit=200))["messages"]
        for message in list(found):
            if message.get("reply_count"):
                thread = await slack.conversations_replies(
                    channel=channel, ts=message["ts"], include_all_metadata=True, limit=200
                )
                found += [m for m in thread["messages"] if m["ts"] != message["ts"]]
        return [m["metadata"]["event_payload"]["key"] for m in found if m.get("metadata")]


@asynccontextmanager
async def _stage(plan: Plan, house: House, folder: Path, report: Report) -> AsyncIterator[Trial]:
    replicas: list[Replica] = []
    ports = lambda: [r.port for r in replicas if r.port is not None]  # noqa: E731
    async with house.database(folder, plan) as url, a_doorway(ports) as door:
        names = [(f"bot-{n}", BOT) for n in range(2 if plan.lane.postgres else 1)]
        names += [(f"executor-{n}", EXECUTOR) for n in range(2 if plan.lane.apart else 0)]
        everybody: list[Replica] = []

        def spread() -> None:
            for one in everybody:
                one.kill()

        everybody += [Replica(house, folder, name, role, url, door, plan, spread) for name, role in names]
        replicas += [one for one, (_, role) in zip(everybody, names, strict=True) if role == BOT]
        tending = [asyncio.create_task(r.tend()) for r in everybody]
        books = Books(url)
        try:
            yield Trial(plan, house, folder, url, books, replicas, report)
        finally:
            for task, one in zip(tending, everybody, strict=True):
                await one.close()
                task.cancel()
            ends = await asyncio.gather(*tending, return_exceptions=True)
            report.wrong += [str(e) for e in ends if isinstance(e, AssertionError)]
            report.steps = [s for r in everybody for s in r.steps() if not s.startswith("! ")]
            report.fatal = [s[2:] for r in everybody for s in r.steps() if s.startswith("! ")]
            report.blows = len(report.fatal)
            books.close()


async def run(plan: Plan, house: House, folder: Path) -> Report:
    """The trial, told."""
    report, began = Report(plan), time.monotonic()
    name = f"n{plan.number}"
    await house.script(name, plan.script)
    write(
        folder,
        plan.lane,
        plan.approvals,
        channel=house.channel(plan.number),
        vendor=house.vendor,
        trial=name,
        keys=house.keys,
    )
    async with _stage(plan, house, folder, report) as trial:
        try:
            await trial.live()
        except TimeoutError as error:
            report.wrong.append(str(error))
        await trial.count()
    report.seconds = time.monotonic() - began
    return report
