"""A port that is given away stays its owner's until somebody listens at it."""

import socket

import pytest

from bot.commands.loopback import HOLDS, free_port, refuse_busy
from bot.errors import BadSettings


def any_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@pytest.mark.skipif(not HOLDS, reason="only Linux lets a server listen at a port that is held")
def test_the_kernel_gives_a_held_port_to_nobody_else() -> None:
    held = {free_port() for _ in range(50)}
    others = {any_port() for _ in range(20_000)}  # about the whole range, with the ports that are merely free coming again
    assert len(others) > 5_000
    assert not held & others


def test_whoever_names_the_port_listens_there_again_and_again() -> None:
    port = free_port()
    for _ in range(3):
        refuse_busy(port)
        with socket.create_server(("127.0.0.1", port)):
            with pytest.raises(BadSettings, match=f"Port {port} is in use"):
                refuse_busy(port)
            socket.create_connection(("127.0.0.1", port)).close()
