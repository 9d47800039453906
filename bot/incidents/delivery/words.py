"""The figures for people: short lines, each with its count, and "too few" where there are too few."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from bot.domain.delivery import LEAST, DeliveryFigures, Failed, OnCallFigures, ServiceFigures, Spread, Watch

MOST_SERVICES = 12
FEW = "too few to say"
_FAILED = {
    Failed.CONFIRMED: "confirmed cause of an incident",
    Failed.CONVICTED: "likely cause of an incident",
    Failed.ROLLED_BACK: "rolled back",
    Failed.SUSPECT: "did not settle in",
}


def lasted(span: timedelta) -> str:
    """A span in the unit that fits: "45 s", "12 min", "3.5 h", "2.1 days"."""
    seconds = span.total_seconds()
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def in_words(spread: Spread, one: str, many: str = "") -> str:
    """A median with its count, of `one` or `many` things."""
    if not spread.count:
        return f"no {one}"
    counted = f"{spread.count} {one if spread.count == 1 else many or one + 's'}"
    return f"{FEW} ({counted})" if spread.median is None else f"{lasted(spread.median)} (median of {counted})"


def rate(one: ServiceFigures) -> str:
    """The change-failure rate with its counts."""
    counted = f"{one.failures} of {one.deployments} failed"
    if one.failure_rate is None:
        return f"{FEW} ({counted})" if one.deployments else "no deployment"
    return f"{100 * one.failure_rate:.0f} % ({counted})"


def frequency(one: ServiceFigures, span: timedelta) -> str:
    """How often something new came."""
    weeks = span / timedelta(days=7)
    often = f"{one.deployments / weeks:.1f} a week ({one.deployments} in {span.days} days)" if one.deployments >= LEAST else ""
    return often or (f"{one.deployments} in {span.days} days, {FEW}" if one.deployments else f"none in {span.days} days")


def delivery_lines(figures: DeliveryFigures) -> tuple[str, ...]:
    """DORA's four for all services together, and what they leave out."""
    total = figures.total
    return (
        f"Deployment frequency: {frequency(total, figures.until - figures.since)}",
        f"Lead time for changes: {in_words(total.lead, 'commit')}" + _left_out(total),
        f"Change-failure rate: {rate(total)}" + _why(total),
        f"Time to restore: {in_words(total.restore, 'incident')}; "
        f"of failed deployments: {in_words(total.recover, 'recovery', 'recoveries')}",
        *_beside(total),
    )


def _left_out(one: ServiceFigures) -> str:
    return f"; of {one.left_out} deployments nobody told the commits" if one.left_out else ""


def _why(one: ServiceFigures) -> str:
    parts = [f"{one.failed[why]} {_FAILED[why]}" for why in Failed if one.failed.get(why)]
    return f": {', '.join(parts)}" if parts else ""


def _beside(one: ServiceFigures) -> Iterator[str]:
    if one.back or one.again:
        yield f"Not counted as deployments: {one.back} ways back, {one.again} of a version that had run already"


def service_lines(figures: DeliveryFigures, most: int = MOST_SERVICES) -> tuple[str, ...]:
    """One line a service, the busiest first."""
    lines = [_service(one, figures.until - figures.since) for one in figures.services[:most]]
    more = len(figures.services) - most
    return (*lines, *([f"and {more} more services: `tocsin delivery`"] if more > 0 else []))


def _service(one: ServiceFigures, span: timedelta) -> str:
    return " · ".join(
        (
            f"{one.service}: {frequency(one, span)}",
            f"lead {in_words(one.lead, 'commit')}",
            f"failure rate {rate(one)}",
            f"to restore {in_words(one.restore, 'incident')}",
        )
    )


def on_call_lines(figures: OnCallFigures) -> tuple[str, ...]:
    """Acknowledgement, pages, nights, and what came of pages."""
    acknowledged = in_words(figures.acknowledge, "acknowledged incident")
    return (
        f"Time to acknowledge: {acknowledged}; {figures.unacknowledged} never acknowledged",
        *(_watch(watch) for watch in figures.watches),
        _pages(figures),
    )


def _watch(watch: Watch) -> str:
    length = "day" if watch.days == 1 else "week" if watch.days == 7 else f"{watch.days:g} days"
    return (
        f"{watch.name}: {watch.pages / watch.shifts:.1f} pages a shift (a {length}), {watch.pages} in all, {watch.night} by night"
    )


def _pages(figures: OnCallFigures) -> str:
    if not figures.pages:
        return "Pages: nobody was paged"
    acted = f"{figures.acted} of {figures.pages} pages acted on, {figures.more} by more than an acknowledgement"
    share = f"{100 * figures.acted / figures.pages:.0f} %: " if figures.pages >= LEAST else ""
    return f"Pages: {share}{acted}; {figures.night} by night"


def note_lines(notes: Sequence[str]) -> tuple[str, ...]:
    """What the figures do not know."""
    return tuple(f"Not in it: {note}" for note in notes)
