"""What an investigation produces: numbered evidence, candidates with their scores, a diagnosis that cites."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bot.domain.document import EVERYBODY, Audience, Only
from bot.domain.reckoning import Reckoning


class EvidenceKind(StrEnum):
    """Where a piece of evidence comes from."""

    ALERT = "alert"
    CHANGE = "change"
    DIFF = "diff"
    METRIC = "metric"
    LOG = "log"
    TRACE = "trace"
    EVENT = "event"
    TOPOLOGY = "topology"
    RUNBOOK = "runbook"
    PAST = "past incident"
    SOURCE = "source"  # a source that failed or had no data: absence of evidence, said


@dataclass(frozen=True, slots=True)
class Evidence:
    """One citable piece: `id` is E1, E2 ... within its diagnosis.

    `trusted` is False for everything written outside (alert text, logs, commit messages, runbooks from elsewhere).
    `query` is the exact question that produced it, where there was one.
    """

    id: str
    kind: EvidenceKind
    text: str
    source: str
    at: datetime | None = None
    service: str = ""
    link: str = ""
    query: str = ""
    trusted: bool = False
    only: Only = EVERYBODY  # who may see the document that it quotes


@dataclass(frozen=True, slots=True)
class Fact:
    """One reason for or against a candidate: a short sentence, the points it gave, the evidence it rests on."""

    text: str
    points: float
    cites: tuple[str, ...] = ()
    rule: str = ""  # the rule's name, e.g. "retry"; for explanation and leave-one-out
    weight: float = 1.0  # what the rule's own points were multiplied by to give these


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change that might be the cause, with its score and every fact behind it.

    `ruled_out` is the reason why it cannot be the cause ("shipped after the onset"), or empty. `content` are the points of
    rules that read its diff, `heard` those that telemetry itself vouches for.
    """

    change_id: str
    service: str
    title: str
    version: str = ""
    commit: str = ""
    author: str = ""
    shipped_at: datetime | None = None
    score: float = 0.0
    facts: tuple[Fact, ...] = ()
    ruled_out: str = ""
    content: float = 0.0
    heard: float = 0.0

    @property
    def key(self) -> str:
        """Tells it from the other commits that the same change carried."""
        return f"{self.change_id}@{self.commit}" if self.commit else self.change_id


class Verdict(StrEnum):
    """What the evidence allows to say."""

    CONVICTED = "convicted"  # one change did it: strong, corroborated
    OPERATIONAL = "operational"  # no change is guilty: provider, certificate, DNS, surge, bad record ...
    UNDETERMINED = "undetermined"  # suspects, none convincing


class Confidence(StrEnum):
    """How sure we are, in words; calibrated on feedback later."""

    STRONG = "strong"
    LIKELY = "likely"
    WEAK = "weak"


class Remedy(StrEnum):
    """The class of remediation that fits the verdict."""

    ROLLBACK = "rollback"
    CONFIG_REVERT = "config-revert"
    ROLL_FORWARD = "roll-forward"
    SCALE = "scale"
    FAILOVER = "failover"
    ROTATE_CERTIFICATE = "rotate-cert"
    PURGE_BAD_DATA = "purge-bad-data"
    FIX_DNS = "fix-dns"
    ESCALATE_PROVIDER = "escalate-provider"
    INVESTIGATE = "investigate"


@dataclass(frozen=True, slots=True)
class RunbookLink:
    """A runbook, or a section of it, that fits the incident; `tier` says how it was found, `id` is the document's.

    `steps` are what its section says to do, as Markdown lines.
    """

    title: str
    section: str
    path: str
    link: str
    tier: str
    evidence: str = ""
    id: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PastLink:
    """A similar past incident and what is known of it: `why` it is taken for similar, `likeness` how sure that is.

    `origin` is the tool it was imported from, `at` its end or, where nobody noted that, its beginning.
    """

    id: str
    title: str
    cause: str
    fix: str
    why: str
    confirmed: bool
    evidence: str = ""
    likeness: str = ""  # "same as", "like", "possibly like"
    at: datetime | None = None
    took: str = ""  # "42 min"
    origin: str = ""


class Stance(StrEnum):
    """How what a model thinks stands to the verdict of the rules."""

    AGREES = "agrees"
    DIFFERS = "differs"  # the verdict of the rules stands all the same
    OVERTURNS = "overturns"  # a capable model contradicts a conviction with telemetry: the conviction falls
    UNSURE = "is not sure"


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of a model, and the evidence that code has checked it against."""

    text: str
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thought:
    """What a model made of a diagnosis: only what code could verify. `failure` says why the rules stand alone, else "".

    `about` is the finding of the rules that it read. `choice` is a candidate's key, "operational", "undetermined", or "" after
    a failure; `named` the same for people. `ranking` are candidates' keys, best first. `claims` cite `evidence`; `dropped` counts
    the sentences without support, `why_dropped` says why. Cost in US dollars.
    """

    about: tuple[str, ...]
    at: datetime
    model: str
    stance: Stance = Stance.UNSURE
    choice: str = ""
    named: str = ""
    reason: str = ""
    ranking: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    dropped: int = 0
    why_dropped: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    interaction_id: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    cost_known: bool = True
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The outcome of one look at one incident. Every sentence shown to people cites evidence of this list.

    `summary` is one sentence; `cause` is set for `convicted` only; `operational_cause` says what else it is.
    `engine` is "rules" or the model's name; `at` is when it was made.
    """

    verdict: Verdict
    confidence: Confidence
    summary: str
    at: datetime
    symptom: str = ""  # "Checkout and storefront answer with errors (18 %, was 0.2 %)", citing
    onset: datetime | None = None
    cause: Candidate | None = None
    operational_cause: Fact | None = None
    suspects: tuple[Candidate, ...] = ()  # best first, ruled-out ones excluded
    ruled_out: tuple[Candidate, ...] = ()
    first_service: str = ""
    blast_radius: tuple[str, ...] = ()
    remedy: Remedy = Remedy.INVESTIGATE
    next_step: str = ""
    missing: tuple[str, ...] = ()  # sources that would have helped, the most useful first
    runbooks: tuple[RunbookLink, ...] = ()
    searched: bool = True  # False: the search for runbooks did not answer in time, so that there are none tells nothing
    past: tuple[PastLink, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    engine: str = "rules"
    trace_id: str = ""  # joins what the rules and a model said at one look
    thought: Thought | None = None
    reckoning: Reckoning | None = None  # how the verdict fell, for whoever asks

    @property
    def finding(self) -> tuple[str, ...]:
        """What was found, however sure: verdict, key of the cause, remedy of another cause. Figures do not change it."""
        other = self.remedy.value if self.operational_cause else ""
        return self.verdict.value, self.cause.key if self.cause else "", other

    def seen_by(self, audience: Audience) -> "Diagnosis":
        """Without what this audience may not see: runbooks, past incidents, and the thought of a model that read them."""
        read = self.thought.evidence if self.thought else ()
        hidden = {e.id for e in (*self.evidence, *read) if not e.only.lets(audience)}
        if not hidden:
            return self
        return replace(
            self,
            evidence=tuple(e for e in self.evidence if e.id not in hidden),
            runbooks=tuple(r for r in self.runbooks if r.evidence not in hidden),
            past=tuple(p for p in self.past if p.evidence not in hidden),
            thought=None,
        )

    def cited(self, evidence_id: str) -> Evidence | None:
        """The piece of evidence with this id, or None."""
        return next((e for e in self.evidence if e.id == evidence_id), None)


def named_cause(diagnosis: Diagnosis | None) -> str:
    """What the diagnosis names as the cause, in a few words."""
    if diagnosis is None:
        return "not known"
    if diagnosis.cause is not None:
        cause = diagnosis.cause
        commit = f" ({cause.commit[:7]})" if cause.commit else ""
        return f"{cause.service} {cause.version}: {cause.title}{commit}".replace("  ", " ")
    return diagnosis.operational_cause.text if diagnosis.operational_cause else diagnosis.summary
