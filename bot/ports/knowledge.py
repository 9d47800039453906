"""What is kept beside the documents: what people said of them, and past incidents from elsewhere."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

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
