"""Models: texts to vectors, questions to answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from bot.domain.conversation import Abilities, Prompt, Reply


class Embedder(Protocol):
    """Texts to vectors of unit length; `name` and `digest` identify the model so that vectors are never mixed."""

    name: str
    digest: str
    dimensions: int
    at_once: int  # so many calls may run side by side

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text, in order; blocking, called in a thread. Raises Unavailable if the model does not answer.

        Somebody waits for a single text; several may take their time.
        """


@dataclass(frozen=True, slots=True)
class Tool:
    """A read-only look that a model may take; `parameters` is the JSON schema of its arguments.

    `run` answers with text; a BotError becomes a sentence for the model. It knows one incident and no free URL, SQL or shell.
    """

    name: str
    description: str
    parameters: Mapping[str, object]
    run: Callable[[Mapping[str, object]], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked. `text` is the user message: the long evidence first, the question last.

    With `form` (a JSON schema) the answer is one object of it; `check` says what is wrong with an object, or "": the model
    gets that sentence and one more try. With `tools` the model may look before it answers. `most_*` and `deadline` end it;
    `stopped` is asked before each call.
    """

    prompt: Prompt
    text: str
    form: Mapping[str, object] | None = None
    check: Callable[[Mapping[str, object]], str] | None = None
    tools: Sequence[Tool] = ()
    most_calls: int = 8
    most_tokens_out: int = 2000
    most_cost: float | None = None  # US dollars
    deadline: timedelta = timedelta(seconds=60)
    about: Mapping[str, str] = field(default_factory=dict)  # for traces: "incident" (INC-42), "interaction" (the journal's id)
    stopped: Callable[[], Awaitable[bool]] | None = None  # True: nothing more may be sent


class Listener(Protocol):
    """Hears an answer while it is made."""

    async def step(self, title: str, *, done: bool) -> None:
        """A look has begun, or is done."""

    async def words(self, more: str) -> None:
        """More of the answer's text."""


class Model(Protocol):
    """A language model. What is sent has secrets taken out and personal data tokenised by the model's own room."""

    name: str  # "openai:gpt-…", as it was asked for

    async def abilities(self) -> Abilities:
        """What it can do; asked of the model once, cautious while it does not answer."""

    async def ask(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        """The answer, or the failure as a value."""
