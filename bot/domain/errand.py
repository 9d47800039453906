"""An errand: something that the bot has an executor do or ask, since it holds no credential itself, and where it has got to."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

LEASE = timedelta(seconds=15)  # an executor that is not heard of for so long has lost what it took
START, QUESTION = "start:", "ask:"  # how ids begin: a start is there once per action, ever; a question has a name of its own


class ErrandKind(StrEnum):
    """What is to be done; all but START and CANCEL change nothing."""

    START = "start"
    CURRENT = "current"
    VERSIONS = "versions"
    STATUS = "status"
    CANCEL = "cancel"
    CHECK = "check"
    REHEARSE = "rehearse"
    CHECKS = "checks"
    COMMIT_OF = "commit of"


class ErrandState(StrEnum):
    """How far it is. BEGUN: the vendor may have been told to start, so that from now on it is asked first."""

    WAITING = "waiting"
    TAKEN = "taken"
    BEGUN = "begun"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Errand:
    """One errand. `body` is the JSON that `signature` proves, `answer` JSON too.

    `version` rises with every change but a longer lease.
    """

    id: str
    kind: ErrandKind
    deployer: str
    body: str
    signature: str
    created_at: datetime
    expires_at: datetime  # it is never begun from then on
    state: ErrandState = ErrandState.WAITING
    taken_by: str = ""
    taken_until: datetime | None = None
    answer: str = ""
    version: int = 1

    @property
    def answered(self) -> bool:
        """Nothing more happens to it."""
        return self.state is ErrandState.ANSWERED

    @property
    def untouched(self) -> bool:
        """No vendor has heard of it."""
        return self.state in (ErrandState.WAITING, ErrandState.TAKEN)

    def held(self, now: datetime) -> bool:
        """An executor works on it."""
        return self.taken_until is not None and now < self.taken_until and not self.answered

    def free(self, now: datetime) -> bool:
        """An executor may take it: whoever had it was lost. What was begun has to be settled, however late it is."""
        if self.answered or self.held(now):
            return False
        return self.state is ErrandState.BEGUN or now < self.expires_at

    def taken(self, by: str, now: datetime) -> "Errand":
        """In the hands of an executor; what was begun stays begun."""
        state = ErrandState.BEGUN if self.state is ErrandState.BEGUN else ErrandState.TAKEN
        return replace(self, state=state, taken_by=by, taken_until=now + LEASE, version=self.version + 1)

    def kept(self, now: datetime) -> "Errand":
        """Still in the same hands; it is no other errand for that, so the version stays."""
        return replace(self, taken_until=now + LEASE)

    def begun(self, now: datetime) -> "Errand":
        """The vendor is told next."""
        return replace(self, state=ErrandState.BEGUN, taken_until=now + LEASE, version=self.version + 1)

    def with_answer(self, answer: str) -> "Errand":
        """Done."""
        return replace(self, state=ErrandState.ANSWERED, taken_until=None, answer=answer, version=self.version + 1)


@dataclass(frozen=True, slots=True)
class Presence:
    """An executor that was there: its name, when it was last heard of, the names of its deployers."""

    name: str
    seen_at: datetime
    deployers: tuple[str, ...] = ()
