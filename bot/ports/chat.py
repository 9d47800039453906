"""The chat: where people read and are answered."""

from dataclasses import dataclass
from typing import Protocol

from bot.domain.request import Person
from bot.domain.view import AnswerView, HomeView, Place, Said, Shown


class Telling(Protocol):
    """An answer that appears in a thread while it is made. Only `end` raises: steps and words are a courtesy."""

    place: Place  # where it stands; ts "" until the chat has it

    async def step(self, title: str, *, done: bool) -> None:
        """A look has begun, or is done."""

    async def words(self, more: str) -> None:
        """More of the answer's text (Markdown)."""

    async def end(self, view: AnswerView) -> Place:
        """The answer is complete: what stands there is exactly this view. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class UserGroup:
    """A group of people in the chat: its id, its handle without "@", the user ids of its people."""

    id: str
    handle: str
    people: tuple[str, ...]


class Channel(Protocol):
    """Where people read. Raises Unavailable (with `retry_after` seconds where told) when the chat does not answer."""

    async def post(self, place: Place, view: Shown, *, key: str) -> Place:
        """Post a new message (in `place.thread` if set) that carries `key`; the returned place has its ts."""

    async def edit(self, place: Place, view: Shown) -> None:
        """Replace the message at `place`."""

    async def whisper(self, place: Place, user: str, view: Shown) -> None:
        """Show it to one person only."""

    async def tell(self, place: Place, person: Person, *, key: str) -> Telling:
        """Begin an answer to this person in `place.thread` that carries `key` in the end. Raises Unavailable."""

    async def find(self, channel: str, key: str, thread: str = "") -> Place | None:
        """The message of ours that carries `key`, if it was posted after all; asked after a broken connection.

        Name the thread if it was meant for one: only that thread is read then.
        """

    async def permalink(self, place: Place) -> str:
        """A link to the message, or ""."""

    async def upload(self, name: str, content: bytes, *, title: str, alt: str = "", place: Place | None = None) -> str:
        """The chat keeps the file and says its id: shown in `place.thread`, or, without a place, for a view of ours to show."""

    async def read(self, place: Place) -> Said | None:
        """The message at `place`, in a thread or not; None if there is none, or the bot may not read there."""

    async def publish(self, user: str, view: HomeView) -> None:
        """Show a person their home page."""

    async def timezone(self, user: str) -> str:
        """The IANA name of a person's time zone, "UTC" where it is not known."""

    async def user_by_email(self, email: str) -> str:
        """The id of the person with this address, "" where there is none or the chat does not tell."""

    async def groups(self, user: str) -> frozenset[str]:
        """The user groups of a person by id and by handle; none where the chat does not tell."""

    async def group(self, name: str) -> UserGroup | None:
        """The user group with this id or handle; None where there is none or the chat does not tell."""

    async def channel_id(self, name: str) -> str:
        """The id of "#name"; an id is returned as it is. Raises NotFound."""
