"""A disk that takes no more: the door says so, keeps nothing by halves, and goes on once there is room."""

import subprocess
import sys
from pathlib import Path

# In a process of its own: the limit on a file's size would hit this one's files too.
STORY = """
import asyncio, os, resource, signal, sys
from datetime import UTC, datetime
from bot.errors import Unavailable
from bot.ports import Delivery
from bot.storage.database import SqlDatabase
from bot.storage.inbox import SqlInboxStore

def room(most):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

async def main(db, store):
    async def keep(n):
        one = Delivery("github", {}, os.urandom(100_000), datetime.now(UTC))
        return await db.keep(lambda tx: store.add(tx, [(one, f"d{n}")]))

    room(2_000_000)
    kept = 0
    try:
        while kept < 100:
            await keep(kept)
            kept += 1
    except Unavailable:
        room(resource.RLIM_INFINITY)
        again = await keep(kept)
        print(0 < kept < 100, again, await db.read(store.waiting) == kept + 1)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
db = SqlDatabase(sys.argv[1])
db.open()
asyncio.run(main(db, SqlInboxStore()))
db.close()
"""


def test_a_full_disk_is_said_as_unavailable_and_what_was_kept_stays(tmp_path: Path) -> None:
    words = [sys.executable, "-c", STORY, f"sqlite:///{tmp_path}/tocsin.db"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2])
    assert done.stdout == "True [True] True\n", done.stderr
