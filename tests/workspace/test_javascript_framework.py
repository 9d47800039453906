"""Slack's own JavaScript framework takes the workspace for Slack: an independent witness of the protocol.

The framework is installed into a temporary folder, in the versions of witness/package-lock.json.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.workspace.server import Shortcut, SlashCommand
from tests.workspace.conftest import Running, running

HERE = Path(__file__).parent / "witness"
NODE, NPM = shutil.which("node"), shutil.which("npm")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the witness and its framework."""
    if NODE is None or NPM is None:
        _without("node and npm are not installed")
    folder = tmp_path_factory.mktemp("witness")
    for name in ("package.json", "package-lock.json", "witness.js"):
        shutil.copy(HERE / name, folder / name)
    got = subprocess.run(
        [str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if got.returncode:
        _without(f"npm could not install it: {got.stderr.strip()[-300:]}")
    return folder


def _without(why: str) -> None:
    """In CI a missing witness is a failure: nobody would notice that it never spoke."""
    say = pytest.fail if os.environ.get("CI") else pytest.skip
    say(f"Slack's JavaScript framework is not tried: {why}")


@dataclass
class Witness:
    """The running app, and what it wrote down so far."""

    workspace: Running
    process: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> None:
        """Follow what it writes."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))

    async def saw(self, did: str) -> dict[str, Any]:
        """What it wrote about this, once it has."""

        def found() -> dict[str, Any] | None:
            assert not [x for x in self.lines if x["did"] in ("error", "failed")], self.lines
            return next((x for x in self.lines if x["did"] == did), None)

        line: dict[str, Any] = await self.workspace.until(found, 20)
        return {k: v for k, v in line.items() if k != "did"}


@asynccontextmanager
async def speaking(folder: Path) -> AsyncIterator[Witness]:
    commands, shortcuts = (SlashCommand("/incident", "Incidents"),), (Shortcut("open_incident", "Open an incident"),)
    async with running(commands=commands, shortcuts=shortcuts) as workspace:
        config = workspace.config
        process = await asyncio.create_subprocess_exec(
            str(NODE),
            "witness.js",
            f"{config.base_url}/api/",
            config.bot_token,
            config.app_token,
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", "")},  # without proxies: the workspace is on loopback
        )
        witness = Witness(workspace, process)
        reading = asyncio.create_task(witness.read())
        try:
            yield witness
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
            await reading


async def test_slacks_javascript_framework_takes_the_workspace_for_slack(installed: Path) -> None:
    async with speaking(installed) as witness:
        workspace = witness.workspace
        olivia = {"as": "U0ONCALL"}

        await witness.saw("ready")
        assert await witness.saw("auth.test") == {"user_id": "U0TOCSIN", "bot_id": "B0TOCSIN", "team_id": "T0TOCSIN"}
        assert await witness.saw("refused") == {"code": "slack_webapi_platform_error", "error": "channel_not_found"}
        assert (await witness.saw("channels"))["names"] == ["incidents", "alerts", "payments"]

        asked = await workspace.do("messages", **olivia, channel="C0INCIDENTS", text="@tocsin hello <b>")
        heard = await witness.saw("app_mention")
        assert heard == {"user": "U0ONCALL", "text": "<@U0TOCSIN> hello &lt;b&gt;", "botUserId": "U0TOCSIN", "said": True}
        reply = (await workspace.messages(thread=asked["ts"]))[1]
        assert reply["text"] == "You said <@U0TOCSIN> hello &lt;b&gt;"

        done = await workspace.do("commands", **olivia, channel="C0INCIDENTS", command="/incident", text="list")
        assert done["acked"]
        assert await witness.saw("command") == {"command": "/incident", "text": "list", "user": "U0ONCALL"}
        [told] = (await workspace.see("ephemerals", **olivia))["messages"]
        assert told["text"] == "list: none open"

        pressed = await workspace.do("actions", **olivia, channel="C0INCIDENTS", ts=reply["ts"], action_id="approve")
        assert pressed["acked"]
        seen = await witness.saw("action")
        assert seen == {"value": "act-1", "user": "U0ONCALL", "type": "block_actions", "changed": True, "view": "why"}
        assert (await workspace.messages(thread=asked["ts"]))[1]["text"] == "Approved by <@U0ONCALL>"

        [view] = (await workspace.see("modals", **olivia))["modals"]
        send = {**olivia, "view_id": view["id"]}
        refused = await workspace.do("modals/submit", **send, values={"reason": {"text": "no"}})
        assert refused["errors"] == {"reason": "Say more."}
        await workspace.do("modals/submit", **send, values={"reason": {"text": "retries"}})
        sent = await witness.saw("view_submission")
        assert sent == {"words": "retries", "kept": "act-1", "name": "olivia", "tz": "UTC"}
        assert (await workspace.see("modals", **olivia))["modals"] == []

        plain = await workspace.do("messages", **olivia, channel="U0TOCSIN", text="plain words")
        assert await witness.saw("message") == {"channel_type": "im", "text": "plain words"}
        where = {"channel": plain["channel"], "ts": plain["ts"]}
        assert (await workspace.do("shortcuts", **olivia, **where, callback_id="open_incident"))["acked"]
        assert await witness.saw("shortcut") == {"type": "message_action", "of": "plain words"}

        await workspace.do("home", **olivia, tab="messages")
        assert await witness.saw("app_home_opened") == {"tab": "messages", "channel": plain["channel"]}
        suggested = (await workspace.see("suggestions", **olivia))["suggestions"]
        assert suggested["prompts"] == [{"title": "Why?", "message": "Why did it happen?"}]

        await workspace.do("reactions", **olivia, channel="C0INCIDENTS", ts=asked["ts"], name="eyes")
        assert await witness.saw("stream") == {"stopped": True, "last": "**Because** of v43", "reaction": "eyes"}

        await workspace.do("sockets/disconnect")
        words = "plain words over a new connection"
        await workspace.do("messages", **olivia, channel="U0TOCSIN", text=words)
        await workspace.until(lambda: [x for x in witness.lines if x.get("text") == words], 20)
    assert witness.process.returncode == 0
