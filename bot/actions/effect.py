"""What became of the metrics and alerts that motivated an action: one judgement, one sentence, numbers to keep."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.action import Action
from bot.domain.evidence import Diagnosis, EvidenceKind
from bot.domain.telemetry import Series, Window
from bot.domain.verification import Judgement, Measured, Verification
from bot.redact import clean, redact
from bot.signals.direction import counts_traffic, label_suffix
from bot.signals.figures import figure, name_of
from bot.signals.golden import Role, golden, name, role
from bot.signals.levels import FEWEST, collapsed, compare, level

BEFORE = timedelta(minutes=10)  # how far before its start an action looks back
WARM = 4  # the part of the watch, one in so many, in which anything may happen after a start
MOST = 8  # metrics that are kept of one action
SAID = 3  # of them in the sentence
JUDGED = (Role.ERRORS, Role.LATENCY)  # saturation and the like only where a diagnosis named them

Key = tuple[str, str]  # service, name of a series within it


@dataclass(frozen=True, slots=True)
class Alerts:
    """Of the alerts that motivated an action: how many there are, how many fire, how many of those that fire are new."""

    known: int = 0
    firing: int = 0
    begun: int = 0


def span_before(began: datetime, onset: datetime | None) -> Window:
    """The span that the effect is compared with: what was healthy before the trouble began says nothing about mending it."""
    start = began - BEFORE
    return Window(max(start, onset) if onset is not None and onset < began else start, began)


def cited(diagnosis: Diagnosis | None, series: Iterable[Series]) -> frozenset[Key]:
    """The series that a diagnosis names as evidence, found by the words with which it names them."""
    said = [e for e in diagnosis.evidence if e.kind is EvidenceKind.METRIC] if diagnosis else []
    found = set()
    for one in series:
        words = f"{name_of(one.metric)}{label_suffix(one.labels)} "
        if any(e.service == one.service and e.text.removeprefix(f"{one.service}: ").startswith(words) for e in said):
            found.add((one.service, name(one)))
    return frozenset(found)


def belongs(one: Series, environment: str, usual: str) -> bool:
    """The series is of this environment; one that names none is of the usual one."""
    named = next((one.labels[k] for k in ("environment", "env", "deployment_environment") if one.labels.get(k)), usual)
    return named == environment


def baseline(series: Sequence[Series], named: Collection[Key], before: Window, first: str) -> tuple[Measured, ...]:
    """What is looked at, with its level before: first what a diagnosis named, then the golden signals, those of `first` first."""
    found: dict[Key, Measured] = {}
    wanted = [s for s in series if (s.service, name(s)) in named]
    wanted += sorted((s for s in golden(series) if role(s.metric) in (*JUDGED, Role.TRAFFIC)), key=lambda s: s.service != first)
    for one in wanted:
        key = (one.service, name(one))
        was = level(_within(one, before))
        if was is not None and key not in found:
            found[key] = Measured(one.service, one.metric, key[1], was, cited=key in named)
    kept = sorted(found.values(), key=lambda m: (not m.cited, counts_traffic(m.metric)))
    return tuple(kept[:MOST])


def again(measured: Sequence[Measured], series: Sequence[Series], after: Window) -> tuple[Measured, ...]:
    """The same metrics with their level since; of what has been seen since the later half counts, for it is how things stand."""
    there: Mapping[Key, Series] = {(s.service, name(s)): s for s in reversed(series)}
    return tuple(_again(m, there.get((m.service, m.name)), after) for m in measured)


def _again(measured: Measured, series: Series | None, after: Window) -> Measured:
    values = _within(series, after) if series else []
    now = level(values[-max(FEWEST, (len(values) + 1) // 2) :])
    if now is None:
        return replace(measured, after=None, judgement=Judgement.UNKNOWN)
    return replace(measured, after=now, judgement=compare(measured.before, now, measured.metric))


def _within(series: Series, window: Window) -> list[float]:
    return [value for at, value in series.points if window.start <= at < window.end]


def of_metrics(measured: Sequence[Measured]) -> Judgement:
    """What the metrics say together. Errors come before latency: who fails at once is fast, who answers again is slower.

    Traffic that is as good as gone leaves nothing that could be called better.
    """
    gone = any(map(_gone, measured))
    for some in _by_weight(measured):
        said = {m.judgement for m in some}
        for word in (Judgement.WORSE, Judgement.BETTER):
            if word in said:
                return Judgement.NO_CHANGE if gone and word is Judgement.BETTER else word
    known = any(m.judgement is not Judgement.UNKNOWN for m in measured)
    return Judgement.NO_CHANGE if known else Judgement.UNKNOWN


def _by_weight(measured: Sequence[Measured]) -> tuple[list[Measured], ...]:
    errors = [m for m in measured if role(m.metric) is Role.ERRORS]
    return errors, [m for m in measured if role(m.metric) is Role.LATENCY], [m for m in measured if m not in errors]


def weigh(seen: Verification, alerts: Alerts) -> Verification:
    """The same with the alerts: what began to fire is worse, what cleared is better; else the metrics say."""
    metrics = of_metrics(seen.measured)
    if alerts.begun or metrics is Judgement.WORSE:
        word = Judgement.WORSE
    elif alerts.known and not alerts.firing:
        word = Judgement.BETTER
    elif metrics is not Judgement.UNKNOWN:
        word = metrics
    else:  # the alerts alone decide: they fire as before, or there never were any
        word = Judgement.NO_CHANGE
    return replace(seen, judgement=word, metrics=metrics, alerts=alerts.known, firing=alerts.firing, begun=alerts.begun)


def shown(measured: Sequence[Measured]) -> tuple[Measured, ...]:
    """What people see, the most telling first: what changed, then what was named; traffic only where it is as good as gone."""
    known = [m for m in measured if m.after is not None]
    kept = [m for m in known if m.judgement is not Judgement.UNKNOWN or m.cited or _gone(m)]
    return tuple(sorted(kept, key=lambda m: (m.judgement is Judgement.NO_CHANGE, not m.cited, role(m.metric) is not Role.ERRORS)))


def _gone(measured: Measured) -> bool:
    after = measured.after
    return after is not None and counts_traffic(measured.metric) and collapsed(measured.before, after)


def said(seen: Verification, action: Action) -> str:
    """For people: "error ratio 4.1 % → 0.2 %, p95 latency 810 → 240 ms; its 3 alerts cleared: better"."""
    figures = ", ".join(_figures(m, action.service) for m in shown(seen.measured)[:SAID])
    parts = [p for p in (figures or seen.doubt, told_of_alerts(seen, action)) if p]
    return f"{'; '.join(parts)}: {seen.judgement.value}"


def _figures(measured: Measured, service: str) -> str:
    whose = "" if measured.service == service else f" of {measured.service}"
    was, now = figures(measured)
    value, _, unit = was.rpartition(" ")
    if unit and unit != "%" and now.endswith(f" {unit}"):
        was = value
    return f"{label(measured)}{whose} {was} → {now}"


def label(measured: Measured) -> str:
    """The metric for people: "p95 latency", and what its labels add. Names and labels come from outside."""
    parts = name_of(measured.metric).split()
    kept = [w for w in parts if w not in ("request", "requests")] or parts
    name = " ".join(sorted(kept, key=lambda w: not re.fullmatch(r"p\d+", w)))
    full = f"{name}{measured.name.removeprefix(measured.metric)}"
    return redact(clean(" ".join(full.split())))[:80]


def figures(measured: Measured) -> tuple[str, str]:
    """Before and after with their units; "?" where nothing is known."""
    after = figure(measured.after.middle, measured.metric) if measured.after else "?"
    return figure(measured.before.middle, measured.metric), after


def told_of_alerts(seen: Verification, action: Action) -> str:
    """What became of the alerts, for people: "its 3 alerts cleared"."""
    if seen.begun:
        return f"{_many(seen.begun)} began to fire"
    if not seen.alerts:
        return f"{_many(seen.firing) if seen.firing else 'no alert'} fires on {action.service}".replace(
            "alerts fires", "alerts fire"
        )
    if not seen.firing:
        return f"its {_many(seen.alerts)} cleared" if seen.alerts > 1 else "its alert cleared"
    if seen.alerts == 1:
        return "its alert fires still"
    return f"{seen.firing} of its {seen.alerts} alerts {'fires' if seen.firing == 1 else 'fire'} still"


def _many(count: int) -> str:
    return f"{count} alert{'' if count == 1 else 's'}"
