"""Figures, times and names as people read them in a diagnosis."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.signals.direction import bag, is_share, label_suffix, words
from bot.signals.onset import Deviation

_UNSAID = bag(
    "http outbound server client total second seconds milliseconds ms pct percent bytes per mb process resident container"
)


def figure(value: float, metric: str) -> str:
    """A value of a metric with its unit, by the words of its name."""
    parts = set(words(metric))
    if parts & {"pct", "percent"}:
        return f"{_round(value)} %"
    if is_share(metric) and abs(value) <= 1:
        return f"{_round(value * 100)} %"
    if "bytes" in parts:
        return f"{_round(value / 2**20)} MiB"
    if "ms" in parts or "milliseconds" in parts:
        return f"{_round(value)} ms"
    if "seconds" in parts and "per" not in parts and not parts & {"calls", "requests", "queries"}:
        return f"{_round(value)} s"
    return _round(value)


def name_of(metric: str) -> str:
    """A metric's name in words: "http_request_error_ratio" is "request error ratio"."""
    kept = [w for w in words(metric) if w not in _UNSAID]
    return " ".join(kept) or metric


def told(deviation: Deviation) -> str:
    """A deviation in one phrase: "calls to acmepay × 4.8 since 14:04" or "error ratio 18 % (was 0.2 %) since 14:02"."""
    name = name_of(deviation.metric) + label_suffix(deviation.labels)
    since = f"since {clock(deviation.onset, deviation.step)}"
    if deviation.factor >= 1.5 and not is_share(deviation.metric):
        return f"{name} × {_round(deviation.factor)} {since}"
    now, was = figure(deviation.peak, deviation.metric), figure(deviation.baseline, deviation.metric)
    return f"{name} {now} (was {was}) {since}"


def clock(at: datetime, step: timedelta = timedelta(minutes=1)) -> str:
    """The time of day, UTC; with seconds where the samples are that fine."""
    return at.strftime("%H:%M:%S" if step < timedelta(seconds=30) else "%H:%M")


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names as people list them: "checkout, storefront and payments"."""
    shown = list(names[:most])
    rest = len(names) - len(shown)
    if rest:
        shown.append(f"{rest} more")
    if len(shown) < 2:
        return "".join(shown)
    return ", ".join(shown[:-1]) + " and " + shown[-1]


def capital(text: str) -> str:
    """The text with a capital first letter; the rest stays."""
    return text[:1].upper() + text[1:]


def plain(text: str, longest: int = 120) -> str:
    """Untrusted text on one short line."""
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _round(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    if abs(value) >= 10:
        return f"{value:.0f}"
    text = f"{value:.1f}" if abs(value) >= 0.95 else f"{value:.2g}"
    return text.rstrip("0").rstrip(".") if "." in text else text
