"""The form for a deploy or rollback: opened at once, filled as things are chosen, checked before it closes."""

from collections.abc import Mapping

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.action import ActionKind
from bot.domain.request import CommandRequest, Deed
from bot.domain.view import NoteView, Place, Shown
from bot.slack.choices import Choices
from bot.slack.filled import block_of, change_request, other_list
from bot.slack.forms import suggestions
from bot.slack.front import Front
from bot.slack.orderform import belongs_to, order_modal, version_options
from bot.slack.payload import Record, record, records, text
from bot.slack.vocabulary import FORM_ENVIRONMENT, FORM_SERVICE, FORM_VERSION, MODAL_DEPLOY, MODAL_ROLLBACK, OPEN_SERVICE

BY_COMMAND = {kind.value: kind for kind in ActionKind}


def register(app: AsyncApp, front: Front) -> None:
    """Acknowledged first, but for a submission: its acknowledgement tells what is wrong under the field."""
    choices = Choices()

    async def on_choice(ack: AsyncAck, body: Record) -> None:
        await ack()
        asked = change_request(body)
        if asked is not None:
            await front.serve(fill_form(body, front, choices), front.whisper(Place(asked.channel), asked.person))

    async def on_service(ack: AsyncAck, body: Record) -> None:
        await ack(options=suggestions(front.stories.services(front.desk), text(body, "value")))

    async def on_version(ack: AsyncAck, body: Record) -> None:
        kind = ActionKind(text(body, "action_id").removeprefix(FORM_VERSION))
        service, environment = belongs_to(text(body, "block_id"))
        typed = text(body, "value")
        found = await front.stories.versions_like(kind, service, environment, typed, front.desk)
        await ack(options=version_options(found, typed, kind))

    async def on_submission(ack: AsyncAck, body: Record) -> None:
        asked = change_request(body)
        if asked is None:
            await ack()
            return
        view = record(body, "view")
        late = other_list(view)
        wrong = {"service": late} if late else await front.stories.check_order(asked, front.desk)
        if wrong:
            await ack(response_action="errors", errors=_under_fields(wrong, view))
            return
        await ack()
        await front.serve(front.stories.on_order(asked, front.desk), front.whisper(Place(asked.channel), asked.person))

    for choice in (FORM_SERVICE, FORM_ENVIRONMENT):
        app.action(choice)(on_choice)
    for action in (FORM_SERVICE, OPEN_SERVICE, Deed.SERVICE_MAP.value):
        app.options(action)(on_service)
    for kind in ActionKind:
        app.options(FORM_VERSION + kind.value)(on_version)
    for callback in (MODAL_DEPLOY, MODAL_ROLLBACK):
        app.view(callback)(on_submission)


def wants_form(request: CommandRequest) -> bool:
    """A deploy or rollback without words."""
    return request.command in BY_COMMAND and not request.words


async def open_form(request: CommandRequest, front: Front) -> Shown | None:
    """The form appears before anything slow is asked: its trigger lives for three seconds."""
    form = await front.stories.order_form(BY_COMMAND[request.command], "", "", request.person, front.desk)
    if not form.services:
        return NoteView(form.trouble or f"There is nothing to {request.command}.")
    await front.open_modal(request.trigger_id, order_modal(form, request.channel))
    return None


async def fill_form(body: Record, front: Front, choices: Choices) -> None:
    """Something was chosen: the environments and versions that belong to it take their places; what else was entered stays.

    An answer that comes after a newer choice is left out.
    """
    asked, view = change_request(body), record(body, "view")
    if asked is None:
        return
    id, at = text(view, "id"), _chosen_at(body)
    if not choices.chosen(id, at):
        return
    form = await front.stories.order_form(asked.kind, asked.service, asked.environment, asked.person, front.desk)
    async with choices.turn(id):
        if choices.is_newest(id, at):
            hash = choices.hash(id, text(view, "hash"))
            choices.updated(id, await front.update_modal(id, hash, order_modal(form, asked.channel)))


def _chosen_at(body: Record) -> float:
    action = next(iter(records(body, "actions")), {})
    try:
        return float(text(action, "action_ts") or 0)
    except ValueError:
        return 0.0


def _under_fields(wrong: Mapping[str, str], view: Record) -> dict[str, str]:
    return {block_of(view, field): sentence for field, sentence in wrong.items()}
