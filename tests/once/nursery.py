"""One process that has imported the bot and forks a process for each that is wanted: a start takes milliseconds.

    python -m tests.once.nursery

It reads orders as JSON lines and says what became of them: {"fork": {...}} -> {"born": pid, "name": ...}; a child says
{"up": pid, "port": ...} itself; {"ended": pid, "status": ..., "cpu": seconds}
follows when it is gone, however it ended.
"""

import gc
import json
import os
import random
import select
import signal
import sys
import traceback
from typing import Any

from tests.once import living

out = 1
living_now: set[int] = set()


def say(**words: Any) -> None:
    """One line, whole, whoever else speaks."""
    os.write(out, (json.dumps(words) + "\n").encode())


def fork(wanted: dict[str, Any]) -> None:
    """A child of this name lives."""
    told, telling = os.pipe()
    pid = os.fork()
    if pid:
        living_now.add(pid)
        say(born=pid, name=wanted["name"])
        os.close(telling)
        os.close(told)
        return
    status = 70
    try:
        os.close(telling)
        os.read(told, 1)  # until its birth was told: what it says itself comes after that
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        random.seed()
        status = living.live(wanted, say)
    except BaseException:  # noqa: BLE001  a child must not go on as if it were the nursery
        traceback.print_exc()
    finally:
        os._exit(status)


def reap() -> None:
    """Tell of every child that is gone."""
    while True:
        try:
            pid, status, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        living_now.discard(pid)
        say(ended=pid, status=os.waitstatus_to_exitcode(status), cpu=used.ru_utime + used.ru_stime)


def main() -> None:
    """Until stdin closes or SIGTERM; then every child that is left is killed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        _serve()
    finally:
        for pid in living_now:
            os.kill(pid, signal.SIGKILL)


def _serve() -> None:
    global out
    out = os.dup(1)  # ours; what a child prints goes into its log
    living.prepare()
    gc.collect()
    gc.freeze()  # what is there stays shared with the children
    say(ready=True)
    rest = b""
    while True:
        readable, _, _ = select.select([0], [], [], 0.02)
        reap()
        if not readable:
            continue
        heard = os.read(0, 1 << 16)
        if not heard:
            return
        *lines, rest = (rest + heard).split(b"\n")
        for line in lines:
            fork(json.loads(line)["fork"])


if __name__ == "__main__":
    main()
