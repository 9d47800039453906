"""An edge in words: what passes along it, and who says that it is there."""

from datetime import datetime

from bot.domain.topology import EdgeOrigin


def traffic(edge: EdgeOrigin) -> str:
    """How much was seen: "4/s, 1% errors, 20 ms"; "" where nobody counted."""
    share = f", {edge.errors / edge.calls:.0%} errors" if edge.calls and edge.errors else ""
    took = f", {edge.latency_ms:.0f} ms" if edge.latency_ms else ""
    return f"{edge.calls:.3g}/s{share}{took}" if edge.calls else ""


def provenance(edge: EdgeOrigin, now: datetime) -> str:
    """Who says so and since when: "catalogue, otlp 3 min ago"."""
    sources = ", ".join(f"{s} {ago(at, now)}" if at else s for s, at in sorted(edge.sources.items()))
    return f"{sources}, never seen" if edge.declared and edge.last_seen is None else sources


def ago(at: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that says enough."""
    minutes = max(0, round((now - at).total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} d ago"
