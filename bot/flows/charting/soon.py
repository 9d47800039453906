"""Charts take a look at the sources and a second of a processor: they come after what is urgent."""

from bot.domain.incident import Incident
from bot.flows.desk import Desk
from bot.ports import Transaction


def draw_soon(tx: Transaction, incident: Incident, news: str, desk: Desk) -> None:
    """The charts of this incident are drawn anew for these news, once."""
    if desk.draws:
        due = desk.clock() + desk.limits.draw
        args = {"incident_id": incident.id}
        desk.work.start(tx, "investigate", "draw", f"draw:{incident.id}:{news}", args, partition=incident.id, not_before=due)
