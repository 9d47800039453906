"""The one callback: counts calls, tokens, money and time, keeps what left and came back, and passes words on."""

import asyncio
import json
import math
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk, GenerationChunk, LLMResult
from typing_extensions import override

from bot.domain.conversation import Role, Said
from bot.domain.payload import scrubbed
from bot.investigation.model.loops import Watch
from bot.investigation.model.prices import price
from bot.investigation.model.speech import Speech
from bot.investigation.model.vendors import Chat
from bot.ports import Listener
from bot.redact import Veil

_MESSAGE_CAP = 40_000  # characters of one message that the journal keeps
_TOTAL_CAP = 160_000
_TOKENS = 100_000_000  # of one call; no server can be believed to have read or written more
_ROLES = {"system": Role.SYSTEM, "human": Role.USER, "ai": Role.ASSISTANT, "tool": Role.TOOL}


class Cut(Exception):
    """The answer had to be cut at `at`: it looped, or ran on far beyond what was asked."""

    def __init__(self, at: int) -> None:
        super().__init__(f"cut after {at} characters")
        self.at = at


class Meter(AsyncCallbackHandler):
    """Sums over all calls of one conversation. `hold` and `aloud` decide which words a listener hears."""

    raise_error = True  # a Cut has to end the call
    run_inline = True  # words keep their order

    def __init__(
        self, chat: Chat, veil: Veil, listener: Listener | None, *, most: int, hold: int, aloud: bool, until: float = math.inf
    ) -> None:
        self.calls = 0
        self.tokens_in = self.tokens_out = self.tokens_cached = self.tokens_reasoning = 0
        self.cost = 0.0
        self.cost_known = True
        self.estimated = False
        self.model_answered = ""
        self.first_token_ms: float | None = None
        self.sent: Sequence[BaseMessage] = ()
        self.answer: AIMessage | None = None  # None while a call is open, or when it failed
        self.text = ""  # of the open or the last answer, tokenised
        self._began = time.monotonic()
        self._chat = chat
        self._veil = veil
        self._listener = listener if aloud else None
        self._most = most
        self._hold = hold
        self._until = until  # the event loop's time
        self._open = False
        self._called = 0  # characters of the calls of tools
        self._speech = Speech(veil)
        self._watch = Watch(most)

    @override
    async def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A request leaves."""
        self.settle()
        self.calls += 1
        self._open = True
        self.sent, self.answer, self.text, self._called = messages[0], None, "", 0
        self._speech, self._watch = Speech(self._veil, self._hold), Watch(self._most)

    @override
    async def on_llm_new_token(
        self,
        token: str | list[str | dict[str, Any]],
        *,
        chunk: GenerationChunk | ChatGenerationChunk | None = None,
        run_id: UUID,
        **kwargs: Any,
    ) -> None:
        """Some of the answer has come."""
        if asyncio.get_running_loop().time() > self._until:  # a cancellation can be lost where chunks come without a pause
            raise TimeoutError
        message = chunk.message if isinstance(chunk, ChatGenerationChunk) else None
        calls = getattr(message, "tool_call_chunks", ())
        piece = chunk.text if chunk is not None else token if isinstance(token, str) else ""
        if (piece or calls) and self.first_token_ms is None:
            self.first_token_ms = 1000 * (time.monotonic() - self._began)
        if calls:
            self._speech.hush()
        self.text += piece
        self._called += sum(len(call.get("args") or "") + 1 for call in calls)
        if self._called > self._most:
            raise Cut(len(self.text))
        if (at := self._watch.cut(self.text)) is not None:
            raise Cut(at)
        await self._say(self._speech.hear(piece))

    @override
    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """The answer is whole."""
        message = getattr(response.generations[0][0], "message", None)
        if not isinstance(message, AIMessage):
            return
        self.answer, self._open = message, False
        if message.tool_calls:
            self._speech.hush()
        if not self.text:
            self.text = message.text
            await self._say(self._speech.hear(self.text))
        await self._say(self._speech.end())
        self._count(message)

    def settle(self) -> None:
        """A call that never came to its end is counted by what is known of it: four characters are about a token."""
        if self._open and (self.text or self._called):
            self._spend(self._sent_tokens(), (len(self.text) + self._called) // 4, 0, estimated=True)
        self._open = False

    def transcript(self) -> tuple[Said, ...]:
        """Exactly what left in the last request, and what came back to it; long messages are cut, and say so."""
        last = [self.answer] if self.answer is not None else [AIMessage(self.text)] if self.text else []
        room = _TOTAL_CAP
        said: list[Said] = []
        for message in [*self.sent, *last]:
            text = _capped(scrubbed(_written(message)), min(_MESSAGE_CAP, room))
            room -= len(text)
            said.append(Said(_ROLES.get(message.type, Role.ASSISTANT), text))
        return tuple(said)

    async def _say(self, words: str) -> None:
        if words and self._listener is not None:
            await self._listener.words(words)

    def _count(self, message: AIMessage) -> None:
        meta = message.response_metadata
        self.model_answered = scrubbed(str(meta.get("model_name") or meta.get("model") or self.model_answered)[:200])
        usage = message.usage_metadata
        if usage is None or usage["input_tokens"] <= 0 or usage["output_tokens"] < 0:  # no question is empty
            tokens_out = usage["output_tokens"] if usage else len(_written(message)) // 4
            self._spend(self._sent_tokens(), tokens_out, 0, estimated=True)
            return
        reasoning = (usage.get("output_token_details") or {}).get("reasoning") or 0
        self.tokens_reasoning += min(max(reasoning, 0), _TOKENS)
        cached = (usage.get("input_token_details") or {}).get("cache_read") or 0
        self._spend(usage["input_tokens"], usage["output_tokens"], cached, estimated=False)

    def _sent_tokens(self) -> int:
        return sum(len(message.text) for message in self.sent) // 4  # about

    def _spend(self, told_in: int, told_out: int, told_cached: int, *, estimated: bool) -> None:
        tokens_in, tokens_out, cached = (min(max(told, 0), _TOKENS) for told in (told_in, told_out, told_cached))
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        self.tokens_cached += cached
        self.estimated = self.estimated or estimated
        cost = price(self._chat.named, (self.model_answered, self._chat.model), tokens_in, tokens_out, cached)
        self.cost += cost or 0.0
        self.cost_known = self.cost_known and cost is not None


def _written(message: BaseMessage) -> str:
    calls = [f"{c['name']}({json.dumps(c['args'], ensure_ascii=False)})" for c in getattr(message, "tool_calls", ())]
    mark = " (failed)" if isinstance(message, ToolMessage) and message.status == "error" else ""
    name = f"{message.name}{mark}: " if isinstance(message, ToolMessage) and message.name else ""
    return "\n".join(filter(None, [name + message.text, *calls]))


def _capped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n[{len(text) - most} more characters were sent]"
