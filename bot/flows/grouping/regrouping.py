"""Somebody asks by command or form that incidents be merged, split, told apart, or that this be taken back."""

import re
from collections.abc import Sequence

from bot.domain.incident import Incident
from bot.domain.request import CommandRequest, Person, Regroup
from bot.domain.view import NoteView, RegroupForm, Shown
from bot.errors import NotFound
from bot.flows.desk import Desk
from bot.flows.grouping.regroup import merge, not_related, split, undo
from bot.ports import Transaction

VERBS = ("merge", "split", "unrelated", "undo")
USAGE = {
    "merge": "/incident merge INC-1 into INC-2",
    "split": "/incident split INC-1 <alert or service>",
    "unrelated": "/incident unrelated INC-1 INC-2",
    "undo": "/incident undo INC-1",
}
MOST = 90  # choices in a menu
_KEY = re.compile(r"(?i)inc-\d{1,9}")


async def by_words(verb: str, words: Sequence[str], request: CommandRequest, desk: Desk) -> Shown:
    """`/incident merge INC-1 into INC-2` and its sisters."""
    keys = [word.upper() for word in words if _KEY.fullmatch(word)]
    rest = " ".join(word for word in words if not _KEY.fullmatch(word))
    wanted = {"merge": 2, "unrelated": 2}.get(verb, 1)
    if len(keys) != wanted or ((verb == "split") != bool(rest.strip()) and verb in ("split", "undo")):
        return NoteView(f"Usage: {USAGE[verb]}")
    problem, other = (rest.strip(), "") if verb == "split" else ("", keys[-1])
    return await desk.db.write(lambda tx: _do(tx, verb, keys[0], other, problem, request.person, desk))


async def on_regroup(asked: Regroup, desk: Desk) -> Shown:
    """The form was sent; everything in it is checked anew, for time has passed since it was opened."""
    if asked.deed not in VERBS:
        raise NotFound(f"There is no such thing to do as {asked.deed[:20]!r}.")
    if asked.deed == "split" and not asked.problem:
        return NoteView("Which problem is to be split off? Nothing was done.")
    if asked.deed in ("merge", "unrelated") and not asked.other:
        return NoteView("Which other incident? Nothing was done.")
    return await desk.db.write(lambda tx: _do(tx, asked.deed, asked.incident_id, asked.other, asked.problem, asked.person, desk))


async def regroup_form(incident_id: str, desk: Desk) -> RegroupForm:
    """What the form offers: the other live incidents of the environment, the problems of this one."""

    def go(tx: Transaction) -> RegroupForm:
        incident = _the(tx, incident_id, desk)
        live = [i for i in desk.incidents.live(tx) if i.id != incident.id and i.environment == incident.environment]
        others = tuple((i.id, f"{i.key} · {i.service} · {i.title}") for i in reversed(live[-MOST:]))
        services = [(s, f"everything of {s}") for s in dict.fromkeys(m.service for m in incident.members)]
        single = [(m.fingerprint, f"{m.name} on {m.service}") for m in incident.members]
        problems = (*(services if len(services) > 1 else ()), *single) if len(single) > 1 else ()
        return RegroupForm(incident.id, incident.key, others, problems[:MOST])

    return await desk.db.read(go)


def _do(tx: Transaction, verb: str, named: str, other: str, problem: str, person: Person, desk: Desk) -> Shown:
    incident = _the(tx, named, desk)
    if verb == "split":
        return split(tx, incident, problem, person, desk)
    if verb == "undo":
        return undo(tx, incident, person, desk)
    deed = merge if verb == "merge" else not_related
    return deed(tx, incident, _the(tx, other, desk), person, desk)


def _the(tx: Transaction, named: str, desk: Desk) -> Incident:
    incident = desk.incidents.get(tx, named)
    if incident is None:
        raise NotFound(f"There is no {named[:20]}. `/incident list all` shows the newest ones.")
    return incident
