"""What `/deploy` does beside deploying: status, history, cancel, locks, freezes; and what is said of words that mean nothing."""

from collections.abc import Callable
from datetime import timedelta

from bot.actions.naming import named_service, near
from bot.domain.request import CommandRequest
from bot.domain.view import NoteView, Shown
from bot.flows.acting import cancelling, history
from bot.flows.acting.status import status
from bot.flows.desk import Desk
from bot.flows.locking import locks

USAGE = (
    "/deploy status [service] | " + history.USAGE.removeprefix("/deploy ") + " | cancel <service> [environment]\n" + locks.USAGE
)
OWN = ("status", "history", "cancel")
VERBS = (*OWN, *locks.VERBS)


def is_verb(request: CommandRequest, desk: Desk) -> bool:
    """The words are about deployments as they are; a service of that name goes first."""
    words = request.words
    return request.command == "deploy" and bool(words) and words[0] in VERBS and desk.catalogue().resolve(words[0]) is None


async def on_words(request: CommandRequest, span: Callable[[str], timedelta], desk: Desk) -> Shown:
    """`/deploy <verb> ...`. Raises NotFound or IllegalMove with what to do; a refusal is a note."""
    verb, *rest = request.words
    if verb == "status":
        return await status(rest[0] if rest else "", desk)
    if verb == "history":
        return await history.on_words(rest, desk)
    if verb == "cancel":
        return await cancelling.on_words(request, desk)
    return await locks.on_words(request, span, desk)


def mistyped(request: CommandRequest, usage: str, desk: Desk) -> NoteView | None:
    """What is said where the first word is closer to a verb than to any service: `/deploy histroy`, `/deploy unlok payments`."""
    first = request.words[0] if request.words else ""
    catalogue = desk.catalogue()
    if request.command != "deploy" or not first or catalogue.resolve(first) is not None:
        return None
    names = (*catalogue.services, *(alias for s in catalogue.services.values() for alias in s.aliases))
    closest = near(first, (*VERBS, *names))[:1]
    if not closest or closest[0] not in VERBS or closest[0] in names:
        return None
    return NoteView(f"I do not know `/deploy {first[:40]}`. Did you mean `/deploy {closest[0]}`?\nUsage: {usage}")


def unclear(request: CommandRequest, usage: str, desk: Desk) -> NoteView:
    """What is said of words that are no wish: which word is not known and what is close to it, then how it is used.

    Raises NotFound where the first word is no service.
    """
    first = request.words[0] if request.words else ""
    service = desk.catalogue().resolve(first) if first else None
    if service is not None and len(request.words) == 1:
        which = f"Which version of {service.name}? `/deploy` alone opens a form with those there are."
        return NoteView(f"{which}\nUsage: {usage}")
    if not first or service is not None:
        return NoteView(f"Usage: {usage}")
    named_service(first, desk.catalogue())
    return NoteView(f"Usage: {usage}")
