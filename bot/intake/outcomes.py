"""What became of a parcel, in words for people and for counters."""

from collections import Counter

from bot.errors import BadPayload
from bot.ports import Ignored, Parcel, Parsed
from bot.redact import redact

ERROR_LIMIT = 500


def outcome_of(parsed: Parsed) -> str:
    """What a delivery held, for people: "2 alerts, 1 change", "ignored: ping"."""
    counts = Counter(type(event).__name__.lower() for event in parsed if not isinstance(event, Ignored))
    ignored = [event.reason for event in parsed if isinstance(event, Ignored)]
    words = [f"{n} {noun}{'' if n == 1 else 's'}" for noun, n in sorted(counts.items())]
    return ", ".join(words) or "ignored: " + redact("; ".join(ignored) or "it holds nothing")[:ERROR_LIMIT]


def word_of(parcel: Parcel) -> str:
    """What a worked-on parcel held, in the one word that is counted."""
    if parcel.state == "unreadable":
        return "unreadable"
    words = ("alert", "change", "handling", "ticket")
    return next((f"{w}s" for w in words if w in parcel.outcome and not parcel.outcome.startswith("ignored")), "ignored")


def reason_of(error: BaseException) -> str:
    """Why a parcel could not be read, for people: redacted, short, fit for any database."""
    kind = "" if isinstance(error, BadPayload) else f"{type(error).__name__}: "
    text = redact(f"{kind}{error}"[: 4 * ERROR_LIMIT])[:ERROR_LIMIT]
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()  # what no database refuses
