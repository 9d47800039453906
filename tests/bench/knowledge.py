"""Runbook search measured: first index, the next one, questions, memory; then 100,000 made-up vectors, embedded and on a server.

Wall time, and the process's CPU time beside it, which a busy machine changes less. Each part runs in a process of its own.
"""

import argparse
import asyncio
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bot.commands.loopback import free_port
from bot.domain.document import Document, DocumentKind, Inquiry
from bot.evals.metrics import percentile
from bot.evals.rows import read_rows
from bot.knowledge.chroma import ChromaFolder, ChromaServer, VectorStore
from bot.knowledge.embedder import DEFAULT, Backend, open_embedder
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.knowledge.pieces import Part, Piece
from bot.knowledge.search import NEAREST
from tests.bench.room import rss, say

RUNBOOK = DocumentKind.RUNBOOK
MANY = 100_000
AUDIENCES = 20  # besides everybody, each of which sees a hundredth of all
PARTS = {Part.SECTION: 8, Part.HEAD: 1, Part.TITLE: 1}  # of ten pieces


class Stopwatch:
    """Seconds and seconds of CPU since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self, name: str) -> dict[str, float]:
        return {f"{name}_s": round(time.perf_counter() - self.wall, 2), f"{name}_cpu_s": round(time.process_time() - self.cpu, 2)}


def asked(name: str, ask: Callable[[int], object], times: int) -> dict[str, float]:
    """Milliseconds of so many questions, one after the other: by the clock, and of the process's CPU; the load they ran at."""
    took, spent = [], []
    for n in range(times):
        began, cpu = time.perf_counter(), time.process_time()
        ask(n)
        took.append(1_000 * (time.perf_counter() - began))
        spent.append(1_000 * (time.process_time() - cpu))
    return {
        f"{name}_p50_ms": round(percentile(took, 0.50), 1),
        f"{name}_p95_ms": round(percentile(took, 0.95), 1),
        f"{name}_cpu_p50_ms": round(percentile(spent, 0.50), 1),
        f"{name}_cpu_p95_ms": round(percentile(spent, 0.95), 1),
        f"{name}_load": round(os.getloadavg()[0], 1),
    }


async def corpus(file: Path, folder: Path, backend: Backend) -> dict[str, object]:
    """The corpus indexed for the first time, or at a start with its vectors there; asked; ten documents touched."""
    rows = [row for _, row in read_rows(file)]
    documents = [
        Document(id=str(r["doc_id"]), kind=RUNBOOK, title=str(r.get("title")), text=str(r.get("text")), path=str(r.get("path")))
        for r in rows
    ]
    shelf = Library([lambda: documents], VectorIndex(ChromaFolder(folder), partial(open_embedder, DEFAULT, backend)))
    watch = Stopwatch()
    await shelf.sync(lambda done, of: say(f"embedded {done} of {of}"))
    found: dict[str, object] = {"documents": len(documents), "backend": backend.value, **watch.read("index")}
    questions = [Inquiry(text=d.text[200:400]) for d in documents[::4]]
    shelf.search(Inquiry(text="a first question warms up"), RUNBOOK)
    found |= asked("search", lambda n: shelf.search(questions[n], RUNBOOK), len(questions))
    found["rss_mib"] = rss(os.getpid())
    watch = Stopwatch()
    await shelf.sync()
    found |= watch.read("unchanged")
    for n in range(0, len(documents), max(1, len(documents) // 10)):
        documents[n] = replace(documents[n], text=f"{documents[n].text}\n\nTouched at {time.time()}.")
    watch = Stopwatch()
    await shelf.sync()
    found |= watch.read("ten_touched")
    shelf.close()
    return found


class Hashed:
    """Vectors by the hash of a text, around one of a thousand centres: as many as anybody wants, at once."""

    name, digest, dimensions, at_once = "hashed", "0" * 64, 384, 1

    def __init__(self) -> None:
        self._centres = np.random.default_rng(0).standard_normal((1_000, self.dimensions))

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One unit vector per text."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) for text in texts]
        made = np.stack([self._centres[s % 1_000] + np.random.default_rng(s).standard_normal(self.dimensions) for s in seeds])
        unit: list[list[float]] = (made / np.linalg.norm(made, axis=1, keepdims=True)).tolist()
        return unit


def made_up(count: int) -> list[Piece]:
    """So many pieces; of every hundred each audience sees one, everybody the rest."""
    parts = [part for part, share in PARTS.items() for _ in range(share)]
    text = "words of a runbook's section, which are as long as those of a short one usually are "
    return [
        Piece(f"d{n // 10}", parts[n % 10], n % 10, f"{text}{n}", f"{n // 10 % 100:012x}" if n // 10 % 100 < AUDIENCES else "")
        for n in range(count)
    ]


def many(store: VectorStore, count: int) -> dict[str, object]:
    """So many vectors made, found, and found by those who may see some more."""
    pieces = made_up(count)
    index = VectorIndex(store, Hashed)
    index.open()
    watch = Stopwatch()
    index.sync(RUNBOOK, pieces, lambda done, of: say(f"{done} of {of}") if done % 6_400 == 0 else None)
    found: dict[str, object] = {"store": type(store).__name__, "vectors": count, **watch.read("insert")}
    index.close()
    index = VectorIndex(store, Hashed)
    index.open()
    watch = Stopwatch()
    index.sync(RUNBOOK, pieces)
    found |= watch.read("start")
    watch = Stopwatch()
    index.sync(RUNBOOK, pieces)
    found |= watch.read("unchanged")
    for name, audiences in (("everybody", [""]), ("three_audiences", ["", f"{1:012x}", f"{2:012x}"])):
        index.nearest(RUNBOOK, "a first question warms up", NEAREST, audiences)
        found |= asked(name, partial(_nearest, index, audiences, name), 200)
    found["rss_mib"] = rss(os.getpid())
    index.close()
    return found


def _nearest(index: VectorIndex, audiences: Sequence[str], name: str, n: int) -> None:
    index.nearest(RUNBOOK, f"{name} asks question {n}", NEAREST, audiences)


def filtered(folder: Path, count: int) -> dict[str, object]:
    """The same vectors in one collection with the audience as metadata, for comparison: what a filter costs there."""
    collection = ChromaFolder(folder).open().create_collection("one", embedding_function=None, metadata={"hnsw:space": "cosine"})
    pieces, model = made_up(count), Hashed()
    for start in range(0, count, 1_000):
        some = pieces[start : start + 1_000]
        vectors = np.asarray(model.embed([p.text for p in some]), dtype=np.float32)
        collection.add(ids=[p.key for p in some], embeddings=vectors, metadatas=[{"audience": p.audience or "all"} for p in some])
    questions = np.asarray(model.embed([f"question {n}" for n in range(100)]), dtype=np.float32)
    found: dict[str, object] = {"store": "one collection, filtered", "vectors": count}
    three = {"audience": {"$in": ["all", f"{1:012x}", f"{2:012x}"]}}
    for name, where in (("no_filter", None), ("equal_1_percent", {"audience": f"{1:012x}"}), ("in_82_percent", three)):
        ask = partial(collection.query, n_results=NEAREST, where=where, include=["distances"])  # type: ignore[arg-type]  # mypy wants its exact filter type
        found |= asked(name, lambda n, ask=ask: ask(query_embeddings=questions[n : n + 1]), 100)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    return found


async def knowledge(file: Path | None, count: int) -> list[object]:
    """Everything, each part in its own process."""
    found: list[object] = []
    with tempfile.TemporaryDirectory() as folder:
        if file is not None:
            for part, backend in (("first", "onnx"), ("onnx", "onnx"), ("torch", "torch")):
                say(f"corpus: {part}")
                found.append(await _apart("corpus", "--corpus", str(file), "--folder", f"{folder}/corpus", "--backend", backend))
        for part in ("embedded", "server", "filtered"):
            say(f"{count} vectors: {part}")
            found.append(await _apart(part, "--folder", f"{folder}/{part}", "--count", str(count)))
    return found


async def _apart(*words: str) -> object:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.knowledge", *words, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return json.loads(out.decode().splitlines()[-1])


def main() -> None:
    """One part, as one JSON object."""
    from tests.knowledge.test_chroma_server import a_server  # pytest is not needed for the other parts

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["corpus", "embedded", "server", "filtered"])
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--backend", type=Backend, default=Backend.AUTO)
    parser.add_argument("--count", type=int, default=MANY)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if args.part == "corpus":
            result = asyncio.run(corpus(args.corpus, args.folder, args.backend))
        elif args.part == "embedded":
            result = many(ChromaFolder(args.folder), args.count)
        elif args.part == "filtered":
            result = filtered(args.folder, args.count)
        else:
            port = free_port()
            stack.enter_context(a_server(args.folder, port))
            result = many(ChromaServer(f"http://127.0.0.1:{port}"), args.count)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
