"""Which source would have helped most, and which ones did not answer: absence of evidence is said."""

from bot.domain.evidence import EvidenceKind, Verdict
from bot.domain.telemetry import SourceStatus
from bot.investigation.case import Case
from bot.investigation.exhibits import Exhibits
from bot.investigation.picture import Picture
from bot.investigation.verdict import Judgement
from bot.investigation.wording import plain


def say_failures(case: Case, exhibits: Exhibits) -> None:
    """Each question that got no answer becomes an exhibit with its reason."""
    for r in case.failed_readings[:6]:
        outcome = "did not answer" if r.status is SourceStatus.FAILED else "has no data"
        exhibits.cite(EvidenceKind.SOURCE, f"{r.source} {outcome}: {plain(r.reason, 160)}", r.source, query=r.query, link=r.link)


def missing(case: Case, picture: Picture, judgement: Judgement) -> tuple[str, ...]:
    """What was not there, the most useful first; nothing once the cause is certain and no source failed."""
    where = picture.first or "the alerting service"
    failed = [
        f"{r.source} ({plain(r.reason, 60) or 'no answer'})" for r in case.failed_readings if r.status is SourceStatus.FAILED
    ]
    if judgement.verdict is Verdict.CONVICTED:
        return tuple(dict.fromkeys(failed))
    wanted = []
    if not case.series:
        wanted.append(f"metrics for {where}")
    if any(c.shipped for c in case.changes) and not any(c.diff for c in case.commits.values()):
        wanted.append("the diffs of what was shipped")
    if not case.changes and not case.commits:
        wanted.append("deployments")
    if not case.logs and not case.patterns:
        wanted.append(f"logs for {where}")
    if not case.spans:
        wanted.append(f"traces for {where}")
    return tuple(dict.fromkeys((*failed, *wanted)))
