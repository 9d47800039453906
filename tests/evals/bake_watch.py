"""What the watch after deployments would have said of each deployment of recorded incidents, and how soon.

`python -m tests.evals.bake_watch INPUTS TRUTH [PETSHOP]` (rootcausebench format). Every deployment is looked at every five
minutes for half an hour, or as long as the recording goes on; one is guilty if it shipped the commit that was the cause.
Neighbours are the services that call each other in the case's traces.

With a folder of the petshop format also what it would have said of deployments that never were: one of each node every six
hours of its normal days, so that everything suspect is a false warning.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from bot.domain.change import Change
from bot.domain.telemetry import Series
from bot.evals.diagnosis import case_of
from bot.evals.node_cases import read_node_cases
from bot.evals.rows import read_rows
from bot.investigation.case import Case
from bot.signals.settling import look_at

STEP, SPAN = timedelta(minutes=5), timedelta(minutes=30)
FEWEST = 500  # points of a node on normal days
KEPT = ("Average", "p99", "Sum")


def verdicts(inputs: Path, truths: Path) -> Iterator[tuple[str, Change, bool, str, float | None]]:
    """Case, deployment, guilty, verdict, and the minutes from there to the alert (negative: after it) for a suspect one."""
    truth = {str(row["scenario"]): row for _, row in read_rows(truths)}
    for _, row in read_rows(inputs):
        case, cause = case_of(row), str(truth[str(row["id"])]["root_cause_commit"])
        for change in case.changes:
            if change.shipped and change.commit:
                yield str(row["id"]), change, change.commit == cause, *_watched(case, change)


def _watched(case: Case, change: Change) -> tuple[str, float | None]:
    service = change.services[0] if change.services else ""
    calls = {(a.service, b.service) for a in case.spans for b in case.spans if b.parent_id == a.span_id}
    near = {service} | {b for a, b in calls if a == service} | {a for a, b in calls if b == service}
    verdict, at = watch([s for s in case.series if s.service in near], service, change.at)
    return verdict, None if at is None else (case.alert_at - at) / timedelta(minutes=1)


def watch(series: Sequence[Series], service: str, began: datetime) -> tuple[str, datetime | None]:
    """The verdict, and when it was known for a suspect one; a recording that ends earlier ends the watch."""
    last = max((at for s in series for at, _ in s.points), default=began)
    before: set[str] = set()
    doubt = "no numbers after it"
    for n in range(1, int(SPAN / STEP) + 1):
        now = began + n * STEP
        if now > last + STEP:
            break
        look = look_at(series, service, began, now)
        hits = {one.name for one in look.worse}
        if hits & before or (hits and n * STEP == SPAN):
            return "suspect", now
        before, doubt = hits, look.doubt
    return ("unclear" if doubt else "clean"), None


def quiet_days(folder: Path) -> Counter[str]:
    """Verdicts on deployments that never were."""
    counts: Counter[str] = Counter()
    seen: set[tuple[int, datetime]] = set()  # cases of one kind share their normal days
    for case in read_node_cases(folder):
        days = max((len(s.points), s.points[0][0]) for s in case.normal if s.points)
        if days in seen:
            continue
        seen.add(days)
        measured = {s.service for s in case.normal if s.metric == "latency" and len(s.points) > FEWEST}
        for service in sorted(measured):
            near = {service, *case.graph.callees(service), *case.graph.callers(service)}
            every = [s for s in case.normal if s.service in near and s.labels.get("statistic") in KEPT]
            series = [s for s in every if len(s.points) > FEWEST]
            times = [at for s in series if s.service == service for at, _ in s.points]
            began = min(times) + timedelta(hours=1)
            while began < max(times) - SPAN:
                around = [replace(s, points=tuple(p for p in s.points if abs(p[0] - began) <= SPAN)) for s in series]
                counts[watch(around, service, began)[0]] += 1
                began += timedelta(hours=6)
    return counts


def main() -> None:
    """Print one line for each deployment, and the counts."""
    counts: Counter[tuple[str, str]] = Counter()
    for id, change, guilty, verdict, lead in verdicts(Path(sys.argv[1]), Path(sys.argv[2])):
        counts["guilty" if guilty else "innocent", verdict] += 1
        said = "" if lead is None else f" {abs(lead):.0f} min {'before' if lead > 0 else 'after'} the alert"
        print(f"{id:28} {', '.join(change.services):24} {'GUILTY' if guilty else '':7}{verdict}{said}")
    for (kind, verdict), count in sorted(counts.items()):
        print(f"{kind:9} {verdict:8} {count}")
    if len(sys.argv) > 3:
        for verdict, count in sorted(quiet_days(Path(sys.argv[3])).items()):
            print(f"no deployment {verdict:8} {count}")


if __name__ == "__main__":
    main()
