"""An answer that appears in a thread while it is made."""

from bot.domain.view import AnswerView, Place
from bot.ports import Channel


class Telling:
    """ports.Telling as one message, posted when the answer is complete."""

    def __init__(self, channel: Channel, place: Place, key: str) -> None:
        self.place = place
        self._channel, self._key = channel, key

    async def step(self, title: str, *, done: bool) -> None:
        """Looks are not shown."""

    async def words(self, more: str) -> None:
        """Words wait for the end."""

    async def end(self, view: AnswerView) -> Place:
        """Post it."""
        self.place = await self._channel.post(self.place, view, key=self._key)
        return self.place
