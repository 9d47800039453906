"""The bot's side of the mailbox: errands are signed, posted and waited for."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.errand import QUESTION, START, Errand, ErrandKind, ErrandState, Presence
from bot.errors import IllegalMove, NotFound, NotStarted, Unavailable
from bot.executor.keys import Signer
from bot.executor.letters import Answer, Letter, Question, error_of, failure_of, read_answer, sealed, told
from bot.executor.warrant import warrant_of
from bot.ports import ActionStore, Clock, Database, ErrandStore, Order, Run, RunState, Transaction

FIRST, LAST, GROWS = 0.03, 0.4, 1.3  # seconds between two looks for an answer
GRACE = timedelta(seconds=60)  # the clock of an executor may be ahead by so much and still find a question


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer is waited for, how long a warrant holds, and after how long an executor is called away."""

    question: timedelta = timedelta(seconds=15)
    start: timedelta = timedelta(seconds=30)
    warrant: timedelta = timedelta(seconds=120)
    away: timedelta = timedelta(seconds=60)
    taken: timedelta = timedelta(seconds=8)  # a question that no executor took by then is not waited for: whoever asks hears why


class Dispatch:
    """Posts errands for all deployers of an installation. A failure that was answered is raised as the error it was."""

    def __init__(
        self,
        db: Database,
        errands: ErrandStore,
        actions: ActionStore,
        signer: Signer,
        clock: Clock,
        patience: Patience | None = None,
    ) -> None:
        self._db, self._errands, self._actions = db, errands, actions
        self._signer, self._clock = signer, clock
        self.patience = patience or Patience()

    async def ask(self, id: str, asked: Question) -> Answer:
        """The answer to a question. Raises Unavailable if none comes in time, else whatever was answered."""
        await self._known(asked.deployer)
        wait = self.patience.question
        now = self._clock()
        letter = Letter(
            id=QUESTION + id,
            kind=asked.kind,
            deployer=asked.deployer,
            issued_at=now,
            expires_at=now + wait + GRACE,
            service=asked.service,
            environment=asked.environment,
            commit=asked.commit,
            order=asked.order,
            version=asked.version,
        )
        errand = sealed(letter, self._signer)
        await self._db.write(lambda tx: self._errands.post(tx, errand))
        try:
            done = await self._waited(errand.id, wait, self.patience.taken)
        finally:
            await self._db.write(lambda tx: self._errands.drop(tx, errand.id))
        if done is None:
            raise Unavailable(f"The executor did not answer within {wait.total_seconds():g} s; {await self.seen()}.")
        if not done.answered:
            waited = min(wait, self.patience.taken).total_seconds()
            late = f"No executor took the question within {waited:g} s; {await self.seen()}."
            raise Unavailable(f"{late} Does `tocsin executor` run?")
        return _answer(done)

    async def start(self, order: Order) -> Answer:
        """What came of the start of an action, which is posted once ever; later calls wait for the same one.

        Raises Unavailable while nobody knows, NotStarted where it was never begun and never will be.
        """

        def post(tx: Transaction) -> Errand:
            there = self._errands.get(tx, START + order.key)
            if there is not None:
                return there
            action = self._actions.get(tx, order.key)
            if action is None:
                raise IllegalMove("The action is no longer kept, so nothing was started.")
            now = self._clock()
            warrant = warrant_of(action, now, self.patience.warrant)
            letter = Letter(START + action.id, ErrandKind.START, action.deployer, now, warrant.expires_at, warrant=warrant)
            return self._errands.post(tx, sealed(letter, self._signer))

        posted = await self._db.write(post)
        done = await self._waited(posted.id, self.patience.start)
        if done is not None:
            return _answer(done)
        there = await self.started(order)
        if there is not None and there.answered:
            return _answer(there)
        raise Unavailable(f"The executor has not said what came of it; {await self.seen()}.")

    async def started(self, order: Order) -> Errand | None:
        """The start of an action; one that nobody took before its warrant ran out is withdrawn, and never begun later."""
        there = await self._db.read(lambda tx: self._errands.get(tx, START + order.key))
        if there is None or not there.untouched or self._clock() < there.expires_at:
            return there
        late = NotStarted(
            f"The executor was away until the warrant ran out at {there.expires_at:%H:%M:%S} UTC; {await self.seen()}."
        )
        return await self._withdrawn(there, Answer(failure_of(late)))

    async def stopped(self, order: Order) -> Errand | None:
        """The same, taken back before any executor has begun it, where none has."""
        there = await self.started(order)
        if there is None or not there.untouched:
            return there
        run = Run("", RunState.CANCELLED, order.version, output=("It was cancelled before it was begun; nothing was started.",))
        return await self._withdrawn(there, Answer(run=run))

    async def presences(self) -> tuple[Presence, ...]:
        """Executors, the one heard of last first."""
        return await self._db.read(self._errands.presences)

    async def seen(self) -> str:
        """When an executor was last heard of, in words."""
        known = await self.presences()
        return f"it was last heard of {ago(self._clock() - known[0].seen_at)}" if known else "none was ever heard of"

    async def here(self) -> tuple[Presence, ...]:
        """Executors that were heard of just now."""
        return tuple(p for p in await self.presences() if self._clock() - p.seen_at < self.patience.away)

    async def _known(self, deployer: str) -> None:
        """Raises NotFound where executors are there and none has it; while none is there it may be one that comes."""
        there = {name for presence in await self.here() for name in presence.deployers}
        if there and deployer not in there:
            raise NotFound(
                f"No executor has a deployer {deployer[:80]!r}; those that are there have: {', '.join(sorted(there))}."
            )

    async def trouble(self) -> str:
        """Why nothing can be deployed at the moment; "" while an executor is there."""
        there = await self.here()
        return "" if there else f"no executor takes errands: {await self.seen()}; start `tocsin executor`"

    async def _withdrawn(self, errand: Errand, answer: Answer) -> Errand | None:
        def go(tx: Transaction) -> Errand | None:
            moved = self._errands.move(tx, errand, errand.with_answer(told(answer)))
            return moved or self._errands.get(tx, errand.id)

        return await self._db.write(go)

    async def _waited(self, id: str, wait: timedelta, taken: timedelta | None = None) -> Errand | None:
        """The errand once it is answered, or after `taken` if nobody took it; None after `wait`."""
        began = asyncio.get_running_loop().time()
        end, ignored = began + wait.total_seconds(), began + (taken or wait).total_seconds()
        pause = FIRST
        while (now := asyncio.get_running_loop().time()) < end:
            there = await self._db.read(lambda tx: self._errands.get(tx, id))
            if there is None or there.answered or (there.state is ErrandState.WAITING and now >= ignored):
                return there
            await asyncio.sleep(pause)
            pause = min(LAST, pause * GROWS)
        return None


def ago(span: timedelta) -> str:
    """How long ago something was, for people."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s ago"
    return f"{seconds // 60} min ago" if seconds < 7200 else f"{seconds // 3600} h ago"


def _answer(errand: Errand) -> Answer:
    answer = read_answer(errand.answer)
    if answer.failure is not None:
        raise error_of(answer.failure)
    return answer
