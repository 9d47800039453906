"""What runbooks need: which are old or name what is gone, which nobody uses, which alerts have none. Pure."""

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from bot.domain.care import Ailing, CareLimits, Check, Fired, Health, Known, Missing, Tried
from bot.domain.document import Document, DocumentKind
from bot.knowledge.promql import LOOKED_AT, queries
from bot.knowledge.query import normal

MOST_LINKS = 60  # of one runbook
MOST_REASONS = 6  # that are told of one runbook
NEVER, LONG_AGO, GONE, FAULT = 1.0, 10.0, 100.0, 1000.0
_LINK = re.compile(r"!?\[[^\]\[]{0,300}\]\(\s*<?([^()\s<>]{1,2000})>?[^()]{0,200}\)")
_BARE = re.compile(r"(?<![\w(\[\"'`=<])https?://[^\s<>\"'`)\]|]{3,2000}")
_ANGLE = re.compile(r"<(https?://[^\s<>]{3,2000})>")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_CODE = re.compile(r"`[^`\n]*`")
_PLACEHOLDER = re.compile(r"[{}<>$]|%7B|\.\.\.|\bexample\.(?:com|org|net)\b")
_COMMAND = re.compile(
    r"^[ \t]*(?:\$[ \t]*|sudo[ \t]+)?(?:kubectl|oc|docker|docker-compose|systemctl|helm)\b(.{1,1000})$", re.MULTILINE
)
_WORKLOAD = re.compile(
    r"\b(?:deploy|deployments?(?:\.apps)?|statefulsets?|sts|daemonsets?|ds|services?|svc)/([a-z0-9][\w.-]{0,100})"
)
_TYPED = re.compile(r"^/(?:rollback|deploy)[ \t]+([a-z0-9][\w.-]{0,100})", re.MULTILINE)
_WORDS_END = re.compile(r"[.,;:!?]+$")


def links(markdown: str) -> tuple[str, ...]:
    """The addresses of other pages that a runbook leads to, in their order, each once; code is left out."""
    text = _CODE.sub(" ", _prose(markdown[:LOOKED_AT]))
    found = [m[1] for m in _LINK.finditer(text)] + [m[1] for m in _ANGLE.finditer(text)]
    found += [_WORDS_END.sub("", m[0]) for m in _BARE.finditer(_LINK.sub(" ", text))]
    return tuple(dict.fromkeys(url for url in found if not url.startswith(("#", "mailto:", "tel:"))))[:MOST_LINKS]


def _prose(markdown: str) -> str:
    """The text without blocks of code."""
    kept, fence = [], ""
    for line in markdown.split("\n"):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif not fence:
            kept.append(line)
    return "\n".join(kept)


def tries(document: Document) -> tuple[Check, ...]:
    """What of a runbook can be tried: its queries and the pages that it links to, with what only a person can fill in."""
    asked = [
        Check(document.id, Tried.QUERY, q.text, Health.SKIPPED if q.why else Health.UNKNOWN, q.why)
        for q in queries(document.text)
    ]
    pages = []
    for url in links(document.text):
        if url.startswith(("https://", "http://")):
            skipped = _PLACEHOLDER.search(url)
            why = f"it holds the placeholder {skipped[0]}" if skipped else ""
            pages.append(Check(document.id, Tried.LINK, url, Health.SKIPPED if skipped else Health.UNKNOWN, why))
    return (*asked, *pages)


def ailing(documents: Iterable[Document], checks: Iterable[Check], known: Known, limits: CareLimits) -> tuple[Ailing, ...]:
    """The runbooks that need their owner, those in the worst state first."""
    by_document: dict[str, list[Check]] = {}
    for check in checks:
        by_document.setdefault(check.document, []).append(check)
    found = []
    for document in documents:
        if document.kind is not DocumentKind.RUNBOOK:
            continue
        reasons = list(_reasons(document, by_document.get(document.id, ()), known, limits))
        if reasons:
            reasons.sort(key=lambda r: -r[0])
            told = [why for _, why in reasons]
            more = [f"and {len(told) - MOST_REASONS} more"] if len(told) > MOST_REASONS else []
            found.append(
                Ailing(
                    document=document.id,
                    title=document.title,
                    owner=document.owner,
                    reasons=(*told[:MOST_REASONS], *more),
                    weight=sum(weight for weight, _ in reasons),
                    link=document.link,
                    path=document.path,
                )
            )
    return tuple(sorted(found, key=lambda a: (-a.weight, a.title, a.document)))


def _reasons(document: Document, checks: Sequence[Check], known: Known, limits: CareLimits) -> Iterator[tuple[float, str]]:
    """What is wrong with one runbook, with its weight."""
    for check in checks:
        if check.health.fault:
            yield FAULT, told(check)
    yield from _gone(document, known)
    yield from ((FAULT, f"its actions count for nothing: {fault}") for fault in known.faults.get(document.id, ()))
    age = (known.today - document.reviewed).days if document.reviewed else None
    if age is None:
        yield NEVER, "never reviewed"
    elif age > limits.review_days:
        yield LONG_AGO + age / 365, f"reviewed on {document.reviewed}, {age} days ago"


def _gone(document: Document, known: Known) -> Iterator[tuple[float, str]]:
    """The services, alerts and pages that it names and that are not there any more."""
    if known.services:
        for service in document.services:
            if service.lower() not in known.services:
                yield GONE, f"names the service {service[:80]}, which is not in services.yaml"
        for name in commanded(document.text):
            if name.lower() not in known.services and name not in document.services:
                yield GONE / 2, f"its commands name {name[:80]}, which is no service in services.yaml"
    if known.rules is not None:
        for alert in document.alerts:
            if normal(alert) and normal(alert) not in known.rules | known.fired:
                yield GONE, f"is for the alert {alert[:80]}, which no rule fires and which has not fired of late"
    for target in _neighbours(document):
        if target not in known.paths:
            yield GONE, f"links to {target[:120]}, which is not there"


def commanded(markdown: str) -> tuple[str, ...]:
    """The workloads that a runbook's commands name ("deployment/cart"), and the services that it tells to roll back."""
    found = []
    for command in _COMMAND.findall(markdown[:LOOKED_AT]):
        found += [name for name in _WORKLOAD.findall(command) if not _PLACEHOLDER.search(command)]
    found += _TYPED.findall(markdown[:LOOKED_AT])
    return tuple(dict.fromkeys(found))


def _neighbours(document: Document) -> Iterator[str]:
    """The Markdown files beside it that it links to, as paths; those above its source are not known."""
    if not document.path.endswith(".md"):
        return
    folder = posixpath.dirname(document.path)
    for url in links(document.text):
        bare = url.partition("#")[0].partition("?")[0]
        if not bare.endswith(".md") or "://" in bare or bare.startswith("/") or "%" in bare or _PLACEHOLDER.search(bare):
            continue
        target = posixpath.normpath(posixpath.join(folder, bare))
        top = document.path.partition("/")[0]
        if target.startswith(f"{top}/") and not target.lower().endswith(("readme.md", "index.md")):
            yield target


def told(check: Check) -> str:
    """One failed try in words."""
    since = f" (it was last well on {check.good_at:%Y-%m-%d})" if check.good_at else ""
    if check.kind is Tried.LINK:
        return f"links to {check.text[:160]}, which is gone{since}"
    shown = " ".join(check.text.split())
    shown = shown if len(shown) <= 120 else f"{shown[:119]}…"
    return f"its query {shown} fails: {check.reason[:200]}{since}"


def unused(
    documents: Iterable[Document], shown: Mapping[str, datetime], since: Mapping[str, datetime], now: datetime, limits: CareLimits
) -> tuple[Ailing, ...]:
    """Runbooks that were known for all of the span and that nobody was shown, linked or found useful in it.

    `shown` is when each was last of use, `since` since when it is known.
    """
    before = now - timedelta(days=limits.unused_days)
    found = []
    for document in documents:
        known, last = since.get(document.id), shown.get(document.id)
        if document.kind is not DocumentKind.RUNBOOK or known is None or known > before or (last is not None and last > before):
            continue
        why = f"last of use on {last:%Y-%m-%d}" if last else f"of no use to anybody in {(now - known).days} days"
        weight = float((now - (last or known)).days)
        found.append(Ailing(document.id, document.title, document.owner, (why,), weight, document.link, document.path))
    return tuple(sorted(found, key=lambda a: (-a.weight, a.title, a.document)))


def missing(
    fired: Iterable[Fired],
    covered: Collection[str],
    documents: Iterable[Document],
    linked: Collection[tuple[str, str]],
    owners: Mapping[str, str],
) -> tuple[Missing, ...]:
    """Alerts that fired without a runbook, those that cost most first.

    `covered` are incidents that showed one, `linked` the (normal name, service) pairs that people linked one to. An alert that
    a runbook is written for, or that is linked by now, is not missing one, whatever was so before.
    """
    named = {normal(name) for d in documents if d.kind is DocumentKind.RUNBOOK for name in (*d.alerts, d.title)}
    found = []
    for one in fired:
        if normal(one.name) in named or (normal(one.name), one.service) in linked:
            continue
        bare = [i for i in one.incidents if i not in covered]
        without = len(bare) if one.incidents else one.times
        if without:
            found.append(
                Missing(one.name, one.service, owners.get(one.service, ""), one.times, without, one.severity, one.last_at)
            )
    return tuple(sorted(found, key=lambda m: (-m.weight, -m.times, m.name, m.service)))


def is_first_monday(day: date) -> bool:
    """The first Monday of its month."""
    return day.weekday() == 0 and day.day <= 7
