"""Every night the weights of rules are fitted to the causes that people confirmed; in force they are only if they win.

Run twice, or killed half-way, it does the same once: an attempt is kept in one transaction, under a hash of its lessons.
"""

import asyncio
import logging
from collections.abc import Mapping

from bot.domain.learning import SHIPPED, Learned, Weights
from bot.flows.desk import Desk
from bot.investigation.learning.learn import ENOUGH, learn, still_good
from bot.investigation.learning.lessons import Lesson, basis_of, lesson_of
from bot.ports import DiagnosisStore, IncidentStore, Scalar, Transaction

log = logging.getLogger(__name__)

MOST = 2_000  # incidents that are learned from, the newest
AS_SHIPPED = 0


async def weights_in_force(desk: Desk) -> Weights:
    """What a diagnosis is made with now, on every replica."""
    current = await desk.db.read(desk.weights.current)
    return current.weights if current and current.number else SHIPPED


async def learn_weights(_args: Mapping[str, Scalar], desk: Desk) -> None:
    """Learn from what was confirmed, if there is enough and something new."""
    lessons = await desk.db.read(lambda tx: lessons_of(tx, desk))
    await retire(lessons, desk)
    basis = basis_of(lessons)
    if len(lessons) < ENOUGH or await desk.db.read(lambda tx: _known(tx, basis, desk)):
        return
    attempt = await asyncio.to_thread(learn, lessons, desk.clock())
    kept = await desk.db.write(lambda tx: _keep(tx, attempt, desk))
    if kept is not None:
        log.info("weights=%s adopted=%s incidents=%d %s", kept.weights.version, kept.adopted, kept.incidents, kept.reason)


def lessons_of(tx: Transaction, desk: Desk) -> list[Lesson]:
    """What the confirmed incidents teach."""
    return lessons_kept(tx, desk.incidents, desk.diagnoses)


def lessons_kept(tx: Transaction, incidents: IncidentStore, diagnoses: DiagnosisStore) -> list[Lesson]:
    """The same from the stores alone, for commands."""
    confirmed = [i for i in incidents.recent(tx, MOST) if i.confirmed_cause and not i.live]
    found = (lesson_of(i, diagnoses.latest(tx, i.id)) for i in confirmed)
    return [one for one in found if one is not None]


async def retire(lessons: list[Lesson], desk: Desk) -> None:
    """Learned weights that convicted somebody wrongly whom the shipped ones spare are in force no longer."""
    current = await desk.db.read(desk.weights.current)
    if current is None or not current.number or current.pinned:
        return
    since = [one for one in lessons if one.at > current.at]
    if await asyncio.to_thread(still_good, current.weights, since):
        return
    log.warning("weights=%s convicted somebody wrongly whom the shipped weights spare: those are in force again", current.number)
    await desk.db.write(lambda tx: desk.weights.use(tx, AS_SHIPPED, desk.clock(), pinned=False))


def _known(tx: Transaction, basis: str, desk: Desk) -> bool:
    newest = next(iter(desk.weights.history(tx)), None)
    return newest is not None and newest.basis == basis


def _keep(tx: Transaction, attempt: Learned, desk: Desk) -> Learned | None:
    """The attempt under the next number, unless another run kept the same meanwhile."""
    if _known(tx, attempt.basis, desk):
        return None
    newest = next(iter(desk.weights.history(tx)), None)
    current = desk.weights.current(tx)
    numbered = attempt.as_number(newest.number + 1 if newest else 1)
    if numbered.adopted and current is not None and current.pinned:
        numbered = numbered.refused(f"{numbered.reason}; not in force, because a person chose {current.weights.version}")
    desk.weights.keep(tx, numbered)
    return numbered
