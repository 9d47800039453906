"""The whole house: the bot as a child process, a local workspace, senders of signed webhooks, people who read and press."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg

from bot.commands.loopback import free_port
from bot.commands.staging import clean_environment
from bot.demo.reading import Seen, is_card, is_resolved, see
from bot.workspace.config import settings_lines
from bot.workspace.delivery import sign
from tests.e2e.deployctl import opened
from tests.parcels import beside
from tests.workspace.conftest import Running, running

T = TypeVar("T")
ON_CALL, APPROVER, OUTSIDER = "U0ONCALL", "U0APPROVER", "U0OUTSIDER"
INCIDENTS, ALERTS, PAYMENTS = "C0INCIDENTS", "C0ALERTS", "C0PAYMENTS"
SECRET = "a-secret-of-this-test"
REPOSITORY = Path(__file__).parents[2]
DEPLOYCTL = Path(__file__).parent / "deployctl.py"
PATIENCE = 60.0  # seconds for what should happen within two; the machine may be busy

SERVICES = """\
services:
  - {name: checkout, owner: team-web, tier: 1, depends_on: [payments], environments: [production], deployer: shop}
  - {name: payments, owner: team-payments, tier: 1, repository: demo/shop, environments: [production], deployer: shop}
"""
ROUTING = """\
default: {channel: "#incidents", on_call: [U0ONCALL]}
overview: "#alerts"
routes:
  - {name: payments team, match: {owner: team-payments}, channel: "#payments", on_call: [U0ONCALL]}
"""
POLICIES = """\
groups:
  on-call: [U0ONCALL]
  approvers: [U0APPROVER]
rules:
  - name: production
    actions: [deploy, rollback]
    environments: [production]
    services: ["*"]
    request: [on-call, approvers]
    approve: [approvers]
    approvals: 1
    self_approval: false
    expires_minutes: 30
"""
RUNBOOK = """\
---
title: Payments answer with errors
services: [payments]
alerts: [HighErrorRate]
owner: team-payments
reviewed: 2026-11-01
---
# Payments answer with errors

## First look

1. Look at the error ratio of payments by version.
2. If it began with a deploy, roll back.
"""
TOML = """\
environment = "production"
{top}
[knowledge]
embedder = "none"
[incidents]
settle_seconds = 1
verify_seconds = 30
gather_seconds = 2
first_card_seconds = 1
look_again_seconds = 2
[connectors.alertmanager]
[connectors.github]
{more}
[deployers.shop]
kind = "command"
current = {current}
versions = {versions}
start = {start}
status = {status}
cancel = {cancel}
timeout_seconds = 30
"""


def write_configuration(folder: Path, state: Path, more: str, top: str = "") -> None:
    """What an installation consists of, small."""
    (folder / "runbooks").mkdir(parents=True)
    tool = [sys.executable, "-I", "-S", str(DEPLOYCTL), str(state)]
    words = {
        "current": [*tool, "current", "{service}"],
        "versions": [*tool, "versions", "{service}"],
        "start": [*tool, "start", "{service}", "{version}", "{key}"],
        "status": [*tool, "status", "{key}"],
        "cancel": [*tool, "cancel", "{key}"],
    }
    texts = {
        "services.yaml": SERVICES,
        "routing.yaml": ROUTING,
        "policies.yaml": POLICIES,
        "runbooks/errors.md": RUNBOOK,
        "tocsin.toml": TOML.format(more=more, top=top, **{k: json.dumps(v) for k, v in words.items()}),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    versions = {"payments": ["v43", "v42"], "checkout": ["v18", "v17"]}
    running = {service: names[0] for service, names in versions.items()}
    state.write_text(json.dumps({"running": running, "versions": versions, "runs": {}, "starts": [], "seconds": 0}))


@dataclass
class House:
    """One installation. Its people see and do only what the workspace's documented HTTP API lets them."""

    folder: Path
    workspace: Running
    port: int
    http: httpx.AsyncClient
    database_url: str = ""  # else SQLite in the folder
    name: str = "bot"
    slack_api_url: str = ""  # else the workspace's own
    process: asyncio.subprocess.Process | None = None
    sent: int = 0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    # the bot

    @property
    def environment(self) -> dict[str, str]:
        """What a user would export."""
        slack = dict(line.split("=", 1) for line in settings_lines(self.workspace.config))
        if self.workspace.config.events_url:
            del slack["SLACK_APP_TOKEN"]
        if self.slack_api_url:
            slack["TOCSIN_SLACK_API_URL"] = self.slack_api_url
        own = {"TOCSIN_ALERTMANAGER_SECRET": SECRET, "TOCSIN_GITHUB_SECRET": SECRET, "TOCSIN_PORT": str(self.port)}
        if self.database_url:
            own |= {"TOCSIN_DATABASE_URL": self.database_url, "TOCSIN_DATA_DIR": f".{self.name}"}
        return {**clean_environment(), **slack, **own}

    async def start(self) -> None:
        """The bot runs and says that it is up."""
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "--config", str(self.folder), "serve", "--until-stdin-closes",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                env=self.environment, cwd=REPOSITORY,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 60)
        assert line.startswith(b"The bot is up"), self.log()

    async def kill(self) -> None:
        """The process is gone at once, as by a power cut."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    def freeze(self) -> None:
        """The process stands still, as a virtual machine that is being moved."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """The process goes on as if no time had passed."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    @property
    def deploys(self) -> bool:
        """A deployer that this bot started is at work."""
        assert self.process is not None
        children = [child for t in Path(f"/proc/{self.process.pid}/task").glob("*/children") for child in _said(t).split()]
        return any("deployctl" in _said(Path(f"/proc/{child}/cmdline")) for child in children)

    async def end(self, seconds: float = 10.0) -> int:
        """The exit status after SIGTERM; an error if that takes longer."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), seconds)

    def log(self) -> str:
        """What the bot wrote to stderr."""
        return (self.folder / f"{self.name}.log").read_text(encoding="utf-8", errors="replace")

    async def cli(self, *words: str) -> tuple[int, str]:
        """A command beside the running bot: its exit status and what it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "--config", str(self.folder), *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=self.environment, cwd=REPOSITORY,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, said.decode()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the bot's database holds."""
        if self.database_url:
            with psycopg.connect(self.database_url.replace("+psycopg", "")) as server:
                return server.execute(query).fetchall()  # type: ignore[call-overload]  # psycopg wants a literal
        with closing(beside(self.folder / ".tocsin" / "tocsin.db")) as database:
            return database.execute(query).fetchall()

    # webhooks

    async def post(self, connector: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """A webhook as it stands."""
        url = f"http://127.0.0.1:{self.port}/webhooks/{connector}"
        return await self.http.post(url, content=body, headers={"content-type": "application/json", **headers})

    async def alertmanager(self, body: bytes) -> httpx.Response:
        """A body with Alertmanager's proof."""
        return await self.post("alertmanager", body, {"authorization": f"Bearer {SECRET}"})

    async def alert(self, service: str = "payments", *, resolved: bool = False, name: str = "HighErrorRate") -> httpx.Response:
        """One alert; each call is a delivery of its own."""
        self.sent += 1
        answer = await self.alertmanager(notification(service, self.began, resolved=resolved, name=name, mark=str(self.sent)))
        assert answer.status_code == 202, answer.text
        return answer

    async def slack(self, body: bytes, content_type: str, retry: int = 0) -> httpx.Response:
        """A request at Slack's door with Slack's signature, such as one that Slack sends again."""
        stamp = str(int(datetime.now(UTC).timestamp()))
        headers = {
            "content-type": content_type,
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": sign(self.workspace.config.signing_secret, stamp, body),
            **({"x-slack-retry-num": str(retry), "x-slack-retry-reason": "http_timeout"} if retry else {}),
        }
        return await self.http.post(f"http://127.0.0.1:{self.port}/slack/events", content=body, headers=headers)

    async def github(self, event: str, payload: Mapping[str, Any], delivery: str = "") -> httpx.Response:
        """A signed webhook of GitHub's; the same `delivery` is a redelivery."""
        body = json.dumps(payload).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "x-github-event": event,
            "x-github-delivery": delivery or str(uuid.uuid4()),
            "x-hub-signature-256": f"sha256={signature}",
        }
        return await self.post("github", body, headers)

    # people

    async def read(self, channel: str, thread: str = "", user: str = ON_CALL) -> list[Seen]:
        """A channel or a thread as a person reads it."""
        return [see(m, channel) for m in await self.workspace.messages(channel, user, thread)]

    async def cards(self) -> list[Seen]:
        """The cards in all channels."""
        return [m for c in (INCIDENTS, ALERTS, PAYMENTS) for m in await self.read(c, user=APPROVER) if is_card(m)]

    async def card(self, words: str = "", seconds: float = PATIENCE) -> Seen:
        """The one card there is, once it holds these words."""

        async def look() -> Seen | None:
            cards = await self.cards()
            assert len(cards) < 2, [c.text for c in cards]
            return cards[0] if cards and words in cards[0].text else None

        return await self.until(look, f"a card with {words!r}", seconds)

    async def resolved_card(self) -> Seen:
        """The one card, once it is resolved."""

        async def look() -> Seen | None:
            card = await self.card()
            return card if is_resolved(card) else None

        return await self.until(look, "a resolved card")

    async def in_thread(self, of: Seen, words: str, seconds: float = PATIENCE) -> Seen:
        """The newest message of a thread that holds these words."""

        async def look() -> Seen | None:
            found = [m for m in await self.read(of.channel, of.ts) if words in m.text and m.ts != of.ts]
            return found[-1] if found else None

        return await self.until(look, f"{words!r} in the thread", seconds)

    async def whisper(self, user: str, words: str) -> str:
        """What only this person was told, once it holds these words."""

        async def look() -> str | None:
            ephemerals = (await self.workspace.see("ephemerals", **{"as": user}))["messages"]
            return next((t for m in reversed(ephemerals) if words in (t := see(m, m["channel"]).text)), None)

        return await self.until(look, f"{user} being told {words!r}")

    async def press(self, user: str, message: Seen, label: str) -> None:
        """Press the button whose label begins so."""
        button = message.button(label)
        assert button is not None, f"no button {label!r} on: {message.text}"
        where = {"channel": message.channel, "ts": message.ts, "action_id": button.action_id}
        more = {"block_id": button.block_id} if button.block_id else {}
        answer = await self.workspace.do("actions", **{"as": user}, **where, value=button.value, **more)
        assert answer["ok"], answer

    async def command(self, user: str, command: str, text: str, channel: str = PAYMENTS) -> None:
        """Run a slash command."""
        answer = await self.workspace.do("commands", **{"as": user}, channel=channel, command=command, text=text)
        assert answer["ok"], answer
        assert answer["acked"], answer

    async def say(self, user: str, channel: str, text: str, thread: str = "") -> str:
        """Post a message; its ts."""
        more = {"thread_ts": thread} if thread else {}
        answer = await self.workspace.do("messages", **{"as": user}, channel=channel, text=text, **more)
        assert answer["ok"], answer
        return str(answer["ts"])

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str, seconds: float = PATIENCE) -> T:
        """What `look` finds; an error that says what is missing, with the end of the bot's log."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            if found := await look():
                return found
            if asyncio.get_running_loop().time() > end:
                entries = (await self.workspace.see("transcript"))["entries"]
                seen = "\n".join(json.dumps(e)[:600] for e in entries[-60:] if e["kind"] != "event_acked")
                raise AssertionError(f"waited {seconds:g} s for {what}; the last that happened:\n{seen}\n{self.log()[-3000:]}")
            await asyncio.sleep(0.1)

    # the deployer

    @property
    def deployer(self) -> dict[str, Any]:
        """The deployer's own record."""
        found: dict[str, Any] = json.loads((self.folder / "deployer.json").read_text())
        return found

    def deployments_take(self, seconds: float) -> None:
        """From now on a deployment takes so long."""
        self.deployer_becomes(seconds=seconds)

    def deployer_becomes(self, **words: Any) -> None:
        """Something else is true of the deployer from now on."""
        with opened(self.folder / "deployer.json") as state:
            state.update(words)

    async def plan(self, card: Seen, user: str = ON_CALL) -> Seen:
        """A rollback of payments was asked for by command; its plan in the card's thread."""
        await self.command(user, "/rollback", "payments v42")
        return await self.in_thread(card, "awaiting approval")

    async def refusals(self) -> list[dict[str, Any]]:
        """Every call of the bot that the workspace refused."""
        return [e for e in (await self.workspace.see("transcript"))["entries"] if e["kind"] == "refused"]


def _said(file: Path) -> str:
    """What /proc tells of a process; nothing once it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return file.read_text()
    return ""


def notification(service: str, began: datetime, *, resolved: bool, name: str, mark: str) -> bytes:
    """An Alertmanager webhook, version 4, of one alert; `mark` makes the body differ from others."""
    labels = {"alertname": name, "service": service, "severity": "critical"}
    status = "resolved" if resolved else "firing"
    alert = {
        "status": status,
        "labels": labels,
        "annotations": {"summary": f"{service} answers with errors"},
        "startsAt": began.isoformat().replace("+00:00", "Z"),
        "endsAt": datetime.now(UTC).isoformat().replace("+00:00", "Z") if resolved else "0001-01-01T00:00:00Z",
        "fingerprint": hashlib.sha256(f"{service}/{name}".encode()).hexdigest()[:16],
        "generatorURL": f"http://prometheus.example/graph?mark={mark}",
    }
    payload = {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "tocsin",
        "groupLabels": {"alertname": name},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": [alert],
    }
    return json.dumps(payload).encode()


def deployment(service: str, version: str, at: datetime, number: int = 7, sha: str = "3f2c1a9" + "0" * 33) -> dict[str, Any]:
    """A `deployment_status` of GitHub's: shipped."""
    when = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "action": "created",
        "deployment_status": {"id": number, "state": "success", "updated_at": when, "environment": "production"},
        "deployment": {
            "id": number,
            "sha": sha,
            "ref": version,
            "description": f"raise retries of {service}",
            "environment": "production",
            "created_at": when,
            "creator": {"login": "ines-d"},
            "payload": {"service": service, "version": version},
        },
        "repository": {"full_name": "demo/shop", "default_branch": "main"},
    }


@contextlib.asynccontextmanager
async def a_house(
    folder: Path,
    *,
    more: str = "",
    top: str = "",
    started: bool = True,
    database_url: str = "",
    signed_http: bool = False,
    **workspace: Any,
) -> AsyncIterator[House]:
    """A house of its own; the bot is running unless told otherwise. `top` and `more` go into tocsin.toml.

    With `signed_http` Slack's requests come to the bot's own door in place of a socket.
    """
    port = free_port()
    if signed_http:
        workspace["events_url"] = f"http://127.0.0.1:{port}/slack/events"
    write_configuration(folder, folder / "deployer.json", more, top)
    workspace.setdefault("retry_delays", (0.0, 2.0))
    async with running(**workspace) as slack, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        house = House(folder, slack, port, http, database_url)
        async with _lived_in(house, started):
            yield house


@contextlib.asynccontextmanager
async def two_replicas(folder: Path, database_url: str, **house: Any) -> AsyncIterator[list[House]]:
    """Two bots on one PostgreSQL and one workspace, each with a door and a socket of its own."""
    async with a_house(folder, database_url=database_url, **house) as one:
        other = replace(one, port=free_port(), name="other", process=None)
        async with _lived_in(other, True):
            yield [one, other]


@contextlib.asynccontextmanager
async def _lived_in(house: House, started: bool) -> AsyncIterator[None]:
    try:
        if started:
            await house.start()
        yield
    finally:
        if house.process is not None and house.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself, and asyncio has not heard yet
                house.thaw()
                os.kill(house.process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(house.process.wait(), 12)
            except TimeoutError:
                await house.kill()
