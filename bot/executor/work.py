"""What an executor does for one errand: the letter is checked, the world is asked, and only then is the vendor told.

The record that a start was attempted is the errand's state `begun`, written where all executors see it, right before the
vendor is told. Whoever finds an errand in it after a crash does not know whether the vendor heard of it, and asks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from bot.actions.execute import still_true
from bot.domain.change import Version
from bot.domain.errand import Errand, ErrandKind, ErrandState
from bot.errors import BotError, IllegalMove, NotAllowed, NotFound, Unavailable
from bot.executor.fences import Fences
from bot.executor.keys import Verifier
from bot.executor.letters import Answer, Letter, opened
from bot.executor.warrant import Warrant, fault_of
from bot.ports import Clock, CommitChecks, Deployer, Order, Rehearsal, Run, RunState, VersionCommits
from bot.redact import clean, redact
from bot.wire.orders import before_start, checked, checked_order

PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds before each question what became of a start
MOST_VERSIONS, MOST_LINES, LINE, MOST_CHECKS = 200, 60, 500, 100


class NotOurs(Exception):
    """Another executor has it, or its time is over: nothing is said of it."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What the work is done with."""

    deployers: Mapping[str, Deployer]
    verifier: Verifier
    fences: Fences
    clock: Clock


async def carry_out(errand: Errand, bench: Bench, begin: Callable[[], Awaitable[bool]]) -> Answer:
    """What came of an errand. Raises NotOurs where `begin` says so, and every BotError as its answer.

    Where the errand had been begun by an executor that was lost, an error says that nobody knows, never that nothing was started.
    """
    lost = errand.state is ErrandState.BEGUN
    try:
        letter = opened(errand, bench.verifier)
        deployer = _deployer(letter.deployer, bench)
        if letter.warrant is None:
            return await _asked(letter, deployer, bench)
        warrant = letter.warrant
        run = await _settled(warrant, deployer, bench) if lost else await _started(warrant, deployer, bench, begin)
        return _answer(deployer, warrant.order, Answer(run=_shown(run)))
    except BotError as error:
        if lost and not isinstance(error, Unavailable):
            raise Unavailable(
                f"An executor was lost while it started this, and another cannot tell what came of it: {error}"
            ) from error
        raise


def _deployer(name: str, bench: Bench) -> Deployer:
    deployer = bench.deployers.get(name)
    if deployer is None:
        there = ", ".join(bench.deployers) or "none"
        raise NotFound(f"The executor has no deployer {name[:80]!r}; its tocsin.toml has: {there}.")
    return deployer


async def _started(warrant: Warrant, deployer: Deployer, bench: Bench, begin: Callable[[], Awaitable[bool]]) -> Run:
    if fault := fault_of(warrant, bench.clock(), bench.fences.least):
        raise NotAllowed(f"The executor refused it. {fault}")
    bench.fences.pass_by(warrant.service, warrant.environment)
    checked_order(warrant.order)
    known = await before_start(deployer, warrant.order)  # somebody may have put an old errand back in its place
    if known is not None:
        return known
    if moved := await still_true(warrant.wish, deployer):
        raise IllegalMove(moved)
    bench.fences.count(bench.clock())
    if not await begin():
        raise NotOurs
    try:
        return await deployer.start(warrant.order)
    except Unavailable:
        return await _settled(warrant, deployer, bench)


async def _settled(warrant: Warrant, deployer: Deployer, bench: Bench) -> Run:
    """What became of a start of which nobody knows. It is told again only to a deployer that starts a key once, and in time."""
    why = "the deployer never heard of it, or does not tell"
    for pause in PAUSES:
        await asyncio.sleep(pause)
        try:
            run = await deployer.status(warrant.order)
            if run.state is not RunState.UNKNOWN:
                return run
            if not deployer.idempotent or fault_of(warrant, bench.clock(), bench.fences.least):
                continue
            if await still_true(warrant.wish, deployer):
                continue
            bench.fences.pass_by(warrant.service, warrant.environment)
            return await deployer.start(warrant.order)
        except BotError as error:  # of whatever kind: the first start may have arrived
            why = str(error)
    raise Unavailable(f"Nobody knows whether it was started: {why}")


async def _asked(letter: Letter, deployer: Deployer, bench: Bench) -> Answer:
    """The answer to a question, or what came of a wish to stop."""
    if bench.clock() >= letter.expires_at:
        raise NotAllowed("The question came too late.")
    order = letter.order
    if order is not None:
        bench.fences.pass_by(order.service, order.environment)
        checked_order(order)
        return _answer(deployer, order, await _about_order(letter.kind, order, deployer))
    if letter.kind is ErrandKind.CHECK:
        return _answer(deployer, None, Answer(lines=_lines(await deployer.check())))
    bench.fences.pass_by(letter.service, letter.environment)
    if letter.kind is ErrandKind.CHECKS:
        checked(service=letter.service, commit=letter.commit)
        found = await deployer.checks(letter.service, letter.commit) if isinstance(deployer, CommitChecks) else {}
        return Answer(checks=dict([(redact(clean(name))[:200], passed) for name, passed in found.items()][:MOST_CHECKS]))
    if letter.kind is ErrandKind.COMMIT_OF:
        checked(service=letter.service, version=letter.version)
        commit = await deployer.commit_of(letter.service, letter.version) if isinstance(deployer, VersionCommits) else ""
        return Answer(version=Version(letter.version, redact(clean(commit))[:200]))
    checked(service=letter.service, environment=letter.environment)
    if letter.kind is ErrandKind.CURRENT:
        return _answer(deployer, None, Answer(version=await deployer.current(letter.service, letter.environment)))
    if letter.kind is ErrandKind.VERSIONS:
        return _answer(
            deployer, None, Answer(versions=(await deployer.versions(letter.service, letter.environment))[:MOST_VERSIONS])
        )
    raise NotAllowed(f"An errand of the kind {letter.kind.value!r} needs an order.")


async def _about_order(kind: ErrandKind, order: Order, deployer: Deployer) -> Answer:
    if kind is ErrandKind.STATUS:
        return Answer(run=_shown(await deployer.status(order)))
    if kind is ErrandKind.CANCEL:
        return Answer(run=_shown(await deployer.cancel(order)))
    if kind is ErrandKind.REHEARSE:
        return Answer(lines=_lines(await deployer.rehearse(order)) if isinstance(deployer, Rehearsal) else ())
    raise NotAllowed(f"An errand of the kind {kind.value!r} takes no order.")


def _answer(deployer: Deployer, order: Order | None, answer: Answer) -> Answer:
    """With what a person may want to know beside it."""
    how = redact(clean(deployer.how_to_ask(order)))[:LINE] if order is not None else ""
    return replace(answer, cancels=deployer.cancels, how_to_ask=how)


def _shown(run: Run) -> Run:
    """Nothing secret leaves with the vendor's own words."""
    return replace(run, id=redact(clean(run.id))[:200], link=redact(clean(run.link))[:2000], output=_lines(run.output))


def _lines(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(redact(clean(line))[:LINE] for line in lines[-MOST_LINES:])
