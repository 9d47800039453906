"""The port for spans, as `tocsin serve` opens it: a process of its own that counts, and who keeps what it counted."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from bot.errors import BadSettings, Unavailable

if TYPE_CHECKING:
    from bot.intake.selfcheck import Probe
    from bot.settings import Settings
    from bot.wiring import Bot


def senders_token(settings: "Settings") -> str:
    """What proves that somebody may send spans; "" where everybody may. Raises BadSettings."""
    own = settings.topology
    token = own.otlp_token.get_secret_value() if own.otlp_token else ""
    if not token and not own.otlp_allow_anonymous:
        raise BadSettings(
            "[topology] otlp_port is set, but not who may send spans: set TOCSIN_TOPOLOGY_OTLP_TOKEN, "
            "or otlp_allow_anonymous = true where nobody else reaches the port."
        )
    return token


async def open_span_door(bot: "Bot", end: contextlib.AsyncExitStack, tasks: list["asyncio.Task[None]"]) -> "Probe":
    """The port for spans is open: a process of its own counts, what it counted is kept here. Raises BadSettings."""
    from bot.door.keeper import Keeper  # slow: only a bot that receives spans pays for it
    from bot.door.orders import SpanOrders
    from bot.door.server import listen
    from bot.flows.mapping.minutes import MinuteKeeper

    settings, own = bot.settings, bot.settings.topology
    listener = end.enter_context(listen(own.otlp_host or settings.host, own.otlp_port, "TOCSIN_TOPOLOGY_OTLP_PORT"))
    minutes = MinuteKeeper(bot.desk)
    keeper = Keeper(listener, SpanOrders(senders_token(settings), settings.log_level), minutes.heard, "bot.door.spans")
    keeping = asyncio.create_task(keeper.run(), name="spans")
    writing = asyncio.create_task(minutes.run(), name="counted spans")

    async def close() -> None:
        await keeper.stop()
        await keeping  # it has told all that it counted
        with contextlib.suppress(Unavailable):
            await minutes.write()
        writing.cancel()

    end.push_async_callback(close)
    tasks += [keeping, writing]

    async def trouble() -> str:
        return keeper.trouble()

    return trouble
