"""The record of one answer that the bot gave, by rules or by a model, and what people thought of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.conversation import Said, ToolUse


class Feature(StrEnum):
    """What the answer was for."""

    DIAGNOSIS = "diagnosis"
    QUESTION = "question"
    RUNBOOK = "runbook"


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One document that search returned for an interaction."""

    document: str
    rank: int
    score: float
    tier: str
    cited: bool


@dataclass(frozen=True, slots=True)
class Interaction:
    """One answer. `engine` is "rules" or "model"; token and cost fields are 0 for rules.

    `question` and `answer` are redacted texts; `evidence` maps E-ids to what they said; hashes are hex sha256 and set by the
    store. `messages` are what left the building and what came back. A model that failed leaves its `error`; what people got
    instead is the rules' own interaction. `claims` counts the sentences that a model made, `dropped` those without support.
    """

    id: str
    at: datetime
    feature: Feature
    engine: str
    incident_id: str = ""
    user: str = ""
    thread: str = ""
    code_version: str = ""
    corpus_version: str = ""
    question: str = ""
    answer: str = ""
    verdict: str = ""
    cause: str = ""  # change id of the named cause, or the operational cause
    confidence: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    retrieved: tuple[Retrieved, ...] = ()
    trace_id: str = ""  # the same for everything that one look or one question caused
    prompt: str = ""  # id of the prompt file
    prompt_version: str = ""
    prompt_sha256: str = ""
    model: str = ""  # asked
    model_answered: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[Said, ...] = ()
    parsed: str = ""  # JSON, where a form was asked for
    parse_ok: bool = True
    repairs: int = 0
    tool_uses: tuple[ToolUse, ...] = ()
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    cost: float = 0.0  # US dollars
    cost_known: bool = True
    price_table: str = ""
    latency_ms: float = 0.0
    first_token_ms: float | None = None
    fallback_from: str = ""  # the model whose failure this answer stands in for
    redactions: Mapping[str, int] = field(default_factory=dict)  # by kind
    flags: tuple[str, ...] = ()  # signs of planted instructions in what a model read: "E3 overrides instructions"
    claims: int = 0
    dropped: int = 0
    why_dropped: tuple[str, ...] = ()  # one reason for each that was dropped, where they are known
    error: str = ""
    erased: bool = False  # what was said is gone, only what was counted is left
    previous: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """What models cost in a span of time; `unpriced` counts the calls whose price nobody knows."""

    calls: int = 0
    cost: float = 0.0
    unpriced: int = 0


class Opinion(StrEnum):
    """What somebody thought of an answer."""

    USEFUL = "useful"
    NOT_USEFUL = "not useful"
    CONFIRMED = "confirmed cause"
    OTHER_CAUSE = "other cause"
    LINKED = "linked"  # a person says which document is about a problem


@dataclass(frozen=True, slots=True)
class Feedback:
    """One person's judgement of one interaction, or of an incident's cause."""

    id: str
    at: datetime
    user: str
    opinion: Opinion
    interaction_id: str = ""
    incident_id: str = ""
    note: str = ""
    document: str = ""  # where it is about one document that an answer showed, its id


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the audit: who did what to which, chained by hashes (hex sha256) so that edits show."""

    seq: int
    at: datetime
    actor: str
    deed: str  # "approved", "executing", "resolved" ...
    subject: str  # action id or incident id
    detail: Mapping[str, str] = field(default_factory=dict)
    previous: str = ""
    hash: str = ""
