"""tocsin workspace: the local Slack-compatible workspace alone."""

import argparse

from bot.commands import Commands, runs
from bot.errors import BadSettings
from bot.workspace.config import WorkspaceConfig, settings_lines
from bot.workspace.server import PortBusy, serve


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("workspace", help="a local Slack-compatible workspace with a web page")
    parser.add_argument("--port", type=int, default=8333, help="port of the page on 127.0.0.1 (default 8333)")
    parser.add_argument("--events-url", default="", help="deliver signed HTTP events here instead of by Socket Mode")
    parser.set_defaults(run=runs(_run))


async def _run(args: argparse.Namespace) -> int:
    config = WorkspaceConfig(port=args.port, events_url=args.events_url or None)

    async def ready(running: WorkspaceConfig) -> None:
        print(f"The workspace is at http://127.0.0.1:{running.port}/ (Ctrl-C ends it).")
        print("These settings connect `tocsin serve`, or any Slack app, to it:\n")
        print("\n".join(f"export {line}" for line in settings_lines(running)), flush=True)

    try:
        await serve(config, on_ready=ready)
    except PortBusy as error:
        raise BadSettings(str(error)) from None
    return 0
