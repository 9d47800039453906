"""What was freed goes back to the system."""

import sys
from pathlib import Path

import pytest

from bot.knowledge.memory import give_back


def resident() -> int:
    """MiB of this process."""
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1024


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps it")
def test_what_is_free_is_given_back() -> None:
    kept = [bytes(60_000) + b"x" for _ in range(2_000)]  # too small for mappings of their own
    last = bytes(60_000) + b"y"  # lies behind them: without help the heap cannot shrink
    full = resident()
    kept.clear()
    give_back()
    assert resident() < full - 80
    assert last[-1:] == b"y"
