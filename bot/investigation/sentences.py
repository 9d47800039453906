"""The sentences of a diagnosis, for people in a hurry."""

from collections.abc import Sequence

from bot.domain.change import Change, ChangeKind
from bot.domain.evidence import Candidate, EvidenceKind, Remedy
from bot.investigation.case import Case
from bot.investigation.exhibits import Exhibits
from bot.investigation.picture import Picture
from bot.investigation.verdict import Judgement
from bot.investigation.vocabulary import Kind, kinds_of_metric
from bot.investigation.wording import capital, clock, listed, plain
from bot.signals.direction import is_share
from bot.signals.figures import figure
from bot.signals.onset import Deviation

_SAYS = (
    (Kind.ERRORS, "answer with errors", "answers with errors"),
    (Kind.LATENCY, "are slow", "is slow"),
    (Kind.QUEUE, "fall behind", "falls behind"),
    (Kind.STARTUP, "do not stay up", "does not stay up"),
    (Kind.MEMORY, "use too much memory", "uses too much memory"),
)
_STEPS = {
    Remedy.SCALE: "Add capacity at {at} or limit the traffic.",
    Remedy.FAILOVER: "Move the load away from {at}.",
    Remedy.ROTATE_CERTIFICATE: "Renew the certificate of {at}.",
    Remedy.PURGE_BAD_DATA: "Set the bad record aside at {at} and let the rest pass.",
    Remedy.FIX_DNS: "Check the name resolver; nothing that was shipped explains this.",
    Remedy.ESCALATE_PROVIDER: "Contact {at} and switch to a fallback if there is one; a rollback would not help.",
}


def symptom(case: Case, picture: Picture, exhibits: Exhibits) -> str:
    """What people notice, with figures: "Checkout and storefront answer with errors (18 %, was 0.2 %) [E1]"."""
    for wanted in (frozenset(case.services), frozenset({picture.first}), frozenset(picture.affected)):
        for kind, many, one in _SAYS:
            found = [d for d in picture.deviations if d.service in wanted and _shows(d, kind)]
            if found:
                return _told(picture, [d for d in found if _is_portion(d)] or found, many, one, exhibits)
    if case.alerts:
        alert = min(case.alerts, key=lambda a: (a.started_at, a.service))
        sign = next((s for s in picture.signs if s.what is EvidenceKind.ALERT), None)
        cite = f" [{sign.cite(exhibits)}]" if sign else ""
        return capital(plain(alert.summary or alert.name, 160)) + cite
    return "Nothing measurable is known of the symptom"


def _shows(d: Deviation, kind: Kind) -> bool:
    return d.bad and kind in kinds_of_metric(d.metric, rising=d.rising) and not d.labels.get("target")


def _is_portion(d: Deviation) -> bool:
    return is_share(d.metric) or "pct" in d.metric


def _told(picture: Picture, found: Sequence[Deviation], many: str, one: str, exhibits: Exhibits) -> str:
    worst = max(found, key=lambda d: (abs(d.score), d.service))
    names = list(dict.fromkeys(d.service for d in sorted(found, key=lambda d: (d.onset, d.service))))
    same = [s for s in picture.signs if s.what is EvidenceKind.METRIC and s.service == worst.service and s.at == worst.onset]
    cites = list(dict.fromkeys(s.cite(exhibits) for s in same))[:1]
    now, was = figure(worst.peak, worst.metric), figure(worst.baseline, worst.metric)
    text = f"{capital(listed(names))} {many if len(names) > 1 else one} ({now}, was {was})"
    return text + "".join(f" [{c}]" for c in cites)


def summary(judgement: Judgement, suspects: Sequence[Candidate]) -> str:
    """The verdict in one sentence."""
    if judgement.guilty:
        c = judgement.guilty.candidate
        what = f"{c.service} {c.version}".strip() or "a change"
        at = f" at {c.shipped_at:%H:%M}" if c.shipped_at else ""
        commit = f" ({c.commit[:7]})" if c.commit else ""
        return f'{what}{at}, "{plain(c.title, 80)}"{commit}'
    if judgement.finding:
        return f"{judgement.finding.fact.text}; no change is guilty"
    if not suspects:
        return "No change explains this"
    names = [f"{c.service} {c.version}".strip() or plain(c.title, 40) for c in suspects[:3]]
    return f"No change explains this convincingly. {_count(len(names))}: {listed(names)}"


def next_step(case: Case, judgement: Judgement, suspects: Sequence[Candidate], remedy: Remedy) -> str:
    """What to do now, in one sentence."""
    if judgement.guilty:
        c = judgement.guilty.candidate
        what = c.service or "the change"
        if remedy is Remedy.CONFIG_REVERT:
            return f'Take back "{plain(c.title, 60)}" on {what}.'
        if remedy is Remedy.ROLL_FORWARD:
            return f"Ship what {what} {c.version} lacks; a rollback would not undo the migration.".replace("  ", " ")
        before = previous(case.changes, judgement.guilty.shipment.change)
        return (
            f"Roll back {what} to {before}." if before else f"Roll back {what} to the version before {c.version or c.commit[:7]}."
        )
    if judgement.finding:
        return _STEPS.get(remedy, "Look into {at}.").format(at=judgement.finding.at or "it")
    if suspects:
        c = suspects[0]
        at = f", shipped {clock(c.shipped_at)}" if c.shipped_at else ""
        return f'Check {c.service or "the change"} {c.version} first ("{plain(c.title, 60)}"{at}).'.replace("  ", " ")
    first = case.services[0] if case.services else "the alerting service"
    return f"Look at the logs and dependencies of {first}; nothing that was shipped before the onset fits."


def previous(changes: Sequence[Change], change: Change | None) -> str:
    """The version that ran on the same service and environment before a change, as far as the changes tell."""
    if change is None or not change.services:
        return ""
    older = [
        c
        for c in changes
        if c.shipped and c.at < change.at and c.kind in (ChangeKind.DEPLOY, ChangeKind.RELEASE)
        and c.version not in ("", change.version)
        and set(c.services) & set(change.services) and c.environment == change.environment
    ]  # fmt: skip
    return max(older, key=lambda c: c.at).version if older else ""


def _count(n: int) -> str:
    return {1: "One suspect, not convincing", 2: "Two suspects, neither convincing"}.get(n, "Three suspects, none convincing")
