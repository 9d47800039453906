"""A person in the local workspace, through its documented HTTP API: reads, presses, types."""

from typing import Any

import aiohttp

from bot.demo.reading import Button, Seen, see


class WorkspaceRefused(Exception):
    """The workspace has answered that this does not go."""


class Person:
    """One persona."""

    def __init__(self, session: aiohttp.ClientSession, workspace_url: str, user: str) -> None:
        self.user = user
        self._session = session
        self._base = workspace_url.rstrip("/") + "/workspace"

    async def channels(self) -> dict[str, str]:
        """Name by id of every channel that this person sees, direct messages included."""
        answer = await self._get("channels")
        return {channel["id"]: channel.get("name", channel["id"]) for channel in answer["channels"]}

    async def read(self, channel: str, thread: str = "") -> list[Seen]:
        """The messages of a channel, or of one thread with its parent; oldest first."""
        query = {"channel": channel, **({"thread_ts": thread} if thread else {})}
        answer = await self._get("messages", **query)
        return [see(message, channel) for message in answer["messages"]]

    async def read_all(self) -> list[Seen]:
        """The top-level messages of every channel."""
        return [seen for channel in await self.channels() for seen in await self.read(channel)]

    async def whispers(self) -> list[str]:
        """The texts that only this person sees, oldest first."""
        answer = await self._get("ephemerals")
        return [see(message, message["channel"]).text for message in answer["messages"]]

    async def press(self, seen: Seen, button: Button) -> None:
        """Press a button of a message."""
        body = {"channel": seen.channel, "ts": seen.ts, "action_id": button.action_id, "value": button.value}
        await self._post("actions", {**body, **({"block_id": button.block_id} if button.block_id else {})})

    async def command(self, channel: str, command: str, text: str) -> None:
        """Run a slash command."""
        await self._post("commands", {"channel": channel, "command": command, "text": text})

    async def say(self, channel: str, text: str, thread: str = "") -> str:
        """Post a message; its ts."""
        body = {"channel": channel, "text": text, **({"thread_ts": thread} if thread else {})}
        return str((await self._post("messages", body))["ts"])

    async def _get(self, path: str, **query: str) -> dict[str, Any]:
        async with self._session.get(f"{self._base}/{path}", params={"as": self.user, **query}) as answer:
            return _checked(await answer.json())

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._session.post(f"{self._base}/{path}", json={"as": self.user, **body}) as answer:
            return _checked(await answer.json())


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if not answer.get("ok"):
        raise WorkspaceRefused(str(answer.get("error", answer)))
    return answer
