"""A delivery that no parser understands becomes a visible alert, never silence."""

from datetime import datetime

from bot.domain.alert import Alert, Severity

NAME = "UnreadableDelivery"


def unreadable(connector: str, reason: str, at: datetime) -> Alert:
    """The alert that stands for unreadable deliveries of a connector; all of them are one problem with one instance."""
    return Alert(
        connector=connector,
        name=NAME,
        service="unknown",
        environment="",
        severity=Severity.SEV4,
        resolved=False,
        started_at=at,
        summary=f"a delivery from {connector} could not be read: {reason[:200]}",
        description="`tocsin inbox list` shows it; `tocsin inbox replay` reads it again.",
        service_from="nothing could be read",
        readable=False,
    )
