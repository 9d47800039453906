"""What each part of the search is worth: `python -m tests.evals.ablation --docs F --queries F --cache DIR`, not a test.

One part is left out at a time and everything else stays as it is; nothing is fitted anew. Vectors are kept in DIR, so that a
second run embeds nothing. A Markdown table goes to stdout.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from bot.domain.document import Document, DocumentKind, Inquiry
from bot.evals.metrics import hit_at, mean, reciprocal_rank
from bot.evals.retrieval import FIELDS, Query, _document, _query
from bot.evals.rows import read_rows
from bot.knowledge import likeness
from bot.knowledge.chroma import ChromaFolder
from bot.knowledge.embedder import DEFAULT, open_embedder
from bot.knowledge.index import VectorIndex
from bot.knowledge.pieces import pieces
from bot.knowledge.query import shape
from bot.knowledge.search import NEAREST, Corpus, Vectors
from bot.ports import Embedder

KIND = DocumentKind.RUNBOOK
LEFT_OUT: Mapping[str, Sequence[str]] = {
    "everything": (),
    "without pairs of neighbouring words": ("pairs",),
    "without the share of a name": ("name",),
    "without runs of letters": ("letters",),
    "without words": ("words",),
    "without vectors": ("section", "head"),
    "without words of labels": ("labels",),
    "without folders that a label names": ("folder",),
    "without pairs, names, letters, labels, folders": ("pairs", "name", "letters", "labels", "folder"),
}


@contextmanager
def without(parts: Sequence[str]) -> Iterator[None]:
    """Inside, these parts add nothing."""
    shares = {key: {p: 0.0 if p in parts else s for p, s in mine.items()} for key, mine in likeness.SHARES.items()}
    folder = 0.0 if "folder" in parts else likeness.FOLDER
    with patch.object(likeness, "SHARES", shares), patch.object(likeness, "FOLDER", folder):
        yield


def figures(corpus: Corpus, queries: Sequence[tuple[Query, Vectors | None]]) -> str:
    """hit@1, hit@3 and MRR."""
    ranked = [([corpus.documents[r.number].id for r in corpus.rank(q.inquiry, v)], q.relevant) for q, v in queries]
    found = [mean([hit_at(r, rel, k) for r, rel in ranked]) for k in (1, 3)]
    return " / ".join(f"{x:.3f}" for x in (*found, mean([reciprocal_rank(r, rel) for r, rel in ranked])))


def unshaped(query: Query) -> Query:
    """The same with label values, numbers and all left in the text."""
    said = " ".join((query.inquiry.text, *query.inquiry.labels.values()))
    return Query(Inquiry(name=query.inquiry.name, text=said), query.relevant)


def table(documents: Sequence[Document], queries: Mapping[str, Sequence[Query]], index: VectorIndex) -> Iterator[str]:
    """The lines of the table. Raises Unavailable."""
    corpus = Corpus(KIND, documents)

    def with_vectors(asked: Sequence[Query]) -> list[tuple[Query, Vectors | None]]:
        return [(q, index.nearest(KIND, s, NEAREST) if (s := shape(q.inquiry).sentence) else None) for q in asked]

    ready = {field: with_vectors(asked) for field, asked in queries.items()}
    yield f"| hit@1 / hit@3 / MRR | {' | '.join(queries)} |"
    yield "|---" * (1 + len(queries)) + "|"
    for name, parts in LEFT_OUT.items():
        with without(parts):
            yield f"| {name} | {' | '.join(figures(corpus, asked) for asked in ready.values())} |"
    words = {field: [(q, None) for q, _ in asked] for field, asked in ready.items()}
    yield f"| by words only, its own shares | {' | '.join(figures(corpus, asked) for asked in words.values())} |"
    raw = {field: with_vectors([unshaped(q) for q in asked]) for field, asked in queries.items()}
    yield f"| without shaping by labels | {' | '.join(figures(corpus, asked) for asked in raw.values())} |"


async def main(argv: Sequence[str], embedder: Embedder | None = None) -> None:
    """Read, embed what is new, print."""
    parser = argparse.ArgumentParser()
    for name in ("--docs", "--queries", "--cache"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args(argv)
    documents = [_document(row, n) for n, row in read_rows(args.docs)]
    rows = [(n, row) for n, row in read_rows(args.queries) if not row.get("text_too_short")]
    queries = {field: [_query(row, field, n) for n, row in rows] for field in FIELDS}
    index = VectorIndex(ChromaFolder(args.cache), lambda: embedder or open_embedder(DEFAULT))
    try:
        index.open()
        index.sync(KIND, (p for d in documents for p in pieces(d)))
        for line in table(documents, queries, index):
            print(line, flush=True)
    finally:
        index.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
