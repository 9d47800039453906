"""The numbered list of evidence of one diagnosis: E1, E2 ... A thing that is cited twice is one exhibit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.document import Only
from bot.domain.evidence import Evidence, EvidenceKind

EVERYBODY = Only()
LONGEST = 400  # characters of one exhibit's text


@dataclass(slots=True)
class Exhibits:
    """Collects evidence while a diagnosis is made and gives out the ids."""

    _by_key: dict[tuple[EvidenceKind, str, str], Evidence] = field(default_factory=dict)

    @classmethod
    def of(cls, evidence: Iterable[Evidence]) -> "Exhibits":
        """A list that goes on after evidence that has its ids already."""
        return cls({(e.kind, e.text, e.service): e for e in evidence})

    def cite(
        self,
        kind: EvidenceKind,
        text: str,
        source: str,
        *,
        at: datetime | None = None,
        service: str = "",
        link: str = "",
        query: str = "",
        trusted: bool = False,
        only: Only = EVERYBODY,
    ) -> str:
        """The id of this exhibit, which is added if it is new."""
        text = " ".join(text.split())
        text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
        key = (kind, text, service)
        if key not in self._by_key:
            last = next(reversed(self._by_key.values()), None)
            id = f"E{int(last.id[1:]) + 1 if last else 1}"
            self._by_key[key] = Evidence(id, kind, text, source, at, service, link, query, trusted, only)
        return self._by_key[key].id

    @property
    def all(self) -> tuple[Evidence, ...]:
        """Every exhibit in order."""
        return tuple(self._by_key.values())
