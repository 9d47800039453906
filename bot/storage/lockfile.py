"""A lock file that keeps a second process away, and is free again the moment its holder dies."""

import fcntl
import os
from pathlib import Path

from bot.errors import BadSettings


class Lockfile:
    """An exclusive lock of the kernel's on a file that holds the process id of who has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> None:
        """Hold it until `release` or the end of the process. Raises BadSettings naming the process that has it."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 32).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise BadSettings(
                f"Another Tocsin (process {holder}) already uses {self._path.with_suffix('')}. "
                "Stop it, or give this one another folder with TOCSIN_DATA_DIR."
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """Let others in; the file stays, since removing it would race with the next holder."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
