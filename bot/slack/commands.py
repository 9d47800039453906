"""Somebody typed a slash command."""

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.view import Place
from bot.slack.front import Front
from bot.slack.orders import open_form, wants_form
from bot.slack.parse import command_request
from bot.slack.payload import Record, text
from bot.slack.vocabulary import COMMANDS


def register(app: AsyncApp, front: Front) -> None:
    """Every command of ours is acknowledged first and answered in private; a deploy without words opens its form."""

    async def on_command(ack: AsyncAck, body: Record) -> None:
        await ack()
        request = command_request(body)
        tell = front.respond(text(body, "response_url"), Place(request.channel), request.person)
        story = open_form(request, front) if wants_form(request) else front.stories.on_command(request, front.desk)
        await front.serve(story, tell)

    for name in COMMANDS:
        app.command(f"/{name}")(on_command)
