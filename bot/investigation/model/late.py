"""A Model whose vendor's package loads at the first question, in a thread, and which is asked once what it can do."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bot.domain.conversation import Abilities, Failure, Reply
from bot.errors import BadSettings
from bot.investigation.model.faults import Fault
from bot.investigation.model.names import Named, named
from bot.ports import Listener, ModelRequest

if TYPE_CHECKING:
    from bot.investigation.model.vendors import Chat

_ASK_AGAIN = 30.0  # seconds after which a model that did not answer is asked again what it can do
_PROBE = timedelta(seconds=30)  # the longest that finding out may take
Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class How:
    """How to reach a model. `small` and `context` are None where the model itself is asked; `timeout` ends any question."""

    name: str
    url: str = field(default="", repr=False)  # may hold a password
    api_key: SecretStr | None = None
    small: bool | None = None
    context: int | None = None
    timeout: timedelta = timedelta(seconds=60)


class LateModel:
    """A language model behind the port `bot.ports.Model`. Raises BadSettings when it is made of a name that cannot be."""

    def __init__(self, how: How, *, pause: Pause = asyncio.sleep) -> None:
        self.name = how.name
        self._how = how
        self._named = named(how.name, how.url)
        if how.api_key is None and self._named.url == self._named.vendor.url and self._named.vendor.large:
            own = f"{self._named.kind.upper()}_API_KEY"
            raise BadSettings(f"model_api_key: {how.name} needs a key. Set TOCSIN_MODEL_API_KEY or {own} (or …_FILE=/path).")
        self._pause = pause
        self._opening = asyncio.Lock()
        self._chat: Chat | None = None
        self._known: Abilities | None = None
        self._ask_at = 0.0

    async def abilities(self) -> Abilities:
        """What it can do; cautious while it does not answer, and then asked again later."""
        async with self._opening:
            if self._known is None and time.monotonic() >= self._ask_at:
                from bot.investigation.model.probe import find_out  # lazy: it loads LangChain

                try:
                    self._known = await find_out(await self._open(), min(self._how.timeout, _PROBE), self._how.small)
                except Fault:
                    self._known = None
                finally:  # also when there was no time to wait for it
                    self._ask_at = time.monotonic() + _ASK_AGAIN
            how, found = self._how, self._known or Abilities(small=self._named.looks_small)
            return replace(found, small=found.small if how.small is None else how.small, context=how.context or found.context)

    async def ask(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        """The answer, or the failure as a value."""
        began = time.monotonic()
        deadline = min(request.deadline, self._how.timeout)
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                able = await self._abilities_within(deadline / 2) if request.form is not None or request.tools else Abilities()
                async with self._opening:
                    chat = await self._open()
        except TimeoutError:
            why = f"{self._named.host} did not say within {deadline.total_seconds():g} s what it can do."
            return Reply(failure=Failure.SLOW, why=why, model=self.name)
        except Fault as fault:
            return Reply(failure=fault.failure, why=fault.why, model=self.name)
        from bot.investigation.model.conversation import converse  # lazy: it loads LangChain

        left = deadline - timedelta(seconds=time.monotonic() - began)
        reply = await converse(chat, replace(request, deadline=left), able, listener, self._pause)
        return replace(reply, model=self.name, latency_ms=1000 * (time.monotonic() - began))

    async def _abilities_within(self, most: timedelta) -> Abilities:
        """A server that is too busy to say what it can do is asked in the way that any server understands."""
        try:
            async with asyncio.timeout(most.total_seconds()):
                return await self.abilities()
        except TimeoutError:
            return Abilities()

    async def _open(self) -> "Chat":
        if self._chat is None:
            self._chat = await asyncio.to_thread(_load, self._named, self._how)
        return self._chat


def _load(wanted: Named, how: How) -> "Chat":
    """Everything slow at once, off the event loop: langchain_openai takes 1.3 s, the agent's packages 0.4 s."""
    from bot.investigation.model import conversation, probe  # noqa: F401  loaded here, used above
    from bot.investigation.model.vendors import open_chat

    if not (wanted.looks_small if how.small is None else how.small):
        from bot.investigation.model import agent  # noqa: F401  only a large model is given tools
    return open_chat(wanted, how.api_key, how.timeout)
