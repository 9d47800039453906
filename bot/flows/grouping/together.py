"""What one guilty change shipped at once goes back at once."""

from bot.actions.sequence import MOST
from bot.domain.evidence import Candidate
from bot.domain.incident import Incident
from bot.flows.desk import Desk
from bot.ports import Transaction


def together(tx: Transaction, cause: Candidate, incident: Incident, desk: Desk) -> tuple[str, ...]:
    """The other services that the convicted change shipped with the one it is convicted for, as far as we can deploy them."""
    change = desk.changes.get(tx, cause.change_id)
    if change is None or not change.shipped or change.version != cause.version:
        return ()
    catalogue = desk.catalogue()
    mine = catalogue.get(cause.service).name
    known = dict.fromkeys(s for name in change.services if (s := catalogue.resolve(name)) is not None)
    able = (s for s in known if s.deployer in desk.deployers and not s.external and incident.environment in s.environments)
    return tuple(s.name for s in able if s.name != mine)[: MOST - 1]
