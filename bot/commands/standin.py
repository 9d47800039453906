"""tocsin standin: a stand-in for a language model, an OpenAI-compatible server without intelligence."""

import argparse
import asyncio
import signal

from bot.commands import Commands, runs, stdin_closes
from bot.errors import BadSettings

BRAINS = ("extract", "obey")


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser("standin", help="a stand-in for a language model, to try models without one")
    parser.add_argument("--port", type=int, default=8340, help="port on 127.0.0.1 (default 8340; 0: any free one)")
    parser.add_argument("--brain", choices=BRAINS, default="extract", help="quotes the evidence, or obeys everything it reads")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input does (for programs that start it)"
    )
    parser.set_defaults(run=runs(_run))


async def _run(args: argparse.Namespace) -> int:
    from bot.demo.standin.extract import extract  # slow: the web server
    from bot.demo.standin.obey import obey
    from bot.demo.standin.server import standin

    task = asyncio.current_task()
    assert task is not None  # noqa: S101  asyncio.run made it
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    try:
        async with standin({"extract": extract, "obey": obey}[args.brain], port=args.port) as server:
            print(f"The stand-in is at {server.url}", flush=True)
            await (stdin_closes() if args.until_stdin_closes else asyncio.Event().wait())
    except OSError as error:
        raise BadSettings(f"Port {args.port} of 127.0.0.1 cannot be had ({error.strerror}). Choose another: --port") from None
    except asyncio.CancelledError:
        return 0
    return 0
