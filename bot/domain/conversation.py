"""A conversation with a language model in our words: what it was asked, what it may call, what came back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """Who said it."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Said:
    """One message exactly as it left the building, or as it came back: secrets gone, personal data as tokens."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file: its id, its version, the hex sha256 of its text, and the text (the system message)."""

    id: str
    version: str
    sha256: str
    text: str


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a model can do, found out once: call tools, keep to a JSON schema, read so many tokens.

    `small`: code gathers everything and asks one structured question; the model chooses no tools.
    """

    tools: bool = False
    json_schema: bool = False
    context: int = 8192
    small: bool = True


class Failure(StrEnum):
    """Why a model gave no answer that can be used."""

    UNREACHABLE = "does not answer"
    SLOW = "took too long"
    RATE_LIMITED = "is rate-limited"
    BROKEN = "answered with an error"
    DENIED = "refused our key"
    REFUSED = "declined to answer"
    TRUNCATED = "was cut off"
    WRONG_SHAPE = "did not keep to the asked form"
    OVER_BUDGET = "is over its budget"
    SWITCHED_OFF = "is switched off"


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One read-only look that a model took. `arguments` is JSON as it came; `size` counts the characters it got back."""

    name: str
    arguments: str
    ok: bool
    ms: float
    size: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of asking a model; a failure is a value, never an exception.

    `text` is what it said, with personal data put back; `parsed` the JSON object where a form was asked for. Tokens and
    cost (US dollars) are sums over all `calls`; `first_token_ms` is None where nothing was streamed. `redactions` counts
    what was hidden before it left, by kind. `why` says more about a failure, free of secrets. `fallback_from` names the
    model whose failure this answer stands in for.
    """

    text: str = ""
    parsed: Mapping[str, object] | None = None
    failure: Failure | None = None
    why: str = ""
    model: str = ""
    model_answered: str = ""
    messages: tuple[Said, ...] = ()
    tool_uses: tuple[ToolUse, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    repairs: int = 0
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    cost: float = 0.0
    cost_known: bool = True
    price_table: str = ""
    latency_ms: float = 0.0
    first_token_ms: float | None = None
    redactions: Mapping[str, int] = field(default_factory=dict)
    fallback_from: str = ""
