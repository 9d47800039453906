"""What is kept beside the documents: what people said of them, and past incidents from elsewhere."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.care import Check, Draft, Health, Proposal
from bot.domain.past import PastIncident, Surroundings
from bot.domain.suggestion import Judgement, Subject
from bot.ports.work import Transaction


class SuggestionStore(Protocol):
    """What people said of the documents that they were shown."""

    def say(self, tx: Transaction, judgement: Judgement) -> bool:
        """Keep it in place of the opposite that the same person said; False if it was said already."""

    def about(self, tx: Transaction, problem: str, services: Collection[str]) -> tuple[Judgement, ...]:
        """All that was said of this problem on any service, and of any problem on these services; the latest first."""

    def links(self, tx: Transaction) -> tuple[Judgement, ...]:
        """Every link, the latest first."""

    def unlink(self, tx: Transaction, subject: Subject, document: str) -> tuple[Judgement, ...]:
        """Take back every link between a problem and a document; those there were."""


class PastStore(Protocol):
    """Past incidents that were imported, and what lay around our own while they happened."""

    def keep(self, tx: Transaction, incidents: Sequence[PastIncident], at: datetime) -> None:
        """Insert or replace by origin and ref."""

    def known(self, tx: Transaction, origin: str = "") -> tuple[PastIncident, ...]:
        """All that were imported, or those of one origin."""

    def counts(self, tx: Transaction) -> Mapping[str, int]:
        """How many came from where."""

    def drop(self, tx: Transaction, origin: str, ref: str = "") -> int:
        """Forget those of one origin, or one of them; how many there were."""

    def note(self, tx: Transaction, incident_id: str, around: Surroundings) -> None:
        """Keep what lay around an incident of ours."""

    def around(self, tx: Transaction, incident_id: str = "") -> Mapping[str, Surroundings]:
        """What lay around our incidents, or one of them, by their id."""


class IncidentHistory(Protocol):
    """A vendor's closed incidents, for the import."""

    def incidents(self, since: datetime) -> AsyncIterator[PastIncident]:
        """Those that began since a time, the oldest first, each once. Raises Unavailable, NotAllowed, BadPayload."""


class CheckStore(Protocol):
    """What of the runbooks was tried and how it went, and since when each of them is known."""

    def all(self, tx: Transaction) -> tuple[Check, ...]:
        """Every check."""

    def put(self, tx: Transaction, checks: Sequence[Check]) -> None:
        """Insert or replace by document, kind and text."""

    def drop(self, tx: Transaction, checks: Sequence[Check]) -> None:
        """Forget these."""

    def since(self, tx: Transaction) -> Mapping[str, datetime]:
        """Since when each runbook is known, by its id."""

    def meet(self, tx: Transaction, documents: Collection[str], at: datetime) -> None:
        """These are all the runbooks there are; those that are new are known since now, the others are forgotten."""


class DraftStore(Protocol):
    """Drafted runbooks."""

    def get(self, tx: Transaction, id: str) -> Draft | None:
        """One draft."""

    def put(self, tx: Transaction, draft: Draft) -> None:
        """Insert or replace."""

    def of_incident(self, tx: Transaction, incident_id: str) -> tuple[Draft, ...]:
        """The drafts of one incident, the newest first."""

    def waiting(self, tx: Transaction) -> tuple[Draft, ...]:
        """Those that nobody has decided on, the oldest first."""


class QueryProbe(Protocol):
    """Where queries of runbooks can be tried without changing anything. Both methods raise Unavailable."""

    async def health(self, query: str, metrics: Collection[str]) -> tuple[Health, str]:
        """How the query fares now, and why for people; `metrics` are the names in it."""

    async def alerts(self) -> frozenset[str] | None:
        """The names of the alerts that rules can fire; None where it does not tell."""


class Proposals(Protocol):
    """A forge that a file can be proposed to. Raises Unavailable, NotAllowed, NotFound, BadPayload."""

    async def propose(self, proposal: Proposal) -> str:
        """The address of the pull request with this file; the same proposal again is the same pull request."""
