"""Which source would have helped most, as something to do, and which ones did not answer: absence of evidence is said."""

from collections.abc import Sequence

from bot.domain.evidence import EvidenceKind, Verdict
from bot.domain.telemetry import SourceStatus
from bot.investigation.case import Case
from bot.investigation.exhibits import Exhibits
from bot.investigation.picture import Picture
from bot.investigation.rank import Scored
from bot.investigation.verdict import HEARD, Judgement
from bot.investigation.vocabulary import Kind
from bot.investigation.wording import plain

# What each source adds where all others are there: the loss of `tocsin eval diagnosis --leave-one-class-out --by-evidence`
DEPLOYMENTS, LOGS, DIFFS, METRICS, TRACES, EVENTS = 0.73, 0.53, 0.53, 0.13, 0.07, 0.05
NEEDED = 0.3  # more, if it is just what this verdict lacks


def say_failures(case: Case, exhibits: Exhibits) -> None:
    """Each question that got no answer becomes an exhibit with its reason."""
    for r in case.failed_readings[:6]:
        outcome = "did not answer" if r.status is SourceStatus.FAILED else "has no data"
        exhibits.cite(EvidenceKind.SOURCE, f"{r.source} {outcome}: {plain(r.reason, 160)}", r.source, query=r.query, link=r.link)


def missing(case: Case, picture: Picture, judgement: Judgement, suspects: Sequence[Scored] = ()) -> tuple[str, ...]:
    """What to do so that the next look sees more, the most useful first; nothing once the cause is certain and all answered."""
    failed = [
        f"{r.source} did not answer ({plain(r.reason, 60) or 'no reason given'}): bring it back"
        for r in case.failed_readings
        if r.status is SourceStatus.FAILED
    ]
    if judgement.verdict is Verdict.CONVICTED:
        return tuple(dict.fromkeys(failed))
    wanted = sorted(_wanted(case, picture, suspects), key=lambda w: -w[0])
    return tuple(dict.fromkeys((*failed, *(text for _, text in wanted))))


def _wanted(case: Case, picture: Picture, suspects: Sequence[Scored]) -> list[tuple[float, str]]:
    """Each source that gave nothing: how much it would have helped, and how to have it."""
    where = picture.first or next(iter(case.services), "") or "the alerting service"
    close = suspects[:3]
    unread = [s for s in close if s.shipment.change and not s.shipment.text.hunks]
    silent = bool(close) and max(s.heard for s in close) < HEARD  # nothing that anybody said speaks for a suspect
    wanted = []
    if not case.changes and not case.commits:
        wanted.append((DEPLOYMENTS, "tell of deployments: GitHub, GitLab, Argo CD, or one call from your pipeline"))
    elif unread and not any(c.diff for c in case.commits.values()):
        names = sorted({n for s in unread for n in s.shipment.services})
        wanted.append(
            (DIFFS + NEEDED, f"connect the repository of {', '.join(names[:2]) or where}: git, GitHub or GitLab, to read diffs")
        )
    if not any(line.service == where for line in case.logs) and not any(p.service == where for p in case.patterns):
        wanted.append((LOGS + NEEDED * silent, f"connect logs of {where}: Loki, Elasticsearch or CloudWatch"))
    if not any(s.service == where for s in case.series) and not case.edges:
        wanted.append((METRICS, f"connect metrics of {where}: Prometheus, Datadog or CloudWatch"))
    if not case.spans and not case.edges:
        wanted.append((TRACES, f"connect traces of {where}: Tempo, Jaeger or OTLP"))
    if not case.happenings and any(picture.weight(k) for k in (Kind.STARTUP, Kind.MEMORY, Kind.NODE)):
        wanted.append((EVENTS + NEEDED * silent, f"connect Kubernetes, for the events of {where}"))
    return wanted
