"""The commands of `tocsin`, one file per group: parse, call, print.

Modules that take seconds to import (the bot's wiring, models) are imported inside the command that needs them.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine

Commands = argparse._SubParsersAction  # the type argparse gives has no public name
Run = Callable[[argparse.Namespace], int]


def runs(command: Callable[[argparse.Namespace], Coroutine[None, None, int]]) -> Run:
    """An asynchronous command as one that argparse can call."""
    return lambda args: asyncio.run(command(args))


async def stdin_closes() -> None:
    """Returns once standard input has ended: whoever started this process with a pipe is gone."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass
