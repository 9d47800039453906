"""Spans of both sides of a call, put together across batches and counted per minute; the spans themselves are kept nowhere.

Bounded in every way: so many spans wait for their other side, for so long, and so many edges are counted at a time.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.domain.calls import CallSpan
from bot.domain.topology import CallMinute

WAIT = 15.0  # seconds that a span waits for its other side; exporters send every five
MOST_WAITING = 50_000  # spans of each side
MOST_EDGES = 5_000  # edges and minutes that are counted at a time
LATE = 600.0  # seconds; an older span is not counted any more
AHEAD = 60.0  # seconds that a clock may go ahead
Key = tuple[str, str]


@dataclass(slots=True)
class Missed:
    """How many calls were not counted, by why."""

    late: int = 0
    no_room: int = 0

    @property
    def reason(self) -> str:
        """In a sentence without its full stop; "" if all was counted."""
        late = f"{self.late} are older than {LATE / 60:.0f} minutes" if self.late else ""
        room = f"for {self.no_room} there is no room: more than {MOST_EDGES} edges" if self.no_room else ""
        return "; ".join(part for part in (late, room) if part)


@dataclass(slots=True)
class _Caller:
    span: CallSpan
    until: float
    met: bool = False


@dataclass(slots=True)
class _Callee:
    span: CallSpan
    until: float
    met: bool = False


@dataclass(slots=True)
class _Count:
    calls: int = 0
    errors: int = 0
    total_ms: float = 0.0
    external: bool = False


@dataclass(slots=True)
class Pairing:
    """Counts calls between services. Times are seconds since 1970; `now` never goes back far."""

    wait: float = WAIT
    most_waiting: int = MOST_WAITING
    most_edges: int = MOST_EDGES
    missed: Missed = field(default_factory=Missed)
    _callers: "OrderedDict[Key, _Caller]" = field(default_factory=OrderedDict)
    _callees: "OrderedDict[Key, _Callee]" = field(default_factory=OrderedDict)
    _alone: dict[Key, dict[Key, None]] = field(default_factory=dict)  # callees by the caller's span that they wait for
    _counts: dict[tuple[int, str, str], _Count] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """No further edge can be counted until what is counted has been taken."""
        return len(self._counts) >= self.most_edges

    def add(self, spans: Iterable[CallSpan], now: float) -> Missed:
        """Take in the spans of a batch; what was not counted. A span that is sent again counts once."""
        late, before = 0, self.missed.no_room
        for span in spans:
            if span.start < now - LATE:
                late += 1
            elif span.side.calls:
                self._caller(span, now)
            else:
                self._callee(span, now)
        self.missed.late += late
        return Missed(late, self.missed.no_room - before)

    def take(self, now: float, *, everything: bool = False) -> tuple[CallMinute, ...]:
        """What was counted since the last time; with `everything`, spans wait for their other side no longer."""
        while self._callers and (everything or next(iter(self._callers.values())).until <= now):
            self._leave_caller(now)
        while self._callees and (everything or next(iter(self._callees.values())).until <= now):
            self._leave_callee()
        counts, self._counts = self._counts, {}
        return tuple(
            CallMinute(datetime.fromtimestamp(60 * minute, UTC), caller, callee, c.calls, c.errors, c.total_ms, c.external)
            for (minute, caller, callee), c in sorted(counts.items(), key=lambda item: item[0])
        )

    def _caller(self, span: CallSpan, now: float) -> None:
        key = (span.trace, span.span)
        if key in self._callers:
            return
        while len(self._callers) >= self.most_waiting:
            self._leave_caller(now)
        caller = self._callers[key] = _Caller(span, now + self.wait)
        for waiting in self._alone.pop(key, ()):
            self._meet(caller, self._callees[waiting], now)

    def _callee(self, span: CallSpan, now: float) -> None:
        key = (span.trace, span.span)
        if key in self._callees:
            return
        while len(self._callees) >= self.most_waiting:
            self._leave_callee()
        callee = self._callees[key] = _Callee(span, now + self.wait)
        caller = self._callers.get((span.trace, span.other))
        if caller is not None:
            self._meet(caller, callee, now)
        elif span.other:
            self._alone.setdefault((span.trace, span.other), {})[key] = None

    def _meet(self, caller: _Caller, callee: _Callee, now: float) -> None:
        caller.met = callee.met = True
        if caller.span.service != callee.span.service:
            failed = caller.span.failed or callee.span.failed
            self._count(caller.span, callee.span.service, now, failed=failed, external=False)

    def _leave_caller(self, now: float) -> None:
        """The one that waits longest waits no more: whom it called is known by what it says itself."""
        _, caller = self._callers.popitem(last=False)
        span = caller.span
        if not caller.met and span.peer and span.peer != span.service:
            self._count(span, span.peer, now, failed=span.failed, external=span.outside)

    def _leave_callee(self) -> None:
        """Who called it is not known: a person, or somebody who sends no spans."""
        key, callee = self._callees.popitem(last=False)
        if callee.met:
            return
        at = (callee.span.trace, callee.span.other)
        others = self._alone.get(at, {})
        others.pop(key, None)
        if not others:
            self._alone.pop(at, None)

    def _count(self, span: CallSpan, callee: str, now: float, *, failed: bool, external: bool) -> None:
        start = span.start if span.start <= now + AHEAD else now
        key = (int(start // 60), span.service, callee)
        count = self._counts.get(key)
        if count is None:
            if self.full:
                self.missed.no_room += 1
                return
            count = self._counts[key] = _Count(external=external)
        count.calls += 1
        count.errors += failed
        count.total_ms += span.ms
        count.external = count.external and external
