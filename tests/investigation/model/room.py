"""What the tests of the model room share: a model at a stand-in, a request, a listener that keeps what it hears."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from bot.demo.standin.scripted import Asked, Brain, Scripted
from bot.domain.conversation import Prompt
from bot.investigation.model.late import How, LateModel
from bot.ports import ModelRequest, Tool

PROMPT = Prompt("test", "1", "0" * 64, "You help people on call.")
FORM: Mapping[str, object] = {
    "type": "object",
    "properties": {"cause": {"type": "string"}, "confidence": {"type": "integer"}},
    "required": ["cause", "confidence"],
    "additionalProperties": False,
}
GOOD = {"cause": "C1", "confidence": 80}


@dataclass
class Pauses:
    """Keeps how long the model's patience would have waited, and waits for nothing."""

    waits: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


@dataclass
class Ear:
    """A listener."""

    heard: list[str] = field(default_factory=list)
    steps: list[tuple[str, bool]] = field(default_factory=list)

    async def words(self, more: str) -> None:
        self.heard.append(more)

    async def step(self, title: str, *, done: bool) -> None:
        self.steps.append((title, done))


def a_model(
    url: str,
    name: str = "openai-compatible:stand-in",
    *,
    key: str = "",
    small: bool | None = None,
    pauses: Pauses | None = None,
    timeout: float = 20.0,
) -> LateModel:
    """A model that lives at this address."""
    how = How(name, url, SecretStr(key) if key else None, small, timeout=timedelta(seconds=timeout))
    return LateModel(how, pause=pauses or Pauses())


def asking(
    text: str = "What broke?",
    *,
    form: Mapping[str, object] | None = None,
    check: Callable[[Mapping[str, object]], str] | None = None,
    tools: Sequence[Tool] = (),
    deadline: float = 15.0,
    **limits: Any,
) -> ModelRequest:
    """A request."""
    return ModelRequest(PROMPT, text, form, check, tools, deadline=timedelta(seconds=deadline), **limits)


def able(brain: Brain) -> Brain:
    """The brain behind a server that passes the probe: it calls the probe's tool and keeps to its form."""

    def answer(asked: Asked) -> Scripted:
        if (asked.form or {}).get("properties", {}).get("colour"):  # type: ignore[union-attr]  # JSON
            return Scripted(form={"colour": "vermilion"})
        if any(tool["name"] == "colour_of" for tool in asked.tools):
            from bot.demo.standin.scripted import Call

            return Scripted(calls=(Call("colour_of", {"thing": "post box"}),))
        return brain(asked)

    return answer
