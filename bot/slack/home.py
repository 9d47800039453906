"""Somebody opened the bot: its home page, or the conversation with it."""

from slack_bolt.async_app import AsyncApp

from bot.domain.request import Person
from bot.domain.view import Place
from bot.slack import panel
from bot.slack.front import Front
from bot.slack.payload import Record, text


def register(app: AsyncApp, front: Front) -> None:
    """The page is made anew each time it is opened; the conversation begins with what is worth asking."""

    async def on_home(body: Record) -> None:
        person = Person(text(body, "event", "user"), "", text(body, "team_id"))
        if text(body, "event", "tab") == "home" and person.id:
            await front.serve(_publish(person, front), front.whisper(Place(""), person))
        elif text(body, "event", "tab") == "messages":
            await panel.suggest(front, text(body, "event", "channel"))

    app.event("app_home_opened")(on_home)


async def _publish(person: Person, front: Front) -> None:
    view = await front.stories.home(person, front.desk)
    await front.desk.channel.publish(person.id, view)
