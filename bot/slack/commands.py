"""Somebody typed a slash command."""

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.view import Place
from bot.slack.front import Front
from bot.slack.parse import command_request
from bot.slack.payload import Record, text
from bot.slack.vocabulary import COMMANDS


def register(app: AsyncApp, front: Front) -> None:
    """Every command of ours is acknowledged first and answered in private."""

    async def on_command(ack: AsyncAck, body: Record) -> None:
        await ack()
        request = command_request(body)
        tell = front.respond(text(body, "response_url"), Place(request.channel), request.person)
        await front.serve(front.stories.on_command(request, front.desk), tell)

    for name in COMMANDS:
        app.command(f"/{name}")(on_command)
