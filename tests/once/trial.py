"""One trial: people ask and approve, processes die or stand still, the vendor misbehaves, and at last all is counted."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.domain.action import Action, ActionStatus
from bot.domain.request import Deed
from tests.once.books import Books
from tests.once.house import INCIDENT, House
from tests.once.installation import write
from tests.once.living import BOT, EXECUTOR
from tests.once.people import command, press, send
from tests.once.plan import Plan
from tests.once.replica import Replica

ONCALL = "U0ONCALL"
PATIENCE = 150.0  # seconds for what should take five; the machine may be busy
WAITING = (ActionStatus.PROPOSED, ActionStatus.AWAITING)


@dataclass
class Report:
    """How a trial ended."""

    plan: Plan
    wrong: list[str] = field(default_factory=list)
    status: str = ""
    outcome: str = ""
    runs: int = 0
    blows: int = 0  # that fell
    uncertain: str = ""  # what was said, where it was uncertain for a while
    troubles: tuple[str, ...] = ()
    steps: list[str] = field(default_factory=list)
    fatal: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        wrong = f"  WRONG: {'; '.join(self.wrong)}" if self.wrong else ""
        return (
            f"{self.plan.number:4} {self.plan.lane!s:54} {self.seconds:5.1f} s  {self.blows} blows  {self.runs} runs  "
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

    @property
    def name(self) -> str:
        """How the vendor calls it."""
        return f"n{self.plan.number}"

    async def live(self) -> None:
        """From the wish to the end of the action."""
        action = await self._asked_for()
        await asyncio.gather(*(self._click(c.person, c.mark, c.after, c.replica, action.id) for c in self.plan.clicks))
        action = await self._decided(action.id)
        action = await self._ended(action.id)
        await self._until(self.books.idle, "nothing left to do")
        self.report.status, self.report.outcome = action.status.value, action.outcome

    async def _asked_for(self) -> Action:
        await self._until(lambda: any(r.port for r in self.replicas) or any(r.lives > 1 for r in self.replicas), "a bot")
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.asked += 1
            bodies = [self._wish(way, f"ask{self.asked}") for way in self.plan.ways]
            await asyncio.gather(*(self._send(body, n) for body in bodies for n in range(self.plan.asks)))
            with contextlib.suppress(TimeoutError):
                await self._until(lambda: bool(self.books.actions()), "an action", 4.0 if self.plan.lane.apart else 2.0)
                return self.books.actions()[0]
        raise TimeoutError("no action came of it")

    def _wish(self, way: str, mark: str) -> bytes:
        channel = self.house.channel(self.plan.number)
        if way == "card":
            return press(ONCALL, channel, Deed.ROLLBACK_PROPOSE, INCIDENT, mark)
        return command(ONCALL, channel, "payments v42", mark)

    async def _send(self, body: bytes, replica: int) -> bool:
        first = replica % len(self.replicas)
        order = self.replicas[first:] + self.replicas[:first]

        def door() -> int | None:
            return next((r.port for r in order if r.port is not None), None)

        return await send(self.house.http, door, self.house.workspace.config.signing_secret, body)

    async def _click(self, person: str, mark: str, after: float, replica: int, action: str) -> None:
        await asyncio.sleep(after)
        body = press(person, self.house.channel(self.plan.number), Deed.ACTION_APPROVE, action, mark)
        await self._send(body, replica)

    async def _decided(self, id: str) -> Action:
        """Whoever sees that nothing happened presses again."""
        end = time.monotonic() + PATIENCE
        for again in range(1000):
            with contextlib.suppress(TimeoutError):
                await self._until(lambda: self._the(id).status not in WAITING, "a decision", 3.0 if self.plan.lane.apart else 1.5)
                return self._the(id)
            if time.monotonic() > end:
                break
            for person in ("U0APPROVER", "U0OUTSIDER"):
                await self._click(person, f"{person}-again{again}", 0, again, id)
        raise TimeoutError("nobody could approve")

    async def _ended(self, id: str) -> Action:
        end = time.monotonic() + PATIENCE
        healed = None
        while time.monotonic() < end:
            action = self._the(id)
            if action.ended:
                return action
            if action.status is ActionStatus.UNCERTAIN and healed is None:
                await self._examine(action)
                await self.house.heal(self.name)
                healed = time.monotonic()
            if healed and time.monotonic() - healed > 4 and action.status is ActionStatus.UNCERTAIN:
                await self._settle(id)
            await asyncio.sleep(0.1)
        raise TimeoutError(f"it never ended: {self._the(id)}")

    async def _examine(self, action: Action) -> None:
        """Uncertain only where the vendor cannot be asked or does not remember; and it is said how to find out."""
        self.report.uncertain = action.outcome
        counted = await self.house.counted(self.name)
        away = self.plan.lane.apart and (self.plan.late or self.plan.blows)  # nobody is there to ask the vendor
        known = action.id in counted["knows"] and all(t == "well" for t in counted["told"][:3]) and not away
        if known:
            self.report.wrong.append(f"uncertain although the vendor could tell: {action.outcome} {counted}")
        if action.id not in action.outcome or "find out" not in action.outcome:
            self.report.wrong.append(f"nobody is told how to find out: {action.outcome!r}")

    async def _settle(self, id: str) -> None:
        """Somebody looked, and says what they saw."""
        counted = await self.house.counted(self.name)
        deed = Deed.ACTION_RAN if counted["running"] == "v42" else Deed.ACTION_DID_NOT_RUN
        body = press("U0APPROVER", self.house.channel(self.plan.number), deed, id, f"settle{time.monotonic()}")
        await self._send(body, 0)
        await asyncio.sleep(0.5)

    def _the(self, id: str) -> Action:
        return self.books.action(id)

    async def _until(self, true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds:g} s for {what}")
            await asyncio.sleep(0.1)

    async def count(self) -> None:
        """Everything is counted."""
        counted = await self.house.counted(self.name)
        self.report.runs, self.report.troubles = len(counted["started"]), tuple(counted["troubles"])
        self.report.wrong += [*wrong_runs(self.plan, self.books.actions(), counted), *self._wrong_books()]
        self.report.wrong += await self._wrong_messages()
        if not self.books.whole():
            self.report.wrong.append("the audit's chain is broken")

    def _wrong_books(self) -> Iterator[str]:
        deeds = self.books.rows("SELECT subject, deed FROM ledger")
        for action in self.books.actions():
            begun = deeds.count((action.id, "executing"))
            began = action.status not in (*WAITING, ActionStatus.REFUSED, ActionStatus.EXPIRED)
            if begun != int(began):
                yield f"{action.status.value}, and {begun} lines say that it was begun"
            if action.status not in WAITING and not action.ended:
                yield f"an action stays {action.status.value}"
        if dead := self.books.rows("SELECT name, error FROM work WHERE state = 'dead'"):
            yield f"work died: {dead}"
        if self.plan.incident and self.books.rows("SELECT count(*) FROM incidents") != [(1,)]:
            yield "the incident is not what it was"

    async def _wrong_messages(self) -> list[str]:
        keys = await self._keys()
        wanted = [f"action:{a.id}" for a in self.books.actions()]
        wrong = [f"{keys.count(key)} messages of {key}" for key in wanted if keys.count(key) != 1]
        return wrong + [f"{keys.count(k)} messages of {k}" for k in set(keys) - set(wanted) if keys.count(k) > 1]

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


def wrong_runs(plan: Plan, actions: list[Action], counted: dict[str, Any]) -> Iterator[str]:
    """What does not fit between what the vendor counted and what the bot says."""
    started, script = counted["started"], plan.script
    if len(started) > 1 or max(counted["by_version"].values(), default=0) > 1:
        yield f"{len(started)} runs: {started} {counted['by_version']}"
    for action in actions:
        ran = action.id in started
        if action.status in (*WAITING, ActionStatus.REFUSED, ActionStatus.EXPIRED) and ran:
            yield f"{action.status.value} and yet it ran"
        if action.status is ActionStatus.SUCCEEDED and not (ran and script.ends == "succeeded"):
            yield "it succeeded without a run that did"
        failed = action.status is ActionStatus.FAILED and ran
        excused = script.ends == "failed" or script.forgets is not None or plan.incident == "firing"
        if failed and not excused:
            yield f"failed, but it ran and went well: {action.outcome}"
        unfounded = action.status is ActionStatus.FAILED and not ran
        if unfounded and not any(t in ("422", "429", "503", "lost") for t in counted["troubles"]) and counted["troubles"]:
            yield f"the vendor took it, and there is no run: {action.outcome}"


@asynccontextmanager
async def _stage(plan: Plan, house: House, folder: Path, report: Report) -> AsyncIterator[Trial]:
    async with house.database(folder, plan.lane, plan.incident) as url:
        names = [(f"bot-{n}", BOT) for n in range(2 if plan.lane.postgres else 1)]
        names += [(f"executor-{n}", EXECUTOR) for n in range(2 if plan.lane.apart else 0)]
        everybody: list[Replica] = []

        def spread() -> None:
            for one in everybody:
                one.kill()

        everybody += [Replica(house, folder, name, role, url, plan, spread) for name, role in names]
        replicas = [one for one, (_, role) in zip(everybody, names, strict=True) if role == BOT]
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
