"""Memory that was only needed for a while goes back to the system."""

import ctypes
import sys


def give_back() -> None:
    """What is free is given back: glibc keeps what threads freed, a hundred megabytes after a first index. Takes milliseconds."""
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none, and keeps nothing
    if trim is not None:
        trim(0)
