"""How well alerts become incidents: what a replayed stream came to, against what truly belonged together.

Pure: files in, and what `noise_replay` saw; figures out. docs/noise-evaluation.md defines every figure.
"""

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bot.errors import BadSettings
from bot.evals.metrics import percentile
from bot.evals.rows import Row, read_rows

EVAL_ID = "eval_id"


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery of the stream: its body without eval ids, and those ids in the order of the alerts that carried them.

    `firing` tells for each id whether its alert fires, as far as the payload says so before anybody parsed it.
    """

    line: int
    at: datetime
    connector: str
    body: bytes
    eval_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What an alert really belonged to: a group, or "" for noise."""

    group: str
    critical: bool


@dataclass(slots=True)
class Fate:
    """What became of one eval id: when it first fired, which incident took it first and when, when a person heard of that."""

    fired_at: datetime
    incident: str = ""
    placed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a replay came to.

    `told` is when each incident first reached a person; `firings` counts beginnings: an alert that fires and did not
    fire before, repeats and copies left out.
    """

    fates: Mapping[str, Fate]
    told: Mapping[str, datetime]
    notifications: int
    firings: int
    thread_replies: int = 0
    incidents: int = 0
    unreadable: int = 0
    skipped_work: Mapping[str, int] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)  # incident: the one that has its problems now


def read_stream(path: Path) -> list[Sent]:
    """The deliveries in the order of their times. Raises BadSettings that names the line."""
    sent = []
    for number, row in read_rows(path):
        try:
            at, connector, payload = row["at"], row["connector"], row["payload"]
        except KeyError as missing:
            raise BadSettings(f"{path}:{number}: {missing} is missing; a delivery has at, connector and payload.") from None
        if not isinstance(connector, str) or not isinstance(payload, dict | list):
            raise BadSettings(f"{path}:{number}: connector has to be a name, and payload an object or a list.")
        eval_ids: list[str] = []
        stripped = _without_ids(payload, eval_ids, f"{path}:{number}")
        body = json.dumps(stripped, ensure_ascii=False).encode("utf-8", "replace")
        sent.append(Sent(number, _time(at, f"{path}:{number}"), connector, body, tuple(eval_ids)))
    return sorted(sent, key=lambda one: (one.at, one.line))


def _time(told: object, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(str(told))
    except ValueError:
        raise BadSettings(f"{where}: at is {str(told)[:60]!r}; a good value: 2026-11-22T12:00:00Z.") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _without_ids(value: object, found: list[str], where: str) -> object:
    """The payload as its sender would have sent it; the ids in the order in which they stood in it."""
    if isinstance(value, dict):
        if EVAL_ID in value:
            if not isinstance(value[EVAL_ID], str | int):
                raise BadSettings(f"{where}: {EVAL_ID} has to be a text or a number.")
            found.append(str(value[EVAL_ID]))
        return {key: _without_ids(inner, found, where) for key, inner in value.items() if key != EVAL_ID}
    if isinstance(value, list):
        return [_without_ids(inner, found, where) for inner in value]
    return value


def read_truth(path: Path) -> dict[str, Truth]:
    """What each eval id belonged to. Raises BadSettings that names the line."""
    truth: dict[str, Truth] = {}
    for number, row in read_rows(path):
        id, group, critical = _truth(row, f"{path}:{number}")
        if truth.setdefault(id, Truth(group, critical)) != Truth(group, critical):
            raise BadSettings(f"{path}:{number}: {EVAL_ID} {id!r} was told differently on an earlier line.")
    return truth


def _truth(row: Row, where: str) -> tuple[str, str, bool]:
    for key in (EVAL_ID, "group"):
        if key not in row:
            raise BadSettings(f'{where}: {key!r} is missing; a line has eval_id, group ("g7", or null for noise) and critical.')
    id, group, critical = row[EVAL_ID], row["group"], row.get("critical", False)
    if not isinstance(id, str | int) or not isinstance(group, str | int | None) or not isinstance(critical, bool):
        raise BadSettings(f"{where}: eval_id is a text, group a text or null, critical true or false.")
    return str(id), "" if group is None else str(group), critical


def check(sent: Iterable[Sent], truth: Collection[str], stream: Path) -> None:
    """Raises BadSettings for an eval id of the stream that the truth does not tell of."""
    for one in sent:
        for id in one.eval_ids:
            if id not in truth:
                raise BadSettings(f"{stream}:{one.line}: {EVAL_ID} {id!r} is not in the truth.")


def score(seen: Seen, truth: Mapping[str, Truth]) -> dict[str, object]:
    """The figures of a replay."""
    fates = {id: fate for id, fate in seen.fates.items() if id in truth}
    ended = {id: replace(fate, incident=_last(fate.incident, seen.merged)) for id, fate in fates.items()}
    precision, recall = pairwise(ended, truth)
    groups = _by_group(fates, truth)
    heard = {group: _heard(ids, fates, seen.told) for group, ids in groups.items()}
    delays = sorted(
        (at - min(fates[id].fired_at for id in groups[group])).total_seconds() for group, at in heard.items() if at is not None
    )
    criticals = [id for id in fates if truth[id].critical]
    return {
        "n": len(fates),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        "ari": adjusted_rand({id: truth[id].group for id in fates if truth[id].group}, _clusters(ended, truth)),
        "notifications": seen.notifications,
        "compression": 1 - seen.notifications / seen.firings if seen.firings else 0.0,
        "missed_incidents": sum(at is None for at in heard.values()),
        "held_critical": sum(_heard([id], fates, seen.told) is None for id in criticals),
        "delay_s_p50": percentile(delays, 0.5),
        "delay_s_p95": percentile(delays, 0.95),
        "firings": seen.firings,
        "groups": len(groups),
        "incidents": seen.incidents,
        "noise_shown": sum(1 for id in fates if not truth[id].group and fates[id].incident in seen.told),
        "noise": sum(1 for id in fates if not truth[id].group),
        "groups_in_anothers_incident": _swallowed(groups, fates),
        "thread_replies": seen.thread_replies,
        "unreadable": seen.unreadable,
    }


def _last(incident: str, merged: Mapping[str, str]) -> str:
    """The incident that has the problems of this one in the end."""
    while incident in merged:
        incident = merged[incident]
    return incident


def pairwise(fates: Mapping[str, Fate], truth: Mapping[str, Truth]) -> tuple[float, float]:
    """Precision and recall over pairs of eval ids that share an incident, and over pairs that share a group.

    A pair of an alert that belongs to a group and one that is noise is wrong where both are in one incident; pairs of
    two noise alerts count for nothing. Nothing to be wrong about is 1.
    """
    together = same = belong = 0
    incidents: dict[str, Counter[str]] = {}
    for id, fate in fates.items():
        if fate.incident:
            incidents.setdefault(fate.incident, Counter())[truth[id].group] += 1
    for groups in incidents.values():
        all_of_it, noise = groups.total(), groups[""]
        together += math.comb(all_of_it, 2) - math.comb(noise, 2)
        same += sum(math.comb(count, 2) for group, count in groups.items() if group)
    for ids in _by_group(fates, truth).values():
        belong += math.comb(len(ids), 2)
    return (same / together if together else 1.0), (same / belong if belong else 1.0)


def adjusted_rand(truth: Mapping[str, str], found: Mapping[str, str]) -> float:
    """The adjusted Rand index of two ways to divide the same ids (Hubert and Arabie 1985); 1 for equal ones."""
    cells = Counter((truth[id], found[id]) for id in truth)
    rows, columns = Counter(truth.values()), Counter(found[id] for id in truth)
    index = sum(math.comb(n, 2) for n in cells.values())
    a, b = (sum(math.comb(n, 2) for n in side.values()) for side in (rows, columns))
    pairs = math.comb(len(truth), 2)
    expected = a * b / pairs if pairs else 0.0
    most = (a + b) / 2
    return 1.0 if most == expected else (index - expected) / (most - expected)


def _clusters(fates: Mapping[str, Fate], truth: Mapping[str, Truth]) -> dict[str, str]:
    """The incident of each alert that belongs to a group; one without an incident is alone."""
    return {id: fate.incident or f"alone {id}" for id, fate in fates.items() if truth[id].group}


def _by_group(fates: Mapping[str, Fate], truth: Mapping[str, Truth]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for id in fates:
        if truth[id].group:
            groups.setdefault(truth[id].group, []).append(id)
    return groups


def _heard(ids: Sequence[str], fates: Mapping[str, Fate], told: Mapping[str, datetime]) -> datetime | None:
    """When a person first heard of any of these alerts: its incident had reached somebody, and it was part of it."""
    times = [
        max(told[fate.incident], fate.placed_at)
        for fate in (fates[id] for id in ids)
        if fate.placed_at is not None and fate.incident in told
    ]
    return min(times, default=None)


def _swallowed(groups: Mapping[str, Sequence[str]], fates: Mapping[str, Fate]) -> int:
    """Groups that have no incident which they were the first in: people heard of them by an edit of another's card."""
    firsts: dict[str, tuple[datetime, str]] = {}
    for group, ids in groups.items():
        for fate in (fates[id] for id in ids):
            if fate.incident and fate.placed_at is not None:
                firsts[fate.incident] = min(firsts.get(fate.incident, (fate.placed_at, group)), (fate.placed_at, group))
    leaders = {group for _, group in firsts.values()}
    return sum(1 for group, ids in groups.items() if group not in leaders and any(fates[id].incident for id in ids))
