"""What the world outside is asked for a plan: all at once, each for a bounded time, and whoever does not answer is named."""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bot.domain.change import Change, Commit, Version
from bot.errors import BotError, NotFound, Unavailable
from bot.ports import ChangeSource, CommitChecks, Deployer, Order, Rehearsal, VersionCommits
from bot.redact import clean, redact

T = TypeVar("T")
LINES, WIDTH = 60, 300  # of a rehearsal
TAIL = 20  # of these lines are its last ones: tools say there what it comes to
WHY = 240
SHORTEST_SHA = 7


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that each is waited for."""

    deployer: float = 15.0
    forge: float = 8.0
    rehearsal: float = 30.0


@dataclass(frozen=True, slots=True)
class Answers:
    """What was said; `unasked` are those who did not answer, each with why, for people."""

    commits: tuple[Commit, ...] = ()
    checks: Mapping[str, bool] | None = None  # None: nobody knows any
    rehearsal: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Silence:
    """An answer that did not come."""

    why: str
    unknown: bool = False  # whoever was asked answered that there is no such thing


async def ask_versions(service: str, environment: str, deployer: Deployer, seconds: float) -> tuple[Version, tuple[Version, ...]]:
    """What runs, and what ran before, newest first. Raises as the deployer does, Unavailable where it takes too long."""
    question = asyncio.gather(deployer.current(service, environment), deployer.versions(service, environment))
    try:
        return await _within(question, seconds)
    except TimeoutError:
        late = f"The deployer of {service} did not say within {seconds:g} s what runs in {environment}; try again."
        raise Unavailable(late) from None


async def with_commit(target: Version, service: str, deployer: Deployer, seconds: float) -> tuple[Version, tuple[str, ...]]:
    """A version that never ran here with its commit, and who was not heard; what its deployer says goes before what was told."""
    if not isinstance(deployer, VersionCommits):
        return target, ()
    answer = await _in_time(deployer.commit_of(service, target.version), seconds)
    if not isinstance(answer, _Silence):
        return replace(target, commit=answer or target.commit), ()
    return target, () if answer.unknown else (redact(clean(f"the commit of {target.version}: {answer.why}")),)


async def ask_around(
    order: Order,
    repository: str,
    between: tuple[str, str],
    deployer: Deployer,
    sources: Sequence[ChangeSource],
    checkers: Collection[CommitChecks],
    told: Mapping[str, bool],
    patience: Patience,
) -> Answers:
    """The commits between two, the checks of the order's commit and the deployer's own dry run.

    `told` are checks that events told of; what is asked counts more. Never raises because somebody does not answer.
    """
    (commits, no_commits), (checks, no_checks), (rehearsal, no_rehearsal) = await asyncio.gather(
        _commits(repository, *between, sources, patience.forge),
        _checks(order, checkers, patience.forge),
        _rehearsal(order, deployer, patience.rehearsal),
    )
    known = {**told, **(checks or {})}
    clear = {redact(clean(name))[:100]: passed for name, passed in known.items()}
    return Answers(commits, clear or None, rehearsal, tuple(redact(clean(x)) for x in (*no_commits, *no_checks, *no_rehearsal)))


def told_checks(commit: str, changes: Sequence[Change]) -> Mapping[str, bool]:
    """The checks of a commit that events told of, a later one in place of an earlier one."""
    found: dict[str, bool] = {}
    for change in sorted(changes, key=lambda c: c.at):
        if change.checks and _same_commit(change.commit, commit):
            found.update(change.checks)
    return found


def _same_commit(one: str, other: str) -> bool:
    short = min(len(one), len(other))
    return short >= SHORTEST_SHA and one[:short] == other[:short]


async def _commits(
    repository: str, base: str, head: str, sources: Sequence[ChangeSource], seconds: float
) -> tuple[tuple[Commit, ...], list[str]]:
    if not (repository and base and head) or base == head:
        return (), []
    answers = await _all((s.between(repository, base, head) for s in sources), seconds)
    found = next((a for a in answers if a and not isinstance(a, _Silence)), ())
    if found:
        return found, []
    return (), [f"{repository}, for the commits: {a.why}" for a in answers if isinstance(a, _Silence) and not a.unknown]


async def _checks(
    order: Order, checkers: Collection[CommitChecks], seconds: float
) -> tuple[Mapping[str, bool] | None, list[str]]:
    """Of all who can be asked: a commit's id means the same to everybody, so it does not matter who knows it."""
    if not order.commit:
        return None, []
    answers = await _all((c.checks(order.service, order.commit) for c in checkers), seconds)
    found: dict[str, bool] = {}
    for answer in answers:
        found |= {} if isinstance(answer, _Silence) else answer
    if found:
        return found, []
    short = order.commit[:SHORTEST_SHA]
    return None, [f"the checks of {short}: {a.why}" for a in answers if isinstance(a, _Silence) and not a.unknown]


async def _rehearsal(order: Order, deployer: Deployer, seconds: float) -> tuple[tuple[str, ...], list[str]]:
    if not isinstance(deployer, Rehearsal):
        return (), []
    answer = await _in_time(deployer.rehearse(order), seconds)
    if isinstance(answer, _Silence):
        return (), [f"the deployer's own dry run: {answer.why}"]
    return _few([redact(clean(line.rstrip()))[:WIDTH] for line in answer]), []


def _few(lines: Sequence[str]) -> tuple[str, ...]:
    if len(lines) <= LINES:
        return tuple(lines)
    head = LINES - TAIL - 1
    return (*lines[:head], f"… {len(lines) - head - TAIL} lines are left out …", *lines[-TAIL:])


async def _all(questions: Iterable[Awaitable[T]], seconds: float) -> list[T | _Silence]:
    return await asyncio.gather(*(_in_time(question, seconds) for question in questions))


async def _in_time(question: Awaitable[T], seconds: float) -> T | _Silence:
    """The answer, or why there is none."""
    try:
        return await _within(question, seconds)
    except TimeoutError:
        return _Silence(f"no answer within {seconds:g} s")
    except NotFound as error:
        return _Silence(error.for_people[:WHY], unknown=True)
    except BotError as error:
        return _Silence(error.for_people[:WHY])


async def _within(question: Awaitable[T], seconds: float) -> T:
    """The answer. Raises TimeoutError; unlike with `asyncio.timeout`, whoever also takes long to give up is not waited for."""
    task = asyncio.ensure_future(question)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget)


def _forget(task: "asyncio.Future[T]") -> None:
    """What a question says after nobody waits for it any more is not an error of ours."""
    if not task.cancelled():
        task.exception()
