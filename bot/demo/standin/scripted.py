"""What came in, and what is to go out: the two sides of a brain."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in; header names in lower case."""

    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        return [m for m in self.body.get("messages", []) if isinstance(m, Mapping)]

    @property
    def text(self) -> str:
        """Every message's text, in order."""
        return "\n".join(text_of(message) for message in self.messages)

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def tools(self) -> tuple[Mapping[str, Any], ...]:
        """The functions that may be called: `name`, `description`, `parameters`."""
        return tuple(t["function"] for t in self.body.get("tools") or () if isinstance(t.get("function"), Mapping))

    @property
    def form(self) -> Mapping[str, Any] | None:
        """The JSON schema that the answer is to keep to, if one is asked for."""
        asked = self.body.get("response_format") or {}
        schema = (asked.get("json_schema") or {}).get("schema") if asked.get("type") == "json_schema" else None
        return schema if isinstance(schema, Mapping) else None

    @property
    def looked(self) -> int:
        """How many tool results the conversation holds."""
        return sum(message.get("role") == "tool" for message in self.messages)


def text_of(message: Mapping[str, Any]) -> str:
    """A message's text, whether it came as a string or in parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text", "")) for part in parts if isinstance(part, Mapping))


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; `arguments` may be a broken string."""

    name: str
    arguments: Mapping[str, object] | str = ""

    @property
    def written(self) -> str:
        """The arguments as they stand on the wire."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True, slots=True)
class Scripted:
    """One reply. `form` is sent as JSON in place of `words`; a `status` other than 200 is an error with `words` as its message.

    `before` and `between` are seconds before the first byte and between chunks. `cut_after` breaks the connection after so
    many chunks (without streaming: in the middle of the body). `garbage` is sent in place of a body or of the first chunk.
    `endless` repeats `words` until the asked length, or the caller's patience, ends. Tokens that are None are counted from
    the text, four characters each.
    """

    words: str = ""
    form: Mapping[str, object] | None = None
    calls: tuple[Call, ...] = ()
    refusal: str = ""
    finish: str = ""  # "": stop, length or tool_calls, as it comes out
    status: int = 200
    retry_after: float | None = None
    before: float = 0.0
    between: float = 0.0
    cut_after: int | None = None
    garbage: str = ""
    endless: bool = False
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int = 0
    tokens_reasoning: int = 0

    @property
    def content(self) -> str:
        """What it says."""
        return json.dumps(self.form) if self.form is not None else self.words


Brain = Callable[[Asked], Scripted]


def in_turn(*replies: Scripted) -> Brain:
    """A brain that gives these replies one after the other, and the last one ever after."""
    waiting: Iterator[Scripted] = iter(replies)
    last = replies[-1]

    def brain(_asked: Asked) -> Scripted:
        return next(waiting, last)

    return brain
