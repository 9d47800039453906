"""A model that keeps people waiting and says nothing is left alone for a while: questions go on without it at once."""

import time
from collections.abc import Callable

from bot.domain.conversation import Abilities, Failure, Reply
from bot.ports import Listener, Model, ModelRequest

TRIPS = 2  # failures in a row
REST = 30.0  # seconds without it, then one more try
_COSTLY = frozenset({Failure.SLOW, Failure.UNREACHABLE})  # they take the whole deadline; other failures are quick


class Breaker:
    """A model behind a circuit breaker; while it is open every question fails as the last one did, in no time."""

    def __init__(self, model: Model, now: Callable[[], float] = time.monotonic) -> None:
        self.name = model.name
        self._model = model
        self._now = now
        self._failures = 0
        self._failure: Failure | None = None
        self._until = 0.0

    async def abilities(self) -> Abilities:
        """The model's own; cautious ones while it is left alone."""
        return Abilities() if self._open else await self._model.abilities()

    async def ask(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        """The model's answer, or at once the failure that it had."""
        if self._open:
            why = f"it failed {self._failures} times in a row; it is asked again in {self._until - self._now():.0f} s"
            return Reply(failure=self._failure, why=why, model=self.name)
        reply = await self._model.ask(request, listener)
        if reply.failure not in _COSTLY:
            self._failures = 0
            return reply
        self._failures, self._failure = self._failures + 1, reply.failure
        if self._failures >= TRIPS:
            self._until = self._now() + REST
        return reply

    @property
    def _open(self) -> bool:
        return self._now() < self._until
