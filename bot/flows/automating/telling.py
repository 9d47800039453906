"""Who hears of what ran by itself: a person by name in the incident's thread; and that somebody turned the switch."""

from collections.abc import Mapping

from bot.domain.action import Action, ActionKind
from bot.domain.incident import Incident
from bot.domain.view import NoteView, Place
from bot.flows.announce import post_once
from bot.flows.automating.weighing import OFF, confirmations
from bot.flows.desk import Desk
from bot.flows.reaching.oncall import whose_turn
from bot.flows.showing import route_of
from bot.ports import Scalar, Transaction


async def tell_automatic(args: Mapping[str, Scalar], desk: Desk) -> None:
    """Whoever is on call reads by name, in the incident's thread, what was started without them and how to take it back."""

    def read(tx: Transaction) -> tuple[Action, Incident, Place, str] | None:
        action = desk.actions.get(tx, str(args["action"]))
        incident = desk.incidents.get(tx, action.incident_id) if action else None
        if action is None or incident is None:
            return None
        card = desk.cards.get(tx, f"card:{incident.id}")
        thread = Place(card.place.channel, "", card.place.ts) if card is not None and card.place.ts else Place("")
        history = desk.actions.of_step(tx, action.step, action.service, action.environment)
        return action, incident, thread, _said(action, confirmations(tx, history, desk))

    found = await desk.db.read(read)
    if found is None:
        return
    action, incident, thread, said = found
    route = route_of(incident, action.service, desk)
    place = thread if thread.channel else Place(await desk.channel.channel_id(incident.channel or route.channel))
    people = tuple(p for p in (incident.acknowledged_by,) if p) or (await whose_turn(route, desk)).people or incident.on_call
    await post_once(f"automatic:{action.id}", place, NoteView(said, people), desk)


def _said(action: Action, confirmed: tuple[str, ...]) -> str:
    verb = "rolls back" if action.kind is ActionKind.ROLLBACK else "deploys"
    before = action.plan.current_version if action.plan else ""
    opposite = ActionKind.DEPLOY if action.kind is ActionKind.ROLLBACK else ActionKind.ROLLBACK
    fix = ' --fix "the automatic step was wrong"' if opposite is ActionKind.DEPLOY else ""
    back = f"\nThe way back: `/{opposite.value} {action.service} {before} {action.environment}{fix}`" if before else ""
    seen = f" People approved it before, and it helped, in {', '.join(confirmed[:5])}." if confirmed else ""
    return (
        f"Tocsin {verb} {action.service} to {action.target} in {action.environment} by itself: step "
        f"{action.step.rpartition('@')[0]}, which policies.yaml makes automatic.{seen} Its effect is watched.{back}\n"
        f"Stop all of this: `/incident automation off`"
    )


async def tell_switched(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The default channel hears that automation was switched off or on, and by whom."""
    by, wanted, at, stopped = str(args["by"]), str(args["to"]), str(args["at"]), int(args.get("stopped") or 0)
    place = Place(await desk.channel.channel_id(desk.routing().default.channel))
    more = f" {stopped} that had not begun were stopped." if stopped else ""
    what = "Nothing is planned or started by itself from now on." if wanted == OFF else "Steps of runbooks may act again."
    note = NoteView(f"{by} switched automation {wanted}. {what}{more}", (), (by,))
    await post_once(f"automation:{wanted}:{at}", place, note, desk)
