"""How well runbooks are found: `tocsin eval retrieval`, over the product's own search."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.domain.document import Document, DocumentKind, Inquiry, Tier
from bot.errors import BadSettings
from bot.evals.metrics import hit_at, mean, ndcg_at, percentile, reciprocal_rank
from bot.evals.rows import Row, read_rows
from bot.knowledge.chroma import ChromaFolder
from bot.knowledge.index import VectorIndex
from bot.knowledge.library import Library
from bot.ports import Embedder

FIELDS = ("q_full", "q_noname", "q_text")
SHOWN = 3  # a card shows so many
_TEXT = ("title", "summary", "message", "description")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, and the ids of the documents that answer it."""

    inquiry: Inquiry
    relevant: frozenset[str]


def to_stderr(line: str) -> None:
    """Progress for people, out of the way of the JSON."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress of a command goes to stderr


async def run_retrieval(
    docs_path: Path,
    queries_path: Path,
    field: str,
    negatives_path: Path | None,
    embedder: Embedder | None,
    cache_dir: Path,
    progress: Progress = to_stderr,
) -> dict[str, float]:
    """The figures of one field; rates in [0, 1], latencies in milliseconds. Raises BadSettings for unusable files.

    hit@k, mrr and ndcg@10 are of the full ranking of the product's search, tiers included. A document counts as shown if a
    card would show it: among the first three and above "possible match"; a negative is a false hit if anything is shown.
    Latency is that of one warm search, embedding included. `embedder` None measures search by words only. Vectors are kept
    in `cache_dir` by the hash of their text, so that a second run embeds nothing.
    """
    if field not in FIELDS:
        raise BadSettings(f"There is no field {field!r}; choose one of {', '.join(FIELDS)}.")
    documents = [_document(row, number) for number, row in read_rows(docs_path)]
    queries = [_query(row, field, n) for n, row in read_rows(queries_path) if not row.get("text_too_short")]
    negatives = [
        _negative(row, field) for _, row in (read_rows(negatives_path) if negatives_path else ()) if row.get("safe_negative")
    ]
    return await measured(documents, queries, negatives, embedder, cache_dir, progress)


async def measured(
    documents: Sequence[Document],
    queries: Sequence[Query],
    negatives: Sequence[Inquiry],
    embedder: Embedder | None,
    cache_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    """The figures of `run_retrieval` for documents of one kind. Raises BadSettings if the vectors cannot be used."""
    library = Library([lambda: documents], VectorIndex(ChromaFolder(cache_dir), lambda: embedder) if embedder else None)
    try:
        progress(f"{len(documents)} documents, {len(queries)} queries, {len(negatives)} negatives")
        await library.sync(lambda done, todo: progress(f"embedded {done} of {todo}"))
        progress(library.state)
        if embedder is not None and not library.meaning:
            raise BadSettings(f"The vectors cannot be used, so the figures would mislead: {library.state}.")
        return _figures(library, queries, negatives, documents[0].kind if documents else DocumentKind.RUNBOOK)
    finally:
        library.close()


def _figures(library: Library, queries: Sequence[Query], negatives: Sequence[Inquiry], kind: DocumentKind) -> dict[str, float]:
    rankings: list[tuple[list[str], frozenset[str]]] = []
    shown: list[float] = []
    took: list[float] = []
    if queries:
        library.search(queries[0].inquiry, kind)  # the first search warms caches
    for query in queries:
        start = time.perf_counter()
        found = library.search(query.inquiry, kind, SHOWN)
        took.append(1_000 * (time.perf_counter() - start))
        ranking = library.ranking(query.inquiry, kind)
        rankings.append(([document.id for document, _ in ranking], query.relevant))
        shown.append(float(any(f.document.id in query.relevant for f in found.found if f.tier is not Tier.POSSIBLE)))
    false_hits = [float(bool(library.search(n, kind, SHOWN).shown)) for n in negatives]
    return {
        "n": len(queries),
        "hit@1": round(mean([hit_at(r, rel, 1) for r, rel in rankings]), 4),
        "hit@3": round(mean([hit_at(r, rel, 3) for r, rel in rankings]), 4),
        "hit@5": round(mean([hit_at(r, rel, 5) for r, rel in rankings]), 4),
        "mrr": round(mean([reciprocal_rank(r, rel) for r, rel in rankings]), 4),
        "ndcg@10": round(mean([ndcg_at(r, rel, 10) for r, rel in rankings]), 4),
        "recall_shown": round(mean(shown), 4),
        "false_hit_rate": round(mean(false_hits), 4),
        "latency_ms_p50": round(percentile(took, 0.50), 2),
        "latency_ms_p95": round(percentile(took, 0.95), 2),
    }


def text_of(row: Row, key: str) -> str:
    """The text under a key, or "" if there is none."""
    value = row.get(key)
    return value if isinstance(value, str) else ""


def _document(row: Row, number: int) -> Document:
    identity = text_of(row, "doc_id")
    if not identity:
        raise BadSettings(f"Document {number} has no doc_id.")
    path = text_of(row, "path")
    return Document(
        id=identity,
        kind=DocumentKind.RUNBOOK,
        title=text_of(row, "title") or text_of(row, "alert_name") or identity,
        text=text_of(row, "text"),
        path=path,
        alerts=tuple(name for name in [text_of(row, "alert_name")] if name and "/" not in name),
    )


def _query(row: Row, field: str, number: int) -> Query:
    relevant = row.get("relevant")
    if not isinstance(relevant, list) or not relevant:
        raise BadSettings(f"Query {number} has no relevant documents.")
    asked = row.get(field)
    if field == "q_text":
        inquiry = Inquiry(text=asked if isinstance(asked, str) else "")
    else:
        parts = asked if isinstance(asked, dict) else {}
        inquiry = _alert(_strings(parts.get("labels")), _strings(parts.get("annotations")))
    return Query(inquiry, frozenset(str(item) for item in relevant))


def _negative(row: Row, field: str) -> Inquiry:
    """A negative, rendered as the queries are."""
    labels, notes = _strings(row.get("labels")), _strings(row.get("annotations"))
    if field == "q_text":
        return Inquiry(text=" ".join(notes[key] for key in ("summary", "description") if notes.get(key)))
    labels.pop("alertname", None)
    return _alert(labels | ({"alertname": text_of(row, "alert_name")} if field == "q_full" else {}), notes)


def _alert(labels: dict[str, str], notes: dict[str, str]) -> Inquiry:
    return Inquiry(
        name=labels.get("alertname", ""),
        text="\n".join(notes[key] for key in _TEXT if notes.get(key)),
        labels={key: value for key, value in labels.items() if key != "alertname"},
        runbook_url=notes.get("runbook_url", ""),
    )


def _strings(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}
