"""A bot of its own for a replay: assembled by the real wiring in a temporary folder, on a simulated clock."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from bot.durable.work import DurableWork
from bot.errors import BadSettings
from bot.evals.noise import Seen, check, read_stream, read_truth, score
from bot.evals.noise_replay import House, Replay
from bot.evals.stand_ins import Clock, Listener, Register, Timetable
from bot.intake.schedule import Every
from bot.ports import IncidentStore
from bot.settings import load
from bot.storage.one_thread import OneThread
from bot.wiring import build, handlers, jobs, told

FOR_PEOPLE = frozenset({"digest", "remind", "sync_knowledge", "sync_sources"})  # nobody is there to read or acknowledge
MEMORY = Path("/dev/shm")  # noqa: S108  a folder of its own is made in it
QUIET = '[knowledge]\nembedder = "none"\nrunbooks = []\nincidents = []\n'
WHOLE = "[retention]\nalert_days = 36500\n"  # what was decided is counted at the end, so nothing of it is tidied away before


async def run_noise(stream: Path, truth: Path, services: Path, progress: Callable[[str], None]) -> dict[str, object]:
    """The figures of `tocsin eval noise`. Raises BadSettings that names file and line of what is wrong."""
    sent, known = await asyncio.to_thread(read_stream, stream), await asyncio.to_thread(read_truth, truth)
    check(sent, known, stream)
    if not sent:
        raise BadSettings(f"{stream} holds no delivery.")
    progress(f"{len(sent)} deliveries from {sent[0].at:%Y-%m-%d %H:%M} to {sent[-1].at:%Y-%m-%d %H:%M} UTC")
    with assembled(services, sent[0].at) as replay:
        seen: Seen = await replay.run(sent)
    return score(seen, known)


@contextmanager
def assembled(services: Path, start: datetime, seldom: timedelta = timedelta(0)) -> Iterator[Replay]:
    """The real bot for this catalogue in a folder of its own, ready to replay; nothing of this process's settings is used.

    What the clock starts runs no more often than every `seldom`, for replays of many days.
    """
    memory = str(MEMORY) if MEMORY.is_dir() else None  # its database dies with it: no disk has to keep each commit
    with tempfile.TemporaryDirectory(prefix="tocsin-noise-", dir=memory) as name:
        folder = Path(name)
        shutil.copyfile(services, folder / "services.yaml")
        (folder / "tocsin.toml").write_text(QUIET + WHOLE, encoding="utf-8")
        settings = load({"SLACK_BOT_TOKEN": "nobody-listens"}, folder)  # the app wants one; the chat is the listener
        clock = Clock(start)
        work, channel, ids = Timetable(clock), Listener(clock), itertools.count(1)
        bot = build(settings, channel)
        bot.db.close()  # its schema stands; from here on one thread is enough
        database = OneThread(settings.data / "tocsin.db")
        register = Register(bot.desk.incidents)
        desk = replace(
            bot.desk,
            db=database,
            work=work,
            clock=clock,
            new_id=lambda: f"replay-{next(ids):08}",
            incidents=cast(IncidentStore, register),
            quiet=replace(bot.desk.quiet, armed=True),  # what it would do by itself, it does
        )
        done = handlers(desk, DurableWork(clock=lambda: clock().timestamp()), settings)
        rounds: dict[str, timedelta] = {
            job.name: max(job.when.span, seldom)
            for job in jobs(settings)
            if isinstance(job.when, Every) and job.name not in FOR_PEOPLE
        }
        try:
            yield Replay(House(desk, told(), bot.readers, done, rounds), clock, work, channel, register)
        finally:
            database.close()
