"""Somebody wants a deploy or a rollback, by command or by form: what can be wrong is said at once, the rest is planned."""

from bot.actions.approvals import NotYours
from bot.domain.action import ActionKind, ActionStatus, Claim
from bot.domain.incident import Incident
from bot.domain.request import ChangeRequest, CommandRequest
from bot.domain.view import NoteView, Place, Shown
from bot.flows.acting.forming import unknown_version
from bot.flows.acting.proposing import propose
from bot.flows.desk import Desk
from bot.flows.locking.guarding import refusal
from bot.ports import Transaction

DRY = "dry-run"


async def on_order(asked: ChangeRequest, desk: Desk) -> Shown:
    """The wish has its plan, which waits for approval; the same request again gives the same action. A refusal is a note."""
    try:
        return await _order(asked, desk)
    except NotYours as error:
        return refusal(error)


async def _order(asked: ChangeRequest, desk: Desk) -> NoteView:
    where = asked.environment or desk.default_environment

    def open_one(tx: Transaction) -> Incident | None:
        name = desk.catalogue().get(asked.service).name
        mine = [i for i in desk.incidents.live(tx) if name in i.services and i.environment == where]
        return mine[-1] if mine else None

    incident = await desk.db.read(open_one)
    action = await propose(
        incident=incident,
        kind=asked.kind,
        service=asked.service,
        target=asked.version,
        environment=where,
        person=asked.person,
        desk=desk,
        reason=asked.reason,
        place=Place(asked.channel),
        key=asked.id,
        claim=asked.claim,
        asked_in=asked.channel,
        dry=asked.dry,
    )
    verb = "roll back" if asked.kind is ActionKind.ROLLBACK else "deploy"
    asked_nobody = " Nobody is asked until somebody presses its button." if action.status is ActionStatus.PLANNED else ""
    where = f" in the thread of {incident.key}" if incident is not None else ""
    told = f"The plan to {verb} {action.service} to {action.target} is posted{where}; it is {action.status.value}."
    return NoteView(told + asked_nobody + await unknown_version(action, desk))


def from_command(request: CommandRequest, kind: ActionKind, desk: Desk) -> ChangeRequest | None:
    """What `/deploy` or `/rollback` was asked in words; None if the words are too few or too many.

    `/rollback payments staging` names an environment, not a version, where the service has one of that name.
    """
    least = 2 if kind is ActionKind.DEPLOY else 1
    dry = tuple(w for w in request.words if _flag(w) == DRY)
    words, claim, reason = claimed(tuple(w for w in request.words if _flag(w) != DRY))
    if not least <= len(words) <= 3:
        return None
    service, version, environment = (*words, "", "")[:3]
    if kind is ActionKind.ROLLBACK and not environment and version in desk.catalogue().get(service).environments:
        version, environment = "", version
    by, where = request.person, request.channel
    return ChangeRequest(by, where, kind, service, version, environment, reason, request.id, claim, bool(dry))


def claimed(words: tuple[str, ...]) -> tuple[tuple[str, ...], Claim, str]:
    """The words before `--fix`, `--override` or `--break-glass`, which of them it is, and why: all that follows.

    Some clients make a long dash of two short ones.
    """
    for place, word in enumerate(words):
        if (name := _flag(word)) and name in list(Claim):
            return words[:place], Claim(name), " ".join(words[place + 1 :]).strip()
    return words, Claim.NONE, ""


def _flag(word: str) -> str:
    """What a word with dashes before it says; "" for any other."""
    return word.lstrip("-—–").lower() if word[:1] in ("-", "—", "–") else ""


def services(desk: Desk) -> tuple[str, ...]:
    """The names of the catalogue's services."""
    return tuple(desk.catalogue().services)
