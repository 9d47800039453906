"""The form for a deploy or rollback: opened at once, filled as services are chosen, checked before it closes."""

from collections.abc import Mapping

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.action import ActionKind
from bot.domain.request import CommandRequest, Deed
from bot.domain.view import NoteView, Place, Shown
from bot.slack.filled import change_request, version_block
from bot.slack.forms import order_modal, suggestions
from bot.slack.front import Front
from bot.slack.payload import Record, record, text
from bot.slack.vocabulary import FORM_SERVICE, MODAL_DEPLOY, MODAL_ROLLBACK, OPEN_SERVICE

BY_COMMAND = {kind.value: kind for kind in ActionKind}


def register(app: AsyncApp, front: Front) -> None:
    """Acknowledged first, but for a submission: its acknowledgement tells what is wrong under the field."""

    async def on_choice(ack: AsyncAck, body: Record) -> None:
        await ack()
        asked = change_request(body)
        if asked is not None:
            await front.serve(fill_form(body, front), front.whisper(Place(asked.channel), asked.person))

    async def on_typing(ack: AsyncAck, body: Record) -> None:
        await ack(options=suggestions(front.stories.services(front.desk), text(body, "value")))

    async def on_submission(ack: AsyncAck, body: Record) -> None:
        asked = change_request(body)
        if asked is None:
            await ack()
            return
        wrong = front.stories.check_order(asked, front.desk)
        if wrong:
            await ack(response_action="errors", errors=_under_fields(wrong, record(body, "view")))
            return
        await ack()
        await front.serve(front.stories.on_order(asked, front.desk), front.whisper(Place(asked.channel), asked.person))

    app.action(FORM_SERVICE)(on_choice)
    for action in (FORM_SERVICE, OPEN_SERVICE, Deed.SERVICE_MAP.value):
        app.options(action)(on_typing)
    for callback in (MODAL_DEPLOY, MODAL_ROLLBACK):
        app.view(callback)(on_submission)


def wants_form(request: CommandRequest) -> bool:
    """A deploy or rollback without words."""
    return request.command in BY_COMMAND and not request.words


async def open_form(request: CommandRequest, front: Front) -> Shown | None:
    """The form appears before anything slow is asked: its trigger lives for three seconds."""
    form = await front.stories.order_form(BY_COMMAND[request.command], "", "", front.desk)
    if not form.services:
        return NoteView(f"No service of services.yaml has a deployer, so there is nothing to {request.command}.")
    await front.open_modal(request.trigger_id, order_modal(form, request.channel))
    return None


async def fill_form(body: Record, front: Front) -> None:
    """A service was chosen: its environments and versions take their places; what else was entered stays."""
    asked = change_request(body)
    if asked is None:
        return
    form = await front.stories.order_form(asked.kind, asked.service, asked.environment, front.desk)
    view = record(body, "view")
    await front.update_modal(text(view, "id"), text(view, "hash"), order_modal(form, asked.channel))


def _under_fields(wrong: Mapping[str, str], view: Record) -> dict[str, str]:
    return {version_block(view) if field == "version" else field: sentence for field, sentence in wrong.items()}
