"""A question is asked again where that can help: at most twice, never past the deadline, never after the first word."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.domain.conversation import Failure
from bot.investigation.model.faults import Fault
from bot.investigation.model.meter import Meter
from bot.investigation.model.vendors import Chat
from bot.ports import ModelRequest

T = TypeVar("T")
_PAUSES = (0.5, 2.0)  # seconds before the second and the third try where the vendor names none


class Patience:
    """How one conversation asks its vendor; `until` is the event loop's time at which it ends."""

    def __init__(
        self, chat: Chat, meter: Meter, pause: Callable[[float], Awaitable[None]], until: float, request: ModelRequest
    ) -> None:
        self._chat = chat
        self._meter = meter
        self._pause = pause
        self._until = until
        self._most_cost = request.most_cost
        self._stopped = request.stopped

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """What the call returns; raises Fault."""
        for wait in (*_PAUSES, None):
            if self._stopped is not None and await self._stopped():
                raise Fault(Failure.SWITCHED_OFF, "the model is switched off")
            if self._most_cost is not None and self._meter.cost >= self._most_cost:
                raise Fault(Failure.OVER_BUDGET, f"It cost ${self._meter.cost:.4f} of at most ${self._most_cost:.4f}.")
            try:
                return await call()
            except self._chat.errors as error:
                fault = self._chat.fault(error)
            if wait is None or not fault.again or self._meter.text:
                raise fault
            wait = fault.retry_after if fault.retry_after is not None else wait
            if asyncio.get_running_loop().time() + wait >= self._until:
                raise fault
            await self._pause(wait)
        raise AssertionError("the last try returns or raises")
