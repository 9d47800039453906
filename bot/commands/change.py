"""tocsin change: a script tells the bot what it changed, through the bot's own authenticated webhook."""

import argparse
import json
import sys
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.commands import Commands
from bot.domain.change import ChangeKind, ChangeStatus
from bot.errors import BadSettings

if TYPE_CHECKING:
    from bot.settings import Settings

FIELDS = ("service", "version", "kind", "status", "environment", "title", "author", "commit", "repository", "url", "id")
PATIENCE = 30.0  # seconds for all tries together
LONGEST_WAIT = 5.0


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("change", help="tell the bot what a script changed")
    parser.add_argument("--service", required=True)
    parser.add_argument("--version", default="")
    parser.add_argument("--kind", choices=[kind.value for kind in ChangeKind], default=ChangeKind.DEPLOY.value)
    parser.add_argument("--status", choices=[status.value for status in ChangeStatus], default=ChangeStatus.SUCCEEDED.value)
    parser.add_argument("--environment", default="", help="default: the bot's own")
    parser.add_argument("--title", default="", help="one line for people")
    parser.add_argument("--author", default="", help="who or what did it")
    parser.add_argument("--commit", default="")
    parser.add_argument("--repository", default="", metavar="OWNER/NAME")
    parser.add_argument("--url", default="", help="the page of the run")
    parser.add_argument("--id", default="", help="the same id again reports on the same change")
    parser.add_argument(
        "--to", default="", metavar="ADDRESS", help="the bot's address (default: TOCSIN_CHANGE_TO, else this machine)"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from bot.settings import load_settings  # slow: only commands that need the bot pay for it

    settings = load_settings(args.config)
    secret = _given(settings, "secret")
    if not secret:
        raise BadSettings("TOCSIN_CHANGE_SECRET is not set; it has to be the bot's. See docs/connectors/change.md.")
    address = args.to or _given(settings, "to") or f"http://{settings.host}:{settings.port}"
    told = {name: value for name in FIELDS if (value := getattr(args, name))}
    why = _send(address.rstrip("/") + "/webhooks/change", secret, told)
    if why:
        print(f"tocsin: the change was not taken by {address}: {why}", file=sys.stderr)
        return 1
    print(f"{address} has it: {args.kind} of {args.service} {args.version}".rstrip() + f", {args.status}.")
    return 0


def _given(settings: "Settings", field: str) -> str:
    return str(settings.connectors.get("change", {}).get(field, ""))


def _send(url: str, secret: str, told: Mapping[str, str]) -> str:
    """Send until it is taken, refused or out of time; "" or why it was not taken."""
    import httpx  # takes a moment

    headers = {"Authorization": f"Bearer {secret}", "X-Tocsin-Delivery": str(uuid.uuid4()), "Content-Type": "application/json"}
    body, until, wait = json.dumps(told), time.monotonic() + PATIENCE, 0.5
    while True:
        try:
            answer = httpx.post(url, content=body, headers=headers, timeout=10)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why, asked, final = type(error).__name__, 0.0, isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol)
        else:
            if answer.status_code == httpx.codes.ACCEPTED:
                return ""
            why, asked = f"{answer.status_code} {answer.text[:300].strip()}", _seconds(answer.headers.get("retry-after", ""))
            final = answer.status_code < 500 and answer.status_code != httpx.codes.TOO_MANY_REQUESTS
        wait = max(asked, wait)
        if final or time.monotonic() + wait > until:
            return why
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)


def _seconds(text: str) -> float:
    return float(text) if text.isdigit() else 0.0
