"""Builds invented cases: a small bookshop, never the data that the rules are measured on."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from bot.domain.alert import Alert, Severity
from bot.domain.change import Change, ChangeKind, ChangeStatus, Commit
from bot.domain.service import ServiceGraph
from bot.domain.telemetry import LogLine, Readings, Series, SourceStatus, Span, Window
from bot.investigation.case import Case

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
GRAPH = ServiceGraph({"web": ("orders", "stock"), "orders": ("billing", "stock"), "billing": ("cardco",), "stock": ("db",)})


def at(seconds: float) -> datetime:
    """So many seconds after the story began."""
    return START + timedelta(seconds=seconds)


def alert(service: str, seconds: float, name: str = "HighErrorRatio", summary: str = "") -> Alert:
    """A firing alert."""
    text = summary or f"{service} answers with errors"
    return Alert("alertmanager", name, service, "production", Severity.SEV2, False, at(seconds), summary=text)


def shipped(
    sha: str, service: str, seconds: float, diff: str, message: str = "change", version: str = "v2"
) -> tuple[Change, Commit]:
    """A deployment and its commit; `sha` is repeated to 40 digits."""
    full = (sha * 40)[:40]
    change = Change(
        f"deploy:{full}", "github", ChangeKind.DEPLOY, ChangeStatus.SUCCEEDED, at(seconds), f"deploy {service} {version}",
        (service,), "production", version, full, "acme/books",
    )  # fmt: skip
    files = tuple(line[6:] for line in diff.splitlines() if line.startswith("+++ b/"))
    return change, Commit(full, "ada", at(seconds - 2), message, files, diff)


def edit(path: str, old: str, new: str, context: str = "") -> str:
    """A unified diff that replaces lines by lines."""
    body = [f" {line}" for line in context.splitlines()]
    body += [f"-{line}" for line in old.splitlines()] + [f"+{line}" for line in new.splitlines()]
    return "\n".join([f"diff --git a/{path} b/{path}", f"--- a/{path}", f"+++ b/{path}", "@@ -1,9 +1,9 @@", *body, ""])


def series(
    service: str,
    metric: str,
    value: Callable[[float], float],
    until: float,
    every: float = 0.5,
    noise: float = 0.02,
    **labels: str,
) -> Series:
    """A metric sampled each half second, with a little noise."""
    dice = random.Random(f"{service}{metric}")
    points = []
    for n in range(int(until / every)):
        level = value(n * every)
        points.append((at(n * every), max(0.0, level * (1 + dice.uniform(-noise, noise)))))
    return Series(service, metric, tuple(points), labels)


def rises(before: float, after: float, when: float) -> Callable[[float], float]:
    """A level that changes at a time."""
    return lambda t: after if t >= when else before


def logs(service: str, text: str, times: Iterable[float], level: str = "ERROR") -> list[LogLine]:
    """The same kind of line at several times; {n} is its number."""
    return [LogLine(at(t), service, level, text.replace("{n}", str(i))) for i, t in enumerate(times)]


def case(
    *,
    alerts: Iterable[Alert],
    changes: Iterable[tuple[Change, Commit | None]] = (),
    numbers: Iterable[Series] = (),
    lines: Iterable[LogLine] = (),
    spans: Iterable[Span] = (),
    graph: ServiceGraph = GRAPH,
    external: frozenset[str] = frozenset({"cardco"}),
    until: float = 40,
) -> Case:
    """A case of these parts."""
    firing, both = tuple(alerts), tuple(changes)
    window = Window(START, at(until))
    reading = Readings(
        "prometheus", '{service="x"}', window, SourceStatus.OK, series=tuple(numbers), logs=tuple(lines), spans=tuple(spans)
    )
    return Case(
        alerts=firing,
        alert_at=min(a.started_at for a in firing),
        now=at(until),
        changes=tuple(c for c, _ in both),
        commits={commit.sha: commit for _, commit in both if commit},
        readings=(reading,),
        graph=graph,
        external=external,
    )
