"""A second model is asked when the first one fails."""

from dataclasses import replace

from bot.domain.conversation import Abilities, Failure, Reply
from bot.ports import Listener, Model, ModelRequest

_FINAL = frozenset({Failure.OVER_BUDGET, Failure.SWITCHED_OFF})


class Substituted:
    """The first model; where it fails, the second one answers and `fallback_from` names the first.

    What the first one cost is part of the reply. Words that people already heard are not taken back here: the telling's
    end shows the answer that counts. Over budget is no reason to ask another one.
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
        reply = await self._first.ask(request, listener)
        if reply.failure is None or reply.failure in _FINAL:
            return reply
        second = await self._second.ask(request, listener)
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
