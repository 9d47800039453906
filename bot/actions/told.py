"""What the audit tells of an action: written with each of its steps, and read again as one story, from the audit alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum

from bot.actions.effect import said
from bot.domain.action import UNDECIDED, Action, Authority, Plan
from bot.domain.audit import AuditLine
from bot.domain.change import Commit

ERASED = "[erased]"
MOST_ITEMS, LONGEST = 50, 400
APPROVED, REJECTED, STARTED = "approved", "rejected", "executing"


def detail(action: Action, deed: str) -> dict[str, str]:
    """What a line of the audit tells of an action beside who and when; while nobody has decided, the whole plan too."""
    plan = action.plan
    decided = action.decisions[-1] if action.decisions and deed in (APPROVED, REJECTED) else None
    stands_in = decided is not None and decided.authority is not Authority.PERSON
    told = {
        "kind": action.kind.value,
        "service": action.service,
        "environment": action.environment,
        "target": action.target,
        "plan": plan.hash if plan else "",
        "shown": shown(plan) if plan and (action.status in UNDECIDED or action.version <= 1) else "",
        "reason": action.reason,
        "incident": action.incident_id,
        "rule": action.policy,
        "note": decided.note if decided else "",
        "authority": f"{decided.authority.value} {decided.by}" if decided and stands_in else "",
        "run": action.run,
        "link": action.link,
        "outcome": action.outcome,
        "effect": said(action.verification, action) if action.verification and action.ended else "",
        "claim": action.claim.value,
        "claim_reason": action.claim_reason,
        "undoes": action.undoes,
        "batch": action.batch,
        "on_behalf_of": action.on_behalf_of,
        "step": action.step,
    }
    return {name: text for name, text in told.items() if text}


def shown(plan: Plan) -> str:
    """The plan as JSON: all that its message can show; long lists and texts are cut and say so."""
    return json.dumps(_plain(plan), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _plain(value: object) -> object:
    if isinstance(value, Commit):  # its files are in the plan's
        return f"{value.short} {value.author}: {value.message.splitlines()[0] if value.message else ''}"[:LONGEST]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
    if isinstance(value, Mapping):
        return {str(key)[:LONGEST]: _plain(one) for key, one in list(value.items())[:MOST_ITEMS]}
    if isinstance(value, Sequence):
        more = [f"and {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else []
        return [*map(_plain, value[:MOST_ITEMS]), *more]
    if is_dataclass(value):
        every = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: _plain(one) for name, one in every.items() if one not in ("", (), None)}
    return value


@dataclass(frozen=True, slots=True)
class ActionStory:
    """One action as the audit tells it: who asked, what was shown, who approved, what ran, what came of it.

    Names that were erased are "[erased]"; what was told with an erased text is "". `first` and `last` are numbers of lines;
    times are UTC, None where it did not come to that.
    """

    id: str
    kind: str
    service: str
    environment: str
    asked_by: str
    asked_at: datetime
    reason: str
    incident: str
    claim: str
    rule: str
    from_version: str
    to_version: str
    risk: str
    plan: str  # the hash that an approval is bound to
    shown: str  # the plan as JSON
    approved_by: tuple[str, ...]
    rejected_by: tuple[str, ...]
    started_at: datetime | None
    run: str
    link: str
    ended_as: str
    ended_at: datetime
    outcome: str
    effect: str  # what the alerts and metrics that motivated it did afterwards
    steps: tuple[str, ...]  # "2026-11-22T12:00:00+00:00 U1 approved"
    first: int
    last: int


def is_action(line: AuditLine) -> bool:
    """The line tells of an action."""
    told = _told(line)
    return "kind" in told and "service" in told and "environment" in told


def story(lines: Sequence[AuditLine]) -> ActionStory | None:
    """The story that the lines of one action tell, oldest first; None of lines that tell of none."""
    told = [_told(line) for line in lines]
    if not any("kind" in one for one in told):
        return None

    def first(name: str) -> str:
        return next((one[name] for one in told if one.get(name)), "")

    def latest(name: str) -> str:
        return next((one[name] for one in reversed(told) if one.get(name)), "")

    plan = _plan(latest("shown"))
    ran = [line for line in lines if line.deed == STARTED]
    return ActionStory(
        id=lines[0].subject,
        kind=first("kind"),
        service=first("service"),
        environment=first("environment"),
        asked_by=_who(lines[0]),
        asked_at=lines[0].at,
        reason=first("reason"),
        incident=first("incident"),
        claim=": ".join(part for part in (first("claim"), first("claim_reason")) if part),
        rule=first("rule"),
        from_version=str(plan.get("current_version", "")),
        to_version=str(plan.get("target_version", "")) or latest("target"),
        risk=str(plan.get("risk", "")),
        plan=latest("plan"),
        shown=latest("shown"),
        approved_by=tuple(
            one.get("authority") or _who(line) for line, one in zip(lines, told, strict=True) if line.deed == APPROVED
        ),
        rejected_by=tuple(_who(line) for line in lines if line.deed == REJECTED),
        started_at=ran[0].at if ran else None,
        run=latest("run"),
        link=latest("link"),
        ended_as=lines[-1].deed,
        ended_at=lines[-1].at,
        outcome=told[-1].get("outcome", ""),
        effect=latest("effect"),
        steps=tuple(f"{line.at.isoformat(timespec='seconds')} {_who(line)} {line.deed}" for line in lines),
        first=lines[0].seq,
        last=lines[-1].seq,
    )


def _who(line: AuditLine) -> str:
    return ERASED if line.actor is None else line.actor


def _told(line: AuditLine) -> dict[str, str]:
    try:
        found = json.loads(line.detail or "{}")
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _plan(text: str) -> Mapping[str, object]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
