"""tocsin workspace: the local Slack-compatible workspace alone."""

import argparse
import asyncio
import signal

from bot.commands import Commands, runs, stdin_closes
from bot.errors import BadSettings
from bot.slack.manifest import TYPED
from bot.slack.vocabulary import SHORTCUTS as NAMES
from bot.workspace.config import Shortcut, SlashCommand, WorkspaceConfig, settings_lines
from bot.workspace.errors import PortBusy
from bot.workspace.server import serve


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("workspace", help="a local Slack-compatible workspace with a web page")
    parser.add_argument("--port", type=int, default=8333, help="port of the page on 127.0.0.1 (default 8333)")
    parser.add_argument("--events-url", default="", help="deliver signed HTTP events here instead of by Socket Mode")
    parser.add_argument("--panel-url", default="", help="a page of yours, shown beside the messages")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input does (for programs that start it)"
    )
    parser.set_defaults(run=runs(_run))


COMMANDS = tuple(SlashCommand(f"/{name}", *words) for name, words in TYPED.items())
SHORTCUTS = tuple(Shortcut(id, name) for id, name in NAMES.items())


async def _run(args: argparse.Namespace) -> int:
    config = WorkspaceConfig(
        port=args.port,
        events_url=args.events_url or None,
        panel_url=args.panel_url or None,
        panel_title="Break the shop",
        commands=COMMANDS,
        shortcuts=SHORTCUTS,
    )

    async def ready(running: WorkspaceConfig) -> None:
        print(f"The workspace is at http://127.0.0.1:{running.port}/ (Ctrl-C ends it).")
        print("These settings connect `tocsin serve`, or any Slack app, to it:\n")
        print("\n".join(f"export {line}" for line in settings_lines(running)), flush=True)

    serving = asyncio.create_task(serve(config, on_ready=ready))
    waits = [serving, *([asyncio.create_task(stdin_closes())] if args.until_stdin_closes else [])]
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, serving.cancel)
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    serving.cancel()
    try:
        await serving
    except PortBusy as error:
        raise BadSettings(str(error)) from None
    except asyncio.CancelledError:
        return 0
    return 0
