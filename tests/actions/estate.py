"""A desk with real stores for the tests of actions: one shop, three people, a deployer that remembers what it was asked."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from bot.actions.policy import Policies, read_policies
from bot.domain.action import Action
from bot.domain.change import Commit, Version
from bot.domain.evidence import Candidate, Confidence, Diagnosis, Verdict
from bot.domain.incident import Incident
from bot.domain.request import Deed, Person, Press
from bot.domain.service import Catalogue, Service
from bot.domain.view import Place, Shown
from bot.errors import Unavailable
from bot.flows.acting import batches, cancelling, executing, pressing, taking_back, telling, verifying
from bot.flows.desk import Desk, Limits
from bot.incidents.routing import Routing
from bot.knowledge.library import Library
from bot.ports import Handler, Order, Run, RunState, Scalar, Work
from bot.storage.database import SqlDatabase
from bot.wiring import Stores
from tests.fakes import NOON, FakeChannel, FakeClock, InMemoryWork, an_incident

OLIVIA, AMIR, SAM = "U0ONCALL", "U0APPROVER", "U0OUTSIDER"
RULES = """
groups:
  on-call: [U0ONCALL, U0NIGHT]
  approvers: [U0APPROVER, U0CHIEF, U0ONCALL]
rules:
  - name: production
    environments: [production]
    request: [on-call, approvers]
    approve: [approvers]
    self_approval: false
    expires_minutes: 30
  - name: elsewhere
    environments: [staging]
    request: [anyone]
    approve: [anyone]
    self_approval: true
    expires_minutes: 120
"""
CATALOGUE = Catalogue(
    {
        "payments": Service(
            "payments",
            owner="team-payments",
            tier=1,
            aliases=("payments-api",),
            depends_on=("acmepay",),
            repository="demo/shop",
            paths=("services/payments", "lib"),
            environments=("production", "staging"),
            deployer="shop",
        ),
        "checkout": Service("checkout", depends_on=("payments",), deployer="shop"),
        "acmepay": Service("acmepay", external=True),
        "printer": Service("printer"),
    }
)


@dataclass
class FakeDeployer:
    """A vendor in memory. `runs` are the keys of real runs; `asked` is every call in order.

    `lose_answer`: the next start is accepted, but its answer is lost. `refuse_start`: the next start never arrives.
    `down`: nothing can be asked. `outcome` is what a new run is.
    """

    idempotent: bool = False
    cancels: bool = True
    running: dict[str, str] = field(default_factory=lambda: {"payments": "v43", "checkout": "v18"})
    healthy: dict[str, bool | None] = field(default_factory=lambda: {"v43": True, "v42": True, "v41": True})
    outcome: RunState = RunState.SUCCEEDED
    runs: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    lose_answer: bool = False
    refuse_start: bool = False
    down: bool = False
    by_key: dict[str, Run] = field(default_factory=dict)
    switches: bool = True

    async def current(self, service: str, environment: str) -> Version:
        self._answer("current")
        return Version(self.running[service], commit=self.running[service] + "-sha")

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        self._answer("versions")
        at = NOON - timedelta(hours=1)
        return tuple(Version(v, v + "-sha", at, h) for v, h in self.healthy.items())

    async def start(self, order: Order) -> Run:
        self._answer("start")
        await asyncio.sleep(0)
        if self.refuse_start:
            self.refuse_start = False
            raise Unavailable("The connection was refused.")
        if not (self.idempotent and order.key in self.by_key):
            self.runs.append(order.key)
            run = Run(f"run-{len(self.runs)}", self.outcome, order.version, output=("deployed token=abcdefgh12345678",))
            self.finish(order, run)
        if self.lose_answer:
            self.lose_answer = False
            raise Unavailable("The connection broke.")
        return self.by_key[order.key]

    async def status(self, order: Order) -> Run:
        self._answer("status")
        return self.by_key.get(order.key, Run("", RunState.UNKNOWN))

    async def cancel(self, order: Order) -> Run:
        self._answer("cancel")
        run = self.by_key.get(order.key, Run("", RunState.UNKNOWN))
        if run.state is RunState.RUNNING:
            self.by_key[order.key] = run = replace(run, state=RunState.CANCELLED)
        return run

    async def check(self) -> tuple[str, ...]:
        self._answer("check")
        return ()

    def how_to_ask(self, order: Order) -> str:
        return f"run `deployctl status --key {order.key}`"

    def finish(self, order: Order, run: Run) -> None:
        """The vendor's run is in this state now."""
        self.by_key[order.key] = run
        if run.state is RunState.SUCCEEDED and self.switches:
            self.running[order.service] = order.version

    def _answer(self, what: str) -> None:
        self.asked.append(what)
        if self.down:
            raise Unavailable("The deployer does not answer.")


@dataclass
class FakeRepository:
    """A ports.ChangeSource with these commits between any two."""

    commits: tuple[Commit, ...] = ()

    async def commit(self, repository: str, sha: str) -> Commit | None:
        return next((c for c in self.commits if c.sha == sha), None)

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        return self.commits


def a_desk(database: SqlDatabase, clock: Callable[[], Any], deployer: Any, **more: Any) -> Desk:
    numbers, stores = itertools.count(1), Stores()
    policies: Policies = more.pop("policies", read_policies(RULES))
    work: Work = more.pop("work", InMemoryWork())
    return Desk(
        db=database,
        work=work,
        clock=clock,
        new_id=lambda: f"id-{next(numbers)}",
        channel=FakeChannel(),
        **{name: getattr(stores, name) for name in stores.__slots__},
        catalogue=lambda: CATALOGUE,
        routing=lambda: Routing(),
        policies=lambda: policies,
        library=Library((), None),
        deployers={"shop": deployer},
        limits=Limits(),
        **more,
    )


def handlers(desk: Desk) -> Mapping[str, Handler]:
    """The work of actions, by the names that wiring gives it; the chat's refreshes are not looked at here."""

    async def nothing(args: Mapping[str, Scalar]) -> None:
        return None

    return {
        "execute": lambda args: executing.execute(args, desk),
        "batch_turn": lambda args: batches.batch_turn(args, desk),
        "take_back": lambda args: taking_back.take_back(args, desk),
        "verify_action": lambda args: verifying.verify(args, desk),
        "cancel_run": lambda args: cancelling.cancel_run(args, desk),
        "expire_action": lambda args: telling.expire(args, desk),
        "call_for_help": lambda args: telling.call_for_help(args, desk),
        "refresh": nothing,
        "draw": nothing,
        "first_card": nothing,
    }


async def run_for(desk: Desk, clock: FakeClock, seconds: float, step: float = 1.0) -> None:
    """The work that comes due while the clock goes on."""
    assert isinstance(desk.work, InMemoryWork)
    end = clock.now + timedelta(seconds=seconds)
    await desk.work.run_all(handlers(desk), now=clock.now)
    while clock.now < end:
        clock.advance(seconds=step)
        await desk.work.run_all(handlers(desk), now=clock.now)


def convicted(version: str = "v43") -> Diagnosis:
    cause = Candidate("c1", "payments", "raise retries", version=version, commit="3f2c1a9", shipped_at=NOON)
    return Diagnosis(Verdict.CONVICTED, Confidence.STRONG, "payments v43 did it [E1]", NOON, cause=cause)


async def open_incident(desk: Desk, diagnosis: Diagnosis | None = None, **fields: Any) -> Incident:
    incident = an_incident(channel="#payments", on_call=(OLIVIA,), **fields)

    def go(tx: Any) -> Incident:
        kept = desk.incidents.save(tx, incident)
        if diagnosis is not None:
            desk.diagnoses.save(tx, kept.id, diagnosis)
        return kept

    return await desk.db.write(go)


async def press(desk: Desk, deed: Deed, value: str, who: str, id: str = "") -> Shown | None:
    place = Place("C-PAYMENTS", "1.1")
    return await pressing.on_press(Press(Person(who), place, deed, value, "t1", id or f"{deed}:{value}:{who}"), desk)


async def proposed(desk: Desk, who: str = OLIVIA) -> Action:
    """The rollback that the incident's card offers, pressed by somebody."""
    incident = await open_incident(desk, convicted())
    await press(desk, Deed.ROLLBACK_PROPOSE, incident.id, who)
    return await newest(desk)


async def newest(desk: Desk) -> Action:
    found = await desk.db.read(lambda tx: desk.actions.of_incident(tx, an_incident().id))
    return found[0]


async def the(desk: Desk, id: str) -> Action:
    found = await desk.db.read(lambda tx: desk.actions.get(tx, id))
    assert found is not None
    return found


async def clear(desk: Desk) -> None:
    """The alerts of the incident stop."""

    def go(tx: Any) -> None:
        incident = desk.incidents.get(tx, an_incident().id)
        assert incident is not None
        desk.incidents.save(tx, replace(incident, members=tuple(replace(m, firing=0) for m in incident.members)))

    await desk.db.write(go)


async def deeds(desk: Desk, subject: str) -> list[tuple[str, str]]:
    """Who did what, as the audit tells it."""
    return [(e.actor, e.deed) for e in await desk.db.read(lambda tx: desk.ledger.entries(tx, subject))]
