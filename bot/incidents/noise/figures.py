"""What noise reduction did, or would have done, in figures per team and kind: enough to decide what to arm."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain.incident import Incident
from bot.domain.noise import ARMABLE, Decision, Outcome

BY_ITSELF = ("", "alerts cleared", "tocsin")


@dataclass(frozen=True, slots=True)
class Figures:
    """Decisions of one team and kind: how many acted, how many only would have, how many of each mattered after all."""

    team: str
    kind: str
    held: int = 0
    held_late: int = 0  # it still fired when the hold ended: people heard late
    would: int = 0
    would_matter: int = 0
    open: int = 0  # of those that would have: nobody knows yet


def mattered(decision: Decision, incident: Incident | None) -> bool:
    """Holding it would have been wrong: it outlasted the hold, or a person took, resolved or explained its incident."""
    if decision.outcome is Outcome.OUTLASTED:
        return True
    if decision.acted or incident is None:
        return False
    by_hand = incident.resolved_by not in BY_ITSELF and not incident.resolved_by.startswith("verified")
    return bool(incident.acknowledged_by or incident.confirmed_cause or by_hand)


def figures(decisions: Iterable[Decision], incidents: Mapping[str, Incident]) -> tuple[Figures, ...]:
    """One per team and kind, the most decisions first."""
    counts: dict[tuple[str, str], list[int]] = {}
    for one in decisions:
        row = counts.setdefault((one.team, one.kind.value), [0, 0, 0, 0, 0])
        matters = mattered(one, incidents.get(one.incident_id))
        row[0 if one.acted else 2] += 1
        row[1 if one.acted else 3] += matters
        row[4] += not one.acted and not matters and one.outcome is Outcome.PENDING and one.until is not None
    found = [Figures(team, kind, *row) for (team, kind), row in counts.items()]
    return tuple(sorted(found, key=lambda f: (-f.held - f.would, f.team, f.kind)))


def would_have(found: Iterable[Figures]) -> str:
    """For the digest: what holds in shadow would have spared, and how often that would have been wrong; "" for nothing."""
    rows = [f for f in found if f.kind in [k.value for k in ARMABLE]]
    would, wrong = sum(f.would for f in rows), sum(f.would_matter for f in rows)
    if not would:
        return ""
    kinds: dict[str, int] = {}
    for row in rows:
        kinds[row.kind] = kinds.get(row.kind, 0) + row.would
    named = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items(), key=lambda kv: -kv[1]) if count)
    return f"would have held {would} (of which {wrong} turned out to matter): {named}; `tocsin noise status` tells by team"


def held(found: Iterable[Figures]) -> str:
    """For the digest: what was held; "" for nothing."""
    rows = [f for f in found if f.held]
    total, late = sum(f.held for f in rows), sum(f.held_late for f in rows)
    if not total:
        return ""
    kinds: dict[str, int] = {}
    for row in rows:
        kinds[row.kind] = kinds.get(row.kind, 0) + row.held
    named = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items(), key=lambda kv: -kv[1]))
    return f"{total} alerts were held ({named}), {late} of them were told later because they went on firing"
