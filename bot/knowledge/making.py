"""Vectors are made: in threads that give way, short texts first, and by one replica at a time."""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from bot.knowledge.shelf import Place, Shelf
from bot.ports import Embedder

Progress = Callable[[int, int], None]
Todo = list[tuple[Place, str, str]]  # where, the key, the text
Wanted = Mapping[Place, Mapping[str, str]]  # for each place the texts by their keys

BATCH = 8  # texts embedded at once: a question never waits longer than for one batch
WRITE = 64  # vectors written at once
WAIT = 2.0  # seconds between two looks whether another replica is done


class Turn:
    """Whose turn it is to embed, among the replicas that share a store. This one is for those who share none."""

    shared = False

    def take(self) -> bool:
        """It is ours, for the next minute."""
        return True

    def end(self) -> None:
        """It is somebody else's."""


class Maker:
    """Makes what is missing on a shelf."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.writing = threading.Lock()  # held while vectors are written

    def make(
        self,
        shelf: Shelf,
        embedder: Embedder,
        wanted: Wanted,
        todo: Todo,
        progress: Progress | None,
        stopped: Callable[[], bool],
    ) -> int:
        """Embeds what is missing while it is our turn, else waits until another replica has done it; how many we did."""
        done, ours = 0, not self._turn.shared
        total = len(todo)
        workers = max(1, min(embedder.at_once, os.cpu_count() or 1))
        with ThreadPoolExecutor(workers, thread_name_prefix="embed", initializer=_politely) as pool:
            while todo and not stopped():
                if not self._turn.take():
                    ours = False
                    time.sleep(WAIT)
                elif not ours:  # what the one before us made is there
                    ours = True
                else:
                    part, todo = todo[:WRITE], todo[WRITE:]
                    done += self._some(shelf, embedder, part, pool, stopped)
                    if progress is not None:
                        progress(total - len(todo), total)
                    continue
                shelf.fresh()
                todo = missing(shelf, wanted)
        if ours:
            self._turn.end()
        return done

    def _some(self, shelf: Shelf, embedder: Embedder, items: Todo, pool: ThreadPoolExecutor, stopped: Callable[[], bool]) -> int:
        def embed(batch: Todo) -> list[list[float]]:
            if stopped():
                return []
            time.sleep(0.001)  # let a waiting question have the model
            return embedder.embed([text for _, _, text in batch])

        batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
        done: Todo = []
        made: list[list[float]] = []
        for batch, vectors in zip(batches, pool.map(embed, batches), strict=True):
            if vectors:
                done += batch
                made += vectors
        self.write(shelf, done, made)
        return len(done)

    def write(self, shelf: Shelf, items: Todo, vectors: Sequence[Sequence[float]]) -> None:
        """These vectors stand where they belong."""
        by_place: dict[Place, dict[str, Sequence[float]]] = {}
        for (place, key, _), vector in zip(items, vectors, strict=True):
            by_place.setdefault(place, {})[key] = vector
        with self.writing:
            for place, mine in by_place.items():
                shelf.put(place, mine)


def missing(shelf: Shelf, wanted: Wanted) -> Todo:
    """What has no vector yet, short texts first: texts of like length share a batch, which needs less padding."""
    todo = [(place, key, text) for place, texts in wanted.items() for key, text in texts.items() if key not in shelf.keys(place)]
    return sorted(todo, key=lambda item: len(item[2]))


def _politely() -> None:
    """This thread gives way to those that answer people."""
    if sys.platform == "linux":  # elsewhere it would be the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
