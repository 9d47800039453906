"""How the policy would judge somebody and an action: the same words in Slack and in a terminal."""

from collections.abc import Sequence
from datetime import datetime

from bot.actions.plan import known_service
from bot.actions.policy import explained
from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.request import Person
from bot.domain.view import NoteView
from bot.errors import NotFound
from bot.flows.desk import Desk
from bot.flows.locking.guarding import memberships, whereabouts, world_of


async def explain(person: Person, channel: str, words: Sequence[str], desk: Desk) -> NoteView:
    """`/deploy explain checkout [rollback] [environment]`: about whoever asks, where they ask, now. Raises NotFound."""
    if not words:
        raise NotFound("Which service? /deploy explain <service> [deploy or rollback] [environment]")
    service = known_service(words[0], desk.catalogue())
    kind = next((ActionKind(w) for w in words[1:] if w in list(ActionKind)), ActionKind.DEPLOY)
    environment = next((w for w in words[1:] if w not in list(ActionKind)), desk.default_environment)
    groups, here = await memberships([person.id], desk), await whereabouts(channel, desk)
    action = supposed(kind, service.name, environment, person.id, desk.clock())
    world = await desk.db.read(lambda tx: world_of(tx, service, groups, desk, here))
    return NoteView("\n".join(explained(action, person.id, world)))


def supposed(kind: ActionKind, service: str, environment: str, person: str, now: datetime) -> Action:
    """An action that nobody asked for, to be judged."""
    return Action("", kind, service, environment, "VERSION", ActionStatus.AWAITING, person, now, now)
