"""How well past incidents are found: `tocsin eval incidents`, over the product's own search."""

from pathlib import Path

from bot.domain.document import Document, DocumentKind, Inquiry
from bot.errors import BadSettings
from bot.evals.retrieval import Progress, Query, measured, text_of, to_stderr
from bot.evals.rows import Row, read_rows
from bot.ports import Embedder


async def run_incidents(
    docs_path: Path, queries_path: Path, embedder: Embedder | None, cache_dir: Path, progress: Progress = to_stderr
) -> dict[str, float]:
    """The figures of `run_retrieval` over reports of past incidents; there are no negatives, so no false hits.

    Of a report only title and body are searched: a `summary` is not, because a query may repeat it. `queries_path` has one
    description an incident (`query`, `relevant`). Raises BadSettings for unusable files.
    """
    documents = [_document(row, number) for number, row in read_rows(docs_path)]
    queries = [_query(row, number) for number, row in read_rows(queries_path)]
    return await measured(documents, queries, (), embedder, cache_dir, progress)


def _document(row: Row, number: int) -> Document:
    identity = text_of(row, "id")
    if not identity:
        raise BadSettings(f"Incident {number} has no id.")
    return Document(id=identity, kind=DocumentKind.INCIDENT, title=text_of(row, "title"), text=text_of(row, "body"))


def _query(row: Row, number: int) -> Query:
    relevant = row.get("relevant")
    if not isinstance(relevant, list) or not relevant:
        raise BadSettings(f"Query {number} has no relevant incidents.")
    return Query(Inquiry(text=text_of(row, "query")), frozenset(str(item) for item in relevant))
