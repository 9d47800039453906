"""What every Slack handler has at hand, and the edge at which their errors end."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.domain.action import ActionKind
from bot.domain.deployments import Offer, OrderForm
from bot.domain.request import ChangeRequest, CommandRequest, Opening, Person, Pin, Press, Question, Regroup
from bot.domain.view import HomeView, NoteView, Place, RegroupForm, Shown, Suggestion
from bot.errors import BotError, NotFound
from bot.flows.desk import Desk
from bot.ports import Delivery
from bot.slack.blocks import Block, render
from bot.slack.client import TIMEOUT, is_loopback
from bot.slack.payload import text
from bot.slack.refusals import call, send

log = logging.getLogger(__name__)
Tell = Callable[[Shown], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stories:
    """The flows that Slack's requests lead to, picked by the wiring."""

    on_command: Callable[[CommandRequest, Desk], Awaitable[Shown]]
    on_question: Callable[[Question, Desk], Awaitable[None]]
    on_approval: Callable[[Press, Desk], Awaitable[Shown | None]]
    on_feedback: Callable[[Press, Desk], Awaitable[Shown | None]]
    on_card: Callable[[Press, Desk], Awaitable[Shown | None]]
    home: Callable[[Person, Desk], Awaitable[HomeView]]
    suggestions: Callable[[Desk], Awaitable[tuple[Suggestion, ...]]]
    services: Callable[[Desk], tuple[str, ...]]
    order_form: Callable[[ActionKind, str, str, Person, Desk], Awaitable[OrderForm]]
    versions_like: Callable[[ActionKind, str, str, str, Desk], Awaitable[tuple[Offer, ...]]]
    check_order: Callable[[ChangeRequest, Desk], Awaitable[Mapping[str, str]]]
    on_order: Callable[[ChangeRequest, Desk], Awaitable[Shown]]
    on_opening: Callable[[Opening, Desk], Awaitable[Shown]]
    on_mapping: Callable[[Press, Desk], Awaitable[Shown | None]]
    on_overheard: Callable[[Delivery, str, str, Desk], Awaitable[bool]]
    regroup_form: Callable[[str, Desk], Awaitable[RegroupForm]]
    on_regroup: Callable[[Regroup, Desk], Awaitable[Shown]]
    on_pin: Callable[[Pin, Desk], Awaitable[Shown | None]]
    on_suggestion: Callable[[Press, Desk], Awaitable[Shown | None]]
    on_draft: Callable[[Press, Desk], Awaitable[Shown | None]]
    offered: Callable[[str, str, str, Desk], Awaitable[tuple[tuple[str, str], ...]]]


def new_reference() -> str:
    """A short random word that a person can quote and the log can be searched for."""
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class Front:
    """One per app. `link_hosts` are the hosts that links may lead to, `pin_emoji` the reaction that pins."""

    desk: Desk
    stories: Stories
    client: AsyncWebClient
    link_hosts: frozenset[str] = frozenset()
    pin_emoji: str = "pushpin"
    reference: Callable[[], str] = new_reference

    async def serve(self, story: Awaitable[Shown | None], tell: Tell) -> None:
        """Run a story and show its outcome to the person; whatever goes wrong is told as a sentence."""
        try:
            shown = await story
            if shown is not None:
                await tell(shown)
            return
        except BotError as error:
            log.info("slack request refused kind=%s why=%s", type(error).__name__, error)
            sorry = NoteView(error.for_people)
        except Exception:  # one of the three edges: nothing may end a Slack handler unanswered
            reference = self.reference()
            log.exception("slack request broke ref=%s", reference)
            sorry = NoteView(f"Something broke inside Tocsin (ref {reference}). The incident itself is unaffected.")
        try:
            await tell(sorry)
        except BotError as error:
            log.warning("the person could not be told why=%s", error)

    def whisper(self, place: Place, person: Person) -> Tell:
        """Tells one person where they are."""

        async def tell(shown: Shown) -> None:
            await self.desk.channel.whisper(place, person.id, shown)

        return tell

    def respond(self, url: str, place: Place, person: Person) -> Tell:
        """Tells one person through the address that came with a command: works where the bot is no member."""

        if not url:
            return self.whisper(place, person)

        async def tell(shown: Shown) -> None:
            message = render(shown, self.link_hosts)
            webhook = AsyncWebhookClient(url, timeout=TIMEOUT, retry_handlers=[])
            if is_loopback(url):
                webhook.proxy = None
            blocks = list(message.blocks)
            await send(webhook.send(text=message.text, blocks=blocks, response_type="ephemeral"))

        return tell

    async def open_modal(self, trigger_id: str, view: Block) -> None:
        """Show a modal to the person behind the trigger, which lives for three seconds."""
        await call("views.open", "a modal", self.client.views_open(trigger_id=trigger_id, view=view))

    async def update_modal(self, view_id: str, hash: str, view: Block) -> str:
        """Put another view in place of an open modal, and say its new hash; "" if it was closed or changed meanwhile."""
        try:
            done = await call("views.update", "a modal", self.client.views_update(view_id=view_id, hash=hash, view=view))
        except NotFound as gone:
            log.info("a modal was not updated why=%s", gone)
            return ""
        return text(done, "view", "hash")
