"""The folder of one run: what was ordered, whether it began, how it ended. Read by any process, after any crash."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.errors import BadSettings, Unavailable
from bot.ports import Order, Run, RunState
from bot.redact import clean, redact
from connectors.ansible import worker

LAST_LINES, LINE, MOST_OUTPUT = 20, 500, 64_000
ORDER, LOG = "order.json", "worker.log"
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
STATES = {"successful": RunState.SUCCEEDED, "canceled": RunState.CANCELLED}
WORDS = {
    "canceled": "it was cancelled; what ran until then stays",
    "timeout": "it took too long and was killed; what ran until then stays",
}


@dataclass(frozen=True, slots=True)
class Room:
    """Where one key's run lives; `ident` is the key, or stands for it where it is no name of a folder."""

    path: Path
    ident: str

    def state(self) -> RunState:
        """RUNNING also while children of a killed worker go on; FAILED where nobody is left who could end it."""
        if ended := self._ended():
            return STATES.get(str(ended.get("status")), RunState.FAILED)
        if not (self.path / worker.BEGAN).exists():
            return RunState.UNKNOWN
        if self._held() or worker.kin(self.path):
            return RunState.RUNNING
        # it may have ended between the two questions
        return self.state() if (self.path / worker.ENDED).exists() else RunState.FAILED

    def run(self, order: Order) -> Run:
        """What became of the order of this room."""
        state = self.state()
        if state is RunState.UNKNOWN:
            return Run("", state)
        return Run(self.ident, state, order.version, output=self.said())

    def said(self) -> tuple[str, ...]:
        """Its last lines, fit to be shown; how it ended where Ansible itself did not say."""
        ended = self._ended()
        if ended is None and self.state() is RunState.FAILED:
            last = "the run was cut off; what ran until then stays"
        else:
            last = WORDS.get(str((ended or {}).get("status")), "")
        lines = lines_of(self.path / "artifacts" / self.ident / "stdout") or lines_of(self.path / LOG)
        return (*lines, last)[-LAST_LINES:] if last else lines

    def claim(self, order: Order, play: Mapping[str, object]) -> None:
        """The order is on the disk, and how to play it unless it began. Raises BadSettings where the key stands for another."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = {"service": order.service, "environment": order.environment, "version": order.version, "key": order.key}
        new = self._written(told)
        with contextlib.suppress(FileExistsError):  # whoever comes first says what the key stands for
            os.link(new, self.path / ORDER)
        new.unlink()
        if json.loads((self.path / ORDER).read_text()) != told:
            raise BadSettings(f"The key {order.key[:80]} stands for another order already. Nothing was started.")
        if self.state() is RunState.UNKNOWN:
            self._written(play).replace(self.path / worker.PLAY)

    def cancel(self) -> None:
        """The worker is told to stop; where it was killed, what it left behind is ended."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.path / worker.CANCEL).touch(mode=worker.PRIVATE)
        if not self._held() and (self.path / worker.BEGAN).exists():
            worker.stop(self.path)

    def _written(self, told: Mapping[str, object]) -> Path:
        new = self.path / f"new.{secrets.token_hex(8)}"
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, worker.PRIVATE), "w") as file:
            json.dump(told, file)
        return new

    def _ended(self) -> Mapping[str, object] | None:
        try:
            said = json.loads((self.path / worker.ENDED).read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise Unavailable(f"{self.path / worker.ENDED} cannot be read; look at it yourself.") from error
        return said if isinstance(said, dict) else {}

    def _held(self) -> bool:
        """Whether a worker lives."""
        try:
            with (self.path / worker.ALIVE).open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False


def room_of(state: Path, key: str) -> Room:
    """The room of a key; the same for every process that has the same `state` folder."""
    ident = key if PLAIN.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()[:40]
    return Room(state / "runs" / ident, ident)


def sweep(state: Path, days: float) -> None:
    """Runs that ended so long ago are forgotten."""
    oldest = time.time() - days * 86400
    for ended in (state / "runs").glob(f"*/{worker.ENDED}"):
        with contextlib.suppress(FileNotFoundError):
            if ended.stat().st_mtime < oldest:
                shutil.rmtree(ended.parent, ignore_errors=True)


def lines_of(path: Path, most: int = LAST_LINES) -> tuple[str, ...]:
    """The last lines of a file, fit to be shown: redacted, without control characters, cut in length.

    Ansible fills its headings with stars; those are left out.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - MOST_OUTPUT))
            raw = file.read(MOST_OUTPUT)
    except FileNotFoundError:
        return ()
    text = redact(clean(raw.decode(errors="replace")))
    return tuple(line.rstrip(" *")[:LINE] for line in text.splitlines() if line.strip())[-most:]
