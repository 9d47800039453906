"""A second model is asked when the first one fails."""

import time
from dataclasses import replace
from datetime import timedelta

from bot.domain.conversation import Abilities, Failure, Reply
from bot.ports import Listener, Model, ModelRequest

_FINAL = frozenset({Failure.OVER_BUDGET, Failure.SWITCHED_OFF})


class Substituted:
    """The first model; where it fails, the second one answers and `fallback_from` names the first.

    The first one gets two thirds of the time, so that the second one has some; what the first one cost is part of the reply
    and of the budget. Words that people already heard are not taken back here: the telling's end shows the answer that
    counts. Over budget is no reason to ask another one.
    """

    def __init__(self, first: Model, second: Model) -> None:
        self.name = first.name
        self._first = first
        self._second = second

    async def abilities(self) -> Abilities:
        """What the first one can do; the second one is given the same questions."""
        return await self._first.abilities()

    async def ask(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        """The first one's answer, or else the second one's, or else the second one's failure."""
        began = time.monotonic()
        reply = await self._first.ask(replace(request, deadline=request.deadline * 2 / 3), listener)
        if reply.failure is None or reply.failure in _FINAL or reply.calls >= request.most_calls:
            return reply
        left = request.deadline - timedelta(seconds=time.monotonic() - began)
        budget = None if request.most_cost is None else request.most_cost - reply.cost
        calls = request.most_calls - reply.calls
        second = await self._second.ask(replace(request, deadline=left, most_cost=budget, most_calls=calls), listener)
        return replace(
            second,
            fallback_from=self._first.name,
            why=second.why and f"{self._first.name} {reply.failure}; {second.why}",
            calls=reply.calls + second.calls,
            tokens_in=reply.tokens_in + second.tokens_in,
            tokens_out=reply.tokens_out + second.tokens_out,
            cost=reply.cost + second.cost,
            cost_known=reply.cost_known and second.cost_known,
            latency_ms=reply.latency_ms + second.latency_ms,
            tool_uses=reply.tool_uses + second.tool_uses,
        )
