"""Runs one playbook for one key, in a session of its own, and leaves behind what became of it. It knows nothing of the bot.

A file by itself: any Python that has ansible-runner runs it, and it outlives the bot that started it. However many are started
for a key, one plays: the first holds the lock ALIVE, and BEGAN is made once and never removed.
"""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import IO, Any

ALIVE, BEGAN, CANCEL, ENDED, PLAY = "alive", "began", "cancel", "ended.json", "play.json"
MARK = "TOCSIN_ANSIBLE_ROOM"  # in the environment of everything that belongs to a run
PRIVATE = 0o600
ASKED_AGAIN = 40  # times, for two seconds
SECRETIVE = ("job_events", "fact_cache", "command")  # results and environments of a run that has ended are nobody's business


def main(room: Path) -> int:
    """Play what PLAY says, unless somebody did or does. 0 also where there was nothing to do."""
    os.umask(0o077)
    with (room / ALIVE).open("w") as held:
        if not _first(held):
            return 0
        if (room / BEGAN).exists() or (room / ENDED).exists():
            _forget(room)
            return 0
        import ansible_runner  # slow; and where it is missing nothing must look begun

        if (room / CANCEL).exists():
            end: dict[str, object] = {"status": "canceled", "code": -1}
        else:
            play = json.loads((room / PLAY).read_text())
            os.close(os.open(room / BEGAN, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
            _sync(room)
            end = _play(ansible_runner, room, play)
        _write(room / ENDED, end)
        _forget(room)
    return 0


def _first(held: IO[str]) -> bool:
    """Whether nobody else plays; who merely asks holds the lock for a moment too."""
    for _ in range(ASKED_AGAIN):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.05)
    return False


def _play(ansible_runner: Any, room: Path, play: dict[str, Any]) -> dict[str, object]:
    result = ansible_runner.run(
        private_data_dir=str(room),
        project_dir=play["project"],
        ident=play["ident"],
        playbook=play["playbook"],
        inventory=play["inventory"],
        limit=play["limit"] or None,
        cmdline=shlex.join(play["options"]) or None,
        extravars=play["vars"],
        settings={"job_timeout": play["seconds"], "pexpect_timeout": 0.5, "suppress_ansible_output": True},
        cancel_callback=(room / CANCEL).exists,
        quiet=True,
    )
    if result.status in ("canceled", "timeout"):
        stop(room)
    return {"status": result.status, "code": result.rc}


def kin(room: Path) -> list[int]:
    """The processes that belong to a run, this one left out; none where the system has no /proc."""
    wanted, found = f"{MARK}={room}".encode(), []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(place.name) != os.getpid() and wanted in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return found


def stop(room: Path, rounds: int = 20) -> None:
    """End everything that belongs to a run. Ansible's own children have sessions of their own and do not die with it."""
    for _ in range(rounds):
        left = kin(room)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            return
        time.sleep(0.05)


def _forget(room: Path) -> None:
    (room / PLAY).unlink(missing_ok=True)
    shutil.rmtree(room / "env", ignore_errors=True)
    for place in (place for name in SECRETIVE for place in room.glob(f"artifacts/*/{name}")):
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)


def _write(path: Path, said: dict[str, object]) -> None:
    new = path.with_suffix(f".{os.getpid()}")
    with new.open("w") as file:
        json.dump(said, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """What was made in this folder is there after a loss of power too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
