"""How often alerts without a runbook are shown one, held out; not a test.

`python -m tests.evals.held_out --docs F --queries F --negatives F --cache DIR`. Sureness is fitted anew on four of five folds
of `q_noname` and `q_text` and judged on `q_noname` of the fifth; the ranking stays as it is. Alerts that share a page stand in
one fold, and so do alerts without one that share a rule family. Vectors are kept in DIR, so that a second run embeds only what
is new.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.domain.document import DocumentKind
from bot.evals.retrieval import _document, _negative, _query, text_of
from bot.evals.rows import Row, read_rows
from bot.knowledge.chroma import ChromaFolder
from bot.knowledge.confidence import FIRST, judge
from bot.knowledge.embedder import DEFAULT, open_embedder
from bot.knowledge.index import VectorIndex
from bot.knowledge.pieces import pieces
from bot.knowledge.query import shape
from bot.knowledge.search import NEAREST, Corpus
from bot.ports import Embedder

Numbers = NDArray[np.float64]
KIND = DocumentKind.RUNBOOK
FITTED, JUDGED = ("q_noname", "q_text"), "q_noname"
FOLDS = 5
PRIOR = 0.1  # the logistic's C
STEPS = 12  # of Newton's method
SHOWN = 0.88  # of the alerts that have a runbook


@dataclass(frozen=True, slots=True)
class Asked:
    """Alerts of one field: figures of their first three pages, what is added unfitted, and whether one of these is right."""

    figures: Numbers  # alert, page, figure
    added: Numbers  # alert, page
    right: NDArray[np.bool_]
    groups: Sequence[str]


def asked(rows: Sequence[Row], field: str, corpus: Corpus, index: VectorIndex, *, negative: bool) -> Asked:
    """What the product's own search makes of these alerts. Raises Unavailable."""
    names = list(judge(KIND, by_meaning=True).weights)
    figures, added, right = [], [], []
    for number, row in enumerate(rows):
        query = None if negative else _query(row, field, number)
        inquiry = query.inquiry if query else _negative(row, field)
        weighed = corpus._weigh(inquiry, index.nearest(KIND, shape(inquiry).sentence, NEAREST))
        first = np.argsort(-np.sum(list(weighed.parts.values()), axis=0), kind="stable")[:FIRST]
        figures.append(np.stack([weighed.odds[name][first] for name in names], axis=1))
        added.append(sum(odds[first] for name, odds in weighed.odds.items() if name not in (*names, "start")))
        right.append(query is not None and any(corpus.documents[n].id in query.relevant for n in first))
    groups = [text_of(row, "rule_source") for row in rows] if negative else connected(rows)
    return Asked(np.array(figures), np.array(added), np.array(right), groups)


def connected(rows: Sequence[Row]) -> list[str]:
    """A name for each alert, the same for those that share a page, directly or by others."""
    name: dict[str, str] = {}
    pages = [[str(page) for page in found] if isinstance(found := row.get("relevant"), list) else [] for row in rows]
    for mine in pages:
        merged = {name.get(page, page) for page in mine}
        name |= {page: min(merged) for page in (*mine, *(p for p, n in name.items() if n in merged))}
    return [name[mine[0]] for mine in pages]


def fold(groups: Sequence[str], rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each, by groups drawn at random."""
    names = sorted(set(groups))
    drawn = dict(zip(names, rng.permutation(len(names)) % FOLDS, strict=True))
    return np.array([drawn[group] for group in groups])


def draw(with_page: Mapping[str, Asked], without: Mapping[str, Asked], seed: int) -> list[float]:
    """Of one draw: false hits where `SHOWN` are shown; shown and false hits at the product's threshold, and at the others'."""
    rng = np.random.default_rng(seed)
    mine, other = with_page[JUDGED], without[JUDGED]
    folds, strange = fold(mine.groups, rng), fold(other.groups, rng)
    judged = judge(KIND, by_meaning=True)
    rivals, product = judged.rivals, float(np.log(judged.shown / (1 - judged.shown)))
    odds, odd = np.zeros(len(folds)), np.zeros(len(strange))
    shown, hits = np.zeros(2), np.zeros(2)
    for k in range(FOLDS):
        good = [with_page[f].figures[(folds != k) & with_page[f].right][:, 0] for f in FITTED]
        bad = [without[f].figures[strange != k][:, 0] for f in FITTED]
        x, y = np.concatenate(good + bad), np.repeat([1, 0], [sum(map(len, good)), sum(map(len, bad))])
        middle, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
        weights, start = logistic((x - middle) / spread, y)
        now, then = (
            (1 - rivals) * z[:, 0] + rivals * z.max(axis=1)
            for a in (mine, other)
            for z in [(a.figures - middle) / spread @ weights + start + a.added]
        )
        odds[folds == k], odd[strange == k] = now[folds == k], then[strange == k]
        for which, least in enumerate((product, threshold(now[folds != k], mine.right[folds != k]))):
            shown[which] += ((now >= least) & mine.right)[folds == k].sum()
            hits[which] += (then >= least)[strange == k].sum()
    at = float((odd >= threshold(odds, mine.right)).mean())
    return [at, *(float(n) for pair in zip(shown / len(folds), hits / len(strange), strict=True) for n in pair)]


def logistic(x: Numbers, y: NDArray[np.int64]) -> tuple[Numbers, float]:
    """Weights and start of a logistic whose classes count the same, with a normal prior on the weights (Newton's method)."""
    ones = np.column_stack([x, np.ones(len(x))])
    prior = np.diag([*np.ones(x.shape[1]), 0.0])
    counts = PRIOR * np.where(y == 1, len(y) / (2 * y.sum()), len(y) / (2 * (1 - y).sum()))
    found = np.zeros(ones.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-ones @ found))
        slope = ones.T @ (counts * (chance - y)) + prior @ found
        found -= np.linalg.solve((ones.T * (counts * chance * (1 - chance))) @ ones + prior, slope)
    return found[:-1], float(found[-1])


def threshold(odds: Numbers, right: NDArray[np.bool_]) -> float:
    """The highest at which `SHOWN` of all are shown rightly; minus infinity if so many never are."""
    found, wanted = np.sort(odds[right])[::-1], int(np.ceil(SHOWN * len(odds)))
    return float(found[wanted - 1]) if wanted <= len(found) else -np.inf


def main(argv: Sequence[str], embedder: Embedder | None = None) -> None:
    """Read, embed what is new, print."""
    parser = argparse.ArgumentParser()
    for name in ("--docs", "--queries", "--negatives", "--cache"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20)
    args = parser.parse_args(argv)
    documents = [_document(row, n) for n, row in read_rows(args.docs)]
    queries = [row for _, row in read_rows(args.queries) if not row.get("text_too_short")]
    negatives = [row for _, row in read_rows(args.negatives) if row.get("safe_negative")]
    index, corpus = VectorIndex(ChromaFolder(args.cache), lambda: embedder or open_embedder(DEFAULT)), Corpus(KIND, documents)
    try:
        index.open()
        index.sync(KIND, (p for d in documents for p in pieces(d)))
        with_page = {f: asked(queries, f, corpus, index, negative=False) for f in FITTED}
        without = {f: asked(negatives, f, corpus, index, negative=True) for f in FITTED}
    finally:
        index.close()
    found = np.array([draw(with_page, without, seed) for seed in range(args.draws)])
    middle, spread = found.mean(axis=0), found.std(axis=0)
    print(f"false hits where {SHOWN} are shown: {middle[0]:.3f} ({spread[0]:.3f} between draws)")
    for place, whose in ((1, "the product"), (3, "the other folds")):
        shown, hits = middle[place : place + 2]
        print(f"at the threshold of {whose}: shown {shown:.3f}, false hits {hits:.3f} ({spread[place + 1]:.3f} between draws)")


if __name__ == "__main__":
    main(sys.argv[1:])
