"""The form behind "Merge, split…": opened with what there is to choose from, carried out once it is sent."""

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.request import Press, Regroup
from bot.domain.view import Place, RegroupForm, Shown
from bot.slack.blocks import Block
from bot.slack.blocks.modal import asked, modal, select
from bot.slack.front import Front
from bot.slack.parse import carried, filled, origin, person_of
from bot.slack.payload import Record, record, text
from bot.slack.vocabulary import DEED_BLOCK, INPUT_ACTION, MODAL_REGROUP, OTHER_BLOCK, PROBLEM_BLOCK

DEEDS = {
    "merge": "Merge this incident into another",
    "split": "Split a problem off: it does not belong here",
    "unrelated": "Not related to another incident",
}


def register(app: AsyncApp, front: Front) -> None:
    """Acknowledged first, which closes the modal; the outcome is told where the button was."""

    async def on_submission(ack: AsyncAck, body: Record) -> None:
        await ack()
        wish = wished(body)
        if wish is not None:
            await front.serve(front.stories.on_regroup(wish, front.desk), front.whisper(wish.place, wish.person))

    app.view(MODAL_REGROUP)(on_submission)


async def open_regroup(pressed: Press, front: Front) -> Shown | None:
    """The form appears; its trigger lives for three seconds, and one read of the database takes less."""
    form = await front.stories.regroup_form(pressed.value, front.desk)
    await front.open_modal(pressed.trigger_id, regroup_modal(form, origin(pressed)))
    return None


def regroup_modal(form: RegroupForm, behind: dict[str, str]) -> Block:
    """What can be done with this incident: only what there is a choice for."""
    able = [(deed, words) for deed, words in DEEDS.items() if (form.problems if deed == "split" else form.others)]
    blocks = [asked(DEED_BLOCK, f"What about {form.key}?", select(INPUT_ACTION, able or [("undo", "Take the last one back")]))]
    if form.others:
        blocks.append(asked(OTHER_BLOCK, "The other incident", select(INPUT_ACTION, form.others), optional=True))
    if form.problems:
        blocks.append(asked(PROBLEM_BLOCK, "The problem to split off", select(INPUT_ACTION, form.problems), optional=True))
    return modal(MODAL_REGROUP, "Merge or split", "Do it", behind, blocks)


def wished(body: Record) -> Regroup | None:
    """What the form holds; None if it is none of ours."""
    view = record(body, "view")
    behind = carried(view)
    if not text(behind, "value"):
        return None
    return Regroup(
        person=person_of(body),
        place=Place(text(behind, "channel"), text(behind, "ts"), text(behind, "thread")),
        incident_id=text(behind, "value"),
        deed=filled(view, DEED_BLOCK),
        other=filled(view, OTHER_BLOCK),
        problem=filled(view, PROBLEM_BLOCK),
        id=f"view:{text(view, 'id')}",
    )
