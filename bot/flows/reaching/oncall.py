"""Whose turn it is: asked of the rota or the pager, mapped to Slack, and written on the incident as its owner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.incident import Entry, EntryKind, Incident
from bot.errors import BotError, NotFound
from bot.flows.desk import Desk
from bot.flows.showing import route_of
from bot.incidents.routing import Route, Routing, Target
from bot.ports import Clock, OnCall, Schedules, Transaction

FRESH = timedelta(minutes=1)


@dataclass(slots=True)
class Remembering:
    """ports.Schedules that asks the pager at most once a minute for each schedule; failures are not remembered."""

    schedules: Schedules
    clock: Clock
    _known: dict[str, tuple[datetime, tuple[OnCall, ...]]] = field(default_factory=dict)

    async def on_call(self, schedule: str) -> tuple[OnCall, ...]:
        """Whose turn it is, as of a minute ago at most."""
        known = self._known.get(schedule)
        if known is not None and self.clock() - known[0] < FRESH:
            return known[1]
        found = await self.schedules.on_call(schedule)
        self._known[schedule] = (self.clock(), found)
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """Who is on call (Slack user ids), who could not be found in Slack (names or addresses), and who said so."""

    people: tuple[str, ...]
    unknown: tuple[str, ...]
    source: str


async def whose_turn(route: Route, desk: Desk) -> Answer:
    """Who is on call for this route now; the people of routing.yaml where nobody answers, and the answer says so."""
    asked = route.on_call_from
    if asked is None:
        return Answer(route.on_call, (), "")
    try:
        persons = await persons_of(asked, desk.routing(), desk.clock(), desk.schedules.get)
        people, unknown = await in_slack(persons, desk)
    except BotError as error:
        desk.vitals.failed(f"on-call of {asked}", str(error))
        return Answer(route.on_call, (), f"routing.yaml: {asked} did not answer")
    desk.vitals.well(f"on-call of {asked}")
    if not people:
        who = f"{', '.join(unknown)} is not in Slack" if unknown else f"{asked} names nobody"
        return Answer(route.on_call, unknown, f"routing.yaml: {who}")
    return Answer(people, unknown, str(asked).replace(":", " "))


async def persons_of(
    target: Target, routing: Routing, at: datetime, schedules: Callable[[str], Schedules | None]
) -> tuple[OnCall, ...]:
    """Whom a rota or a pager's schedule names at this moment. Raises NotFound or Unavailable."""
    if target.kind == "person":
        return (OnCall(target.name, target.name if "@" in target.name else ""),)
    if target.kind == "rota":
        rota = routing.rota(target.name)
        if rota is None:
            raise NotFound(f"routing.yaml has no rota {target.name!r}.")
        turn = rota.turn(at)
        return (OnCall(turn.person, turn.person if "@" in turn.person else "", turn.until),)
    pager = schedules(target.kind)
    if pager is None:
        raise NotFound(f"{target.kind} cannot say who is on call: its credentials are not set. See docs/connectors.")
    return await pager.on_call(target.name)


async def in_slack(persons: Sequence[OnCall], desk: Desk) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The Slack users that these are, by `people` of routing.yaml, else by their address; and those who are none."""
    people, unknown = [], []
    for person in persons:
        id = desk.routing().slack_id(person.name, person.email) or (person.name if _is_id(person.name) else "")
        if not id and person.email:
            id = await desk.channel.user_by_email(person.email)
        if id:
            people.append(id)
        else:
            unknown.append(person.email or person.name)
    return tuple(dict.fromkeys(people)), tuple(unknown)


def _is_id(name: str) -> bool:
    return name[:1] in ("U", "W") and name.isalnum() and name.isupper() and len(name) > 2


async def choose_owner(incident_id: str, desk: Desk) -> None:
    """An incident without a home gets its channel and its owner: asked once, before its first card.

    In a transaction of its own: whoever holds a card waits for no incident, since large batches of alerts do the reverse.
    """

    def look(tx: Transaction) -> tuple[Incident, Route] | None:
        incident = desk.incidents.get(tx, incident_id)
        if incident is None or incident.channel:
            return None
        diagnosis = desk.diagnoses.latest(tx, incident_id)
        cause = diagnosis.cause if diagnosis else None
        return incident, route_of(incident, cause.service if cause else incident.service, desk)

    found = await desk.db.read(look)
    if found is None:
        return
    route = found[1]
    answer = await whose_turn(route, desk) if route.on_call_from is not None else None

    def keep(tx: Transaction) -> None:
        incident = desk.incidents.get(tx, incident_id)
        if incident is None or incident.channel:
            return
        if answer is None:
            desk.incidents.save(tx, replace(incident, channel=route.channel, on_call=route.on_call))
            return
        changed = replace(incident, channel=route.channel, on_call=answer.people, on_call_from=answer.source)
        desk.incidents.save(tx, changed)
        who = ", ".join(answer.people) or "nobody"
        desk.timeline.add(tx, [Entry(incident_id, desk.clock(), EntryKind.NOTE, f"on call: {who} ({answer.source})")])

    await desk.db.write(keep)
