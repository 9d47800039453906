"""Ports of 127.0.0.1 that a command gives to the processes that it starts."""

import socket
import sys

from bot.errors import BadSettings

HOLDS = sys.platform.startswith("linux")
_HELD: list[socket.socket] = []


def free_port() -> int:
    """A port of 127.0.0.1 to give away; where the system is Linux, this process's until it ends.

    A socket that does not listen holds it: Linux gives it to nobody who asks for any port, and lets those listen who name it
    (with SO_REUSEADDR, as servers do). Elsewhere it was free a moment ago, and may be somebody else's soon.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port = int(holder.getsockname()[1])
    if HOLDS:
        _HELD.append(holder)
    else:
        holder.close()
    return port


def refuse_busy(port: int) -> None:
    """Raise BadSettings if somebody has the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise BadSettings(f"Port {port} is in use. Choose another: `tocsin demo --port {port + 1}`.") from None
