"""A lock: somebody keeps others from changing a service, or a whole environment, for a while, and says why."""

from dataclasses import dataclass
from datetime import datetime

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Lock:
    """One per service and environment; `service` "*" freezes deploys of all of them. It ends by itself at `until`."""

    service: str
    environment: str
    owner: str  # a Slack user id
    reason: str
    since: datetime
    until: datetime
    version: int = 0  # raised by every write; stale writes are refused

    @property
    def freezes(self) -> bool:
        """It is about deploys of every service; rollbacks go on."""
        return self.service == EVERYTHING

    @property
    def key(self) -> str:
        """How the audit names it: "lock:checkout/production"."""
        return f"lock:{self.service}/{self.environment}"

    def held(self, now: datetime) -> bool:
        """It has not ended."""
        return now < self.until
