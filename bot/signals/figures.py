"""Figures and names of metrics as people read them."""

from bot.signals.direction import bag, is_share, words

_UNSAID = bag(
    "http outbound server client total second seconds milliseconds ms pct percent bytes per mb process resident container"
)


def figure(value: float, metric: str) -> str:
    """A value of a metric with its unit, by the words of its name."""
    parts = set(words(metric))
    if parts & {"pct", "percent"}:
        return f"{rounded(value)} %"
    if is_share(metric) and abs(value) <= 1:
        return f"{rounded(value * 100)} %"
    if "bytes" in parts:
        return f"{rounded(value / 2**30)} GiB" if abs(value) >= 10 * 2**30 else f"{rounded(value / 2**20)} MiB"
    if "ms" in parts or "milliseconds" in parts:
        return f"{rounded(value)} ms"
    if "seconds" in parts and "per" not in parts and not parts & {"calls", "requests", "queries"}:
        return f"{rounded(value)} s"
    return rounded(value)


def name_of(metric: str) -> str:
    """A metric's name in words: "http_request_error_ratio" is "request error ratio"."""
    kept = [w for w in words(metric) if w not in _UNSAID]
    return " ".join(kept) or metric


def rounded(value: float) -> str:
    """A number as short as it can be said."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    if abs(value) >= 10:
        return f"{value:.0f}"
    text = f"{value:.1f}" if abs(value) >= 0.95 else f"{value:.2g}"
    return text.rstrip("0").rstrip(".") if "." in text else text
