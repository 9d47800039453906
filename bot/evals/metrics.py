"""Figures of merit; pure."""

import math
from collections.abc import Collection, Sequence


def hit_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """1.0 if one of the first `k` is relevant, else 0.0."""
    return float(any(item in relevant for item in ranked[:k]))


def reciprocal_rank(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """One over the place of the first relevant item; 0.0 if there is none."""
    return next((1.0 / place for place, item in enumerate(ranked, 1) if item in relevant), 0.0)


def ndcg_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Normalised discounted cumulative gain with binary relevance (Järvelin, Kekäläinen 2002), in [0, 1]."""
    gain = sum(1.0 / math.log2(place + 1) for place, item in enumerate(ranked[:k], 1) if item in relevant)
    ideal = sum(1.0 / math.log2(place + 1) for place in range(1, min(k, len(set(relevant))) + 1))
    return gain / ideal if ideal else 0.0


def mean(values: Sequence[float]) -> float:
    """The mean, or 0.0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed (nearest rank); 0.0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
