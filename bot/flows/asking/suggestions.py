"""Somebody opened the conversation with the bot: what is worth asking now."""

from bot.domain.incident import Incident
from bot.domain.view import Suggestion
from bot.flows.desk import Desk

MOST = 4  # what Slack shows
TODAY = Suggestion("What changed today?", "What changed today?")
OPEN = Suggestion("What is open?", "Which open incidents are there?")


async def suggestions(desk: Desk) -> tuple[Suggestion, ...]:
    """Questions that the bot can answer now: about the newest open incidents first, then about the day."""
    live = await desk.db.read(desk.incidents.live)
    newest = sorted(live, key=lambda i: i.opened_at, reverse=True)
    if not newest:
        return (TODAY, OPEN)
    asked = [why(newest[0]), what_next(newest[0]), TODAY, why(newest[1]) if len(newest) > 1 else OPEN]
    return tuple(asked[:MOST])


def why(incident: Incident) -> Suggestion:
    """Ask for its cause."""
    return Suggestion(f"Why did {incident.key} happen?", f"Why did {incident.key} happen?")


def what_next(incident: Incident) -> Suggestion:
    """Ask what to do."""
    return Suggestion(f"What next in {incident.key}?", f"What should I do next in {incident.key}?")
