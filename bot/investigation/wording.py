"""Deviations, times and names as people read them in a diagnosis."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.signals.direction import is_share, label_suffix
from bot.signals.figures import figure, name_of, rounded
from bot.signals.onset import Deviation


def told(deviation: Deviation) -> str:
    """A deviation in one phrase: "calls to acmepay × 4.8 since 14:04" or "error ratio 18 % (was 0.2 %) since 14:02"."""
    name = name_of(deviation.metric) + label_suffix(deviation.labels)
    since = f"since {clock(deviation.onset, deviation.step)}"
    if deviation.factor >= 1.5 and not is_share(deviation.metric):
        return f"{name} × {rounded(deviation.factor)} {since}"
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
