"""One store per aggregate: what is kept, and how it is found again."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.belonging import Belonging, Regrouping
from bot.domain.chart import DrawnSet
from bot.domain.copy import Copy, Mark, SourceState
from bot.domain.document import Document
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Entry, Incident
from bot.domain.interaction import Feedback, Interaction, Spent
from bot.domain.view import Place
from bot.ports.work import Transaction


class IncidentStore(Protocol):
    """Incidents; every write is compare-and-set on `version`."""

    def save(self, tx: Transaction, incident: Incident) -> Incident:
        """Insert (version 0) or replace; returns it with the next version. Raises Outrun if somebody was faster."""

    def save_all(self, tx: Transaction, kept: Sequence[Incident]) -> tuple[Incident, ...]:
        """`save` for each of many, in a handful of statements."""

    def get(self, tx: Transaction, id: str) -> Incident | None:
        """By internal id, or by people's "INC-42"."""

    def live(self, tx: Transaction, resolved_since: datetime | None = None, *, hold: bool = False) -> tuple[Incident, ...]:
        """Open and acknowledged ones, oldest first, with those resolved since a time if given (never closed ones).

        With `hold` nobody else changes them until this transaction ends.
        """

    def recent(self, tx: Transaction, limit: int = 20) -> tuple[Incident, ...]:
        """The newest, whatever their status."""

    def next_number(self, tx: Transaction) -> int:
        """The next number for people."""


class ChartStore(Protocol):
    """The charts that the chat keeps for messages of ours."""

    def put(self, tx: Transaction, about: str, drawn: DrawnSet, at: datetime) -> None:
        """Keep them in place of those before; `about` is an incident's id."""

    def get(self, tx: Transaction, about: str) -> DrawnSet | None:
        """What was drawn last, or None."""


class BelongingStore(Protocol):
    """What people said of which problems belong together, and what they merged and split."""

    def said(self, tx: Transaction, fingerprints: Collection[str]) -> tuple[Belonging, ...]:
        """All that was said of any of these problems."""

    def say(self, tx: Transaction, words: Iterable[Belonging]) -> None:
        """Keep what was said."""

    def take_back(self, tx: Transaction, deed: str) -> None:
        """Forget what was said by this deed."""

    def keep(self, tx: Transaction, regrouping: Regrouping) -> None:
        """Insert or replace."""

    def latest(self, tx: Transaction, incident_id: str) -> Regrouping | None:
        """The newest that this incident gave or took problems by, undone ones left out."""

    def rehome(self, tx: Transaction, fingerprints: Collection[str], source: str, target: str) -> None:
        """Problems of one incident, and the alert events that told of them there, belong to another from now on."""


class TimelineStore(Protocol):
    """What happened, per incident."""

    def add(self, tx: Transaction, entries: Iterable[Entry]) -> None:
        """Keep entries."""

    def of(self, tx: Transaction, incident_id: str) -> tuple[Entry, ...]:
        """The entries of one incident, oldest first."""


class DiagnosisStore(Protocol):
    """The latest look at each incident."""

    def save(self, tx: Transaction, incident_id: str, diagnosis: Diagnosis) -> None:
        """Keep it as the latest."""

    def latest(self, tx: Transaction, incident_id: str) -> Diagnosis | None:
        """The latest, or None."""

    def known(self, tx: Transaction, incident_ids: Sequence[str]) -> set[str]:
        """Those of these incidents that were looked into."""


class JournalStore(Protocol):
    """Every answer that the bot gave, and what people thought of it."""

    def add(self, tx: Transaction, interaction: Interaction) -> None:
        """Keep an answer."""

    def judge(self, tx: Transaction, feedback: Feedback) -> bool:
        """Keep a judgement; False if the same person already said the same of the same thing."""

    def get(self, tx: Transaction, id: str) -> Interaction | None:
        """One answer, by id or by a unique beginning of it."""

    def recent(
        self,
        tx: Transaction,
        limit: int = 20,
        incident_id: str | None = None,
        *,
        engine: str | None = None,
        failed: bool | None = None,
        since: datetime | None = None,
    ) -> tuple[Interaction, ...]:
        """The newest answers, newest first."""

    def feedback(
        self, tx: Transaction, interaction_id: str | None = None, incident_id: str | None = None
    ) -> tuple[Feedback, ...]:
        """The judgements of one answer or one incident, oldest first."""

    def of_thread(self, tx: Transaction, thread: str, limit: int = 20) -> tuple[Interaction, ...]:
        """The newest answers of one thread (`Interaction.thread`), oldest of them first; none for ""."""

    def every(self, tx: Transaction, since: datetime | None = None) -> Iterator[Interaction]:
        """All answers, oldest first."""

    def spent(self, tx: Transaction, since: datetime, incident_id: str | None = None) -> Spent:
        """What models cost since a time, for one incident or all."""

    def head(self, tx: Transaction) -> tuple[int, str]:
        """How many answers there are, and the hash of the last one ("" for none)."""

    def broken_at(self, tx: Transaction) -> int | None:
        """The seq of the first line whose hash does not fit, or None if the chain is whole."""


class SwitchStore(Protocol):
    """Switches that people turn while the bot runs, such as "model" -> "off"; kept over restarts, shared by replicas."""

    def get(self, tx: Transaction, name: str) -> str:
        """The position of a switch, "" if nobody ever turned it."""

    def turn(self, tx: Transaction, name: str, position: str, by: str, at: datetime) -> None:
        """Turn it."""

    def like(self, tx: Transaction, prefix: str) -> Mapping[str, str]:
        """The positions of all switches whose name begins so."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Somebody was to be reached about an incident, and what came of it; `key` names the one attempt, ever.

    `how` is the outlet ("slack", "pagerduty", "email") and `target` whom; `page` is the key that the pager got ("" for none).
    """

    key: str
    incident_id: str
    at: datetime
    how: str
    target: str
    state: str  # due | done | failed
    page: str = ""
    detail: str = ""  # for people


class ReachStore(Protocol):
    """Who was to be reached about which incident; one row per attempt, so that none is made twice."""

    def get(self, tx: Transaction, key: str) -> Reached | None:
        """One attempt."""

    def put(self, tx: Transaction, reached: Reached) -> None:
        """Insert or replace."""

    def of(self, tx: Transaction, incident_id: str) -> tuple[Reached, ...]:
        """All about one incident, oldest first."""

    def since(self, tx: Transaction, at: datetime) -> tuple[Reached, ...]:
        """All since a time, oldest first."""


@dataclass(frozen=True, slots=True)
class Card:
    """A message of ours that is kept current. `shown` is the digest of what it shows; `pending` a refresh that is due."""

    key: str  # "card:<incident>", "pointer:<incident>:<channel>", "action:<id>"
    place: Place
    shown: str = ""
    pending: str = ""
    posts: int = 0


class CardStore(Protocol):
    """Which message shows what."""

    def get(self, tx: Transaction, key: str) -> Card | None:
        """The card of this key."""

    def hold(self, tx: Transaction, key: str) -> Card | None:
        """The card of this key, if there is one; nobody else holds it until this transaction ends. Before every `put`."""

    def hold_all(self, tx: Transaction, keys: Collection[str]) -> Mapping[str, Card]:
        """`hold` for many keys; the cards that there are, by key."""

    def put(self, tx: Transaction, card: Card) -> None:
        """Insert or replace."""

    def put_all(self, tx: Transaction, kept: Iterable[Card]) -> None:
        """`put` for many."""

    def like(self, tx: Transaction, prefix: str) -> tuple[Card, ...]:
        """All cards whose key begins so."""

    def at(self, tx: Transaction, channel: str, ts: str) -> Card | None:
        """The card that stands at this message."""


class CopyStore(Protocol):
    """Copies of documents that lie elsewhere, and how their sources are doing."""

    def marks(self, tx: Transaction, source: str) -> Mapping[str, Mark]:
        """What is kept of a source, by ref."""

    def documents(self, tx: Transaction, source: str) -> tuple[Document, ...]:
        """The documents of a source, each with its slug as its id."""

    def put(self, tx: Transaction, kept: Iterable[Copy]) -> None:
        """Insert or replace."""

    def used(self, tx: Transaction, source: str, ref: str, at: datetime) -> None:
        """Somebody linked to this copy now."""

    def least_used(self, tx: Transaction, source: str) -> str | None:
        """The copy that nobody linked to for the longest time, by its ref; None if there is no copy."""

    def drop(self, tx: Transaction, source: str, refs: Collection[str]) -> None:
        """Forget these."""

    def states(self, tx: Transaction) -> Mapping[str, SourceState]:
        """How each source is doing, by name."""

    def note(self, tx: Transaction, state: SourceState) -> None:
        """Insert or replace."""

    def only(self, tx: Transaction, names: Sequence[str]) -> None:
        """Forget every source but these, with its documents."""
