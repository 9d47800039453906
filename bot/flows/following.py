"""Other systems follow an incident: whatever changes it asks for the work that brings them up to date."""

from bot.domain.incident import Incident
from bot.flows.desk import Desk
from bot.flows.runbooks.past import follow_past
from bot.ports import Transaction


def follow(tx: Transaction, incident: Incident, desk: Desk) -> None:
    """The incident changed: its ticket will follow, if it has one or shall get one, and what is known of it as a past one."""
    follow_past(tx, incident, desk)
    if not desk.trackers:
        return
    due = desk.ticketing
    opens = due.tracker in desk.trackers and due.open_at is not None and incident.severity.rank <= due.open_at.rank
    if not opens and not desk.tickets.of_incident(tx, incident.id):
        return
    work = f"keep_ticket:{incident.id}:{incident.version}:{len(desk.timeline.of(tx, incident.id))}"
    desk.work.start(tx, "housekeeping", "keep_ticket", work, {"incident_id": incident.id}, partition=f"ticket:{incident.id}")
