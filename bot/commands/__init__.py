"""The commands of `tocsin`, one file per group: parse, call, print.

Modules that take seconds to import (the bot's wiring, models) are imported inside the command that needs them.
"""

import argparse
import asyncio
from collections.abc import Callable, Coroutine

Commands = argparse._SubParsersAction  # the type argparse gives has no public name
Run = Callable[[argparse.Namespace], int]


def runs(command: Callable[[argparse.Namespace], Coroutine[None, None, int]]) -> Run:
    """An asynchronous command as one that argparse can call."""
    return lambda args: asyncio.run(command(args))
