"""What people do about noise: silences by matchers, arming what was in shadow, looking up why something was held."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Protocol

from bot.domain.incident import Incident
from bot.domain.noise import ARMABLE, CRITICAL, Decision, Kind, NoiseLimits, NoiseState, Outcome, Silence
from bot.errors import NotFound
from bot.flows.quiet.arming import EVERYBODY, SWITCH, Armed, switch_name
from bot.incidents.noise.figures import figures, held, mattered, would_have
from bot.incidents.noise.learning import ANY_SERVICE, expected, flap_score, flaps, forgotten, rule_mark, span
from bot.incidents.noise.matchers import BadMatcher, parse_several, told, too_wide
from bot.incidents.noise.storm import breakdown
from bot.ports import IncidentStore, Ledger, NoiseStore, SwitchStore, Transaction, Work
from bot.redact import redact

WEEK = timedelta(days=7)
MOST_INCIDENTS = 2000
LOOKED_THROUGH = 200  # incidents, for a problem of which nothing is learned
LONGEST_SILENCE = timedelta(days=90)
_HEX = re.compile(r"[0-9a-f]{16}")
ALIASES = {"transient": "transients", "flap": "flapping", "storm": "storms", "inhibition": "upstream", "upstreams": "upstream"}


class Room(Protocol):
    """The stores that these stories need; the desk is one, and so are a command's stores."""

    @property
    def noise(self) -> NoiseStore: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def switches(self) -> SwitchStore: ...
    @property
    def incidents(self) -> IncidentStore: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A silence as somebody typed it: matchers, a span such as "2h" or "", the word `critical`, and the rest as the reason."""

    matchers: tuple[str, ...]
    span: str
    critical: bool
    reason: str


def asked(words: Sequence[str]) -> Asked:
    """The words of a silence, sorted by what they are."""
    matchers = tuple(w for w in words if "=" in w)
    spans = [w for w in words if w[:-1].isdigit() and w[-1:] in "mhd"]
    rest = [w for w in words if w not in matchers and w not in spans[:1] and w != "critical"]
    return Asked(matchers, spans[0] if spans else "", "critical" in words, " ".join(rest))


# --- silences -----------------------------------------------------------------------------------------------------


def silence(
    tx: Transaction, room: Room, texts: Iterable[str], lasts: timedelta, by: str, now: datetime, *,
    reason: str = "", critical: bool = False, kind: Kind = Kind.SILENCE,
) -> Silence:  # fmt: skip
    """What matches is kept from people until it ends. Raises BadMatcher for matchers that ask for nothing."""
    matchers = parse_several(texts)
    if not matchers or too_wide(matchers):
        raise BadMatcher('A silence needs a matcher that asks for something, such as service=payments or alertname=~"Disk.*".')
    made = room.noise.silence(
        tx,
        Silence(
            id="",
            matchers=matchers,
            by=by,
            reason=redact(reason)[:300],
            starts_at=now,
            ends_at=now + min(lasts, LONGEST_SILENCE),
            critical=critical,
            kind=kind,
        ),
    )
    detail = {"matchers": told(matchers), "until": made.ends_at.isoformat(), "reason": made.reason}
    room.ledger.append(tx, now, by, "silenced" if kind is Kind.SILENCE else "opened maintenance", made.id, detail)
    return made


def unsilence(tx: Transaction, room: Room, work: Work, id: str, by: str, now: datetime) -> Silence:
    """It ends now; what it held and still fires is looked at at once. Raises NotFound."""
    found = room.noise.find_silence(tx, id)
    if found is None or found.ends_at <= now:
        raise NotFound(f"There is no silence {id[:20]} in force; `/incident silences` or `tocsin noise silences` lists them.")
    ended = Silence(
        found.id, found.matchers, found.by, found.reason, found.starts_at, now, found.critical, found.kind, ended_by=by
    )
    room.noise.silence(tx, ended)
    room.ledger.append(tx, now, by, "unsilenced", ended.id, {"matchers": told(ended.matchers)})
    if room.noise.look_now(tx, [found.kind], now):
        at = now.isoformat()
        work.start(tx, "housekeeping", "release", f"release:{ended.id}:{at}", {"at": at})
    return ended


def one_line(one: Silence, now: datetime) -> str:
    """A silence for people: id, matchers, how long, who and why."""
    left = span((one.ends_at - now).total_seconds())
    grave = "critical alerts too" if one.critical else "critical alerts still come through"
    why = f": {one.reason}" if one.reason else ""
    return f"{one.id} {one.kind.value} {told(one.matchers)} for {left} more, by {one.by}{why} ({grave})"


def silences(tx: Transaction, room: Room, now: datetime) -> list[str]:
    """Those in force, one line each."""
    found = [one_line(one, now) for one in room.noise.silences(tx, now)]
    return found or ["Nothing is silenced by matchers."]


# --- arming -------------------------------------------------------------------------------------------------------


def arm(tx: Transaction, room: Room, word: str, team: str, by: str, now: datetime, *, armed: bool = True) -> str:
    """Holds of this kind act for this team from now on, or only tell what they would have done. Raises NotFound."""
    name = ALIASES.get(word.lower(), word.lower())
    if name not in [kind.value for kind in ARMABLE]:
        kinds = ", ".join(kind.value for kind in ARMABLE)
        raise NotFound(f"{word[:40]!r} cannot be armed; there are {kinds}. What people wrote acts without that.")
    kind = Kind(name)
    team = EVERYBODY if team in ("all", "everybody", EVERYBODY) else team.removeprefix("team ").strip()[:40]
    if not team:
        raise NotFound(f"For which team? `tocsin noise arm {name} --team T`, or `all`; services without an owner are `unowned`.")
    position = "armed" if armed else "shadow"
    room.switches.turn(tx, switch_name(kind, team), position, by, now)
    room.ledger.append(tx, now, by, "armed" if armed else "disarmed", f"noise:{name}", {"team": team})
    whom = "every team without a word of its own" if team == EVERYBODY else team
    return f"{name} {'act' if armed else 'only tell what they would have done'} for {whom} from now on."


# --- looking up ---------------------------------------------------------------------------------------------------


def status(tx: Transaction, room: Room, now: datetime, *, always: bool = False) -> list[str]:
    """The last seven days per team and kind, and what is held now."""
    decisions = room.noise.decided(tx, now - WEEK)
    armed = Armed(room.switches.like(tx, SWITCH), always=always)
    rows = figures(decisions, _incidents(tx, room, decisions))
    lines = []
    for row in rows:
        kind = Kind(row.kind)
        state = "by rule" if kind not in ARMABLE else "armed" if armed(kind, row.team) else "in shadow"
        said = [f"{row.held} held, {row.held_late} told late"] if row.held else []
        if row.would:
            said.append(f"would have held {row.would}, of which {row.would_matter} turned out to matter")
        if row.open:
            said.append(f"{row.open} not over yet")
        lines.append(f"{row.team}: {row.kind} ({state}): {'; '.join(said)}")
    held_now = room.noise.held(tx)
    everybody = [kind.value for kind in ARMABLE if armed(kind, EVERYBODY)]
    lines.append(f"held now: {len(held_now)}; armed for every team: {', '.join(everybody) or 'nothing'}")
    return lines if rows else ["Nothing was held, and nothing would have been, in the last seven days.", *lines]


def _incidents(tx: Transaction, room: Room, decisions: Sequence[Decision]) -> Mapping[str, Incident]:
    ids = list(dict.fromkeys(one.incident_id for one in decisions if one.incident_id))[:MOST_INCIDENTS]
    found = {id: room.incidents.get(tx, id) for id in ids}
    return {id: incident for id, incident in found.items() if incident is not None}


def listing(tx: Transaction, room: Room, since: datetime, search: str = "", limit: int = 200) -> list[str]:
    """What was held or would have been since a time, the newest first, with its reason."""
    found = [d for d in room.noise.decided(tx, since) if _found(d, search.lower())][:limit]
    return [decision_line(one) for one in found] or ["Nothing was held, and nothing would have been."]


def _found(one: Decision, search: str) -> bool:
    words = (one.fingerprint, one.name, one.service, one.team, one.kind.value, one.reason)
    return search in " ".join(words).lower()


def decision_line(one: Decision) -> str:
    """A decision for people: when, whose, what, why and how it turned out."""
    what = "held" if one.acted else "would have held"
    outcome = {
        Outcome.PENDING: "",
        Outcome.CLEARED: "; it cleared",
        Outcome.OUTLASTED: "; it went on firing",
        Outcome.TOLD: "; people were told",
    }[one.outcome]
    where = f"{one.name} on {one.service} ({one.environment}, {one.severity.value})"
    return f"{one.at:%Y-%m-%d %H:%M:%S} {one.fingerprint} {where}: {what}, {one.kind.value}: {one.reason}{outcome}"


def explain(tx: Transaction, room: Room, which: str, now: datetime, limits: NoiseLimits) -> list[str]:
    """What is known of one problem, by fingerprint or by its alert's name: state, past, and each decision. Raises NotFound."""
    state = room.noise.states(tx, [which[:16].lower()]).get(which[:16].lower())
    decisions = room.noise.decided(tx, fingerprint=which[:16].lower(), limit=50)
    if state is None and not decisions:
        named = [s for s in room.noise.every(tx) if which.lower() in (s.name.lower(), f"{s.name} {s.service}".lower())]
        named = [s for s in named if s.service != ANY_SERVICE] or named
        if len(named) == 1:
            return explain(tx, room, named[0].fingerprint, now, limits)
        if named:
            several = f"{len(named)} problems are called {named[0].name}; ask again with the fingerprint of one of them:"
            return [several, *(f"{s.fingerprint} {s.name} on {s.service} ({s.environment})" for s in named[:20])]
        if seen := _in_incidents(tx, room, which.lower()):
            return seen
        raise NotFound(_nothing_known(which, [s.name for s in room.noise.every(tx)]))
    lines = _known(state, now, limits) if state else []
    if state is not None and len(state.episodes) < limits.transient_samples:
        mark = rule_mark(state.environment, state.name)
        lines += [_past(rule, now, limits) for rule in room.noise.states(tx, [mark]).values() if rule.episodes]
    incidents = _incidents(tx, room, decisions)
    for one in decisions[:20]:
        lines.append(decision_line(one) + (" (it mattered)" if mattered(one, incidents.get(one.incident_id)) else ""))
    return lines if decisions else [*lines, "Nothing of it was held, and nothing would have been."]


def _in_incidents(tx: Transaction, room: Room, which: str) -> list[str]:
    """Problems of which nothing is learned, as critical ones, as far as they are in a live or a recent incident."""
    incidents = {i.id: i for i in (*room.incidents.live(tx), *room.incidents.recent(tx, LOOKED_THROUGH))}
    lines = []
    for incident in incidents.values():
        for one in incident.members:
            if which in (one.fingerprint, one.name.lower(), f"{one.name} {one.service}".lower()):
                fires = "it fires" if one.firing else "it does not fire"
                where = f"{one.name} on {one.service} ({incident.environment}, {one.severity.value})"
                why = "only a rule may hold a critical alert" if one.severity in CRITICAL else "nothing is learned of it yet"
                lines.append(f"{one.fingerprint} {where}: {fires}; in {incident.key}; nothing of it was held: {why}")
    return lines[:20]


def _nothing_known(which: str, names: Sequence[str]) -> str:
    close = get_close_matches(which.lower(), {name.lower(): None for name in names}, n=3)
    near = [name for name in dict.fromkeys(names) if name.lower() in close]
    hint = f"did you mean {' or '.join(near)}?" if near else "`tocsin noise list` shows what was held, and its fingerprints."
    what = "an alert" if len(which) != 16 or not _HEX.fullmatch(which.lower()) else "a fingerprint"
    return f"No problem with {which[:60]!r} as {what} has been seen yet; {hint}"


def _known(state: NoiseState, now: datetime, limits: NoiseLimits) -> list[str]:
    fires = f"it fires since {state.began:%Y-%m-%d %H:%M:%S} UTC" if state.began else "it does not fire"
    lines = [
        f"{state.fingerprint} {state.name} on {state.service} ({state.environment}): {fires}; "
        f"fired {state.fired} times (what is learned has version {state.version})"
    ]
    if state.hold is not None:
        hold = state.hold
        when = f"held since {hold.since:%H:%M:%S}, looked at again at {hold.until:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(f"{when}: {hold.kind.value}: {hold.reason}")
    if state.episodes:
        lines.append(_past(state, now, limits))
    score = flap_score(state.changes, now, timedelta(seconds=limits.flap_window))
    flapping = "flaps" if flaps(state, now, limits) else "does not flap"
    lines.append(f"it {flapping}: score {score:.1f} within {span(limits.flap_window)}, from {limits.flap_changes:g} on it does")
    return lines


def _past(state: NoiseState, now: datetime, limits: NoiseLimits) -> str:
    past = expected(state.episodes, now, limits)
    by_itself = sum(1 for e in state.episodes if e.by_itself)
    enough = "" if past.times >= limits.transient_samples else f"; {limits.transient_samples:g} times are needed to judge"
    what = f"{state.name} of whatever service" if state.service == ANY_SERVICE else "it"
    return (
        f"of {past.times} times {what} cleared by itself {by_itself} times, nine in ten within {span(past.usual)}; "
        f"likely to clear within {span(past.hold)}: {past.share:.0%} (held from {limits.transient_share:.0%}){enough}"
    )


def reset(tx: Transaction, room: Room, fingerprint: str, by: str, now: datetime) -> int:
    """What was learned, of one problem or all, is forgotten; holds stay. How many problems."""
    held_now = [s for s in room.noise.held(tx, 100_000) if not fingerprint or s.fingerprint == fingerprint]
    room.noise.keep(tx, (forgotten(state) for state in held_now), now)
    count = room.noise.reset(tx, fingerprint) + len(held_now)
    room.ledger.append(tx, now, by, "forgot noise", fingerprint or "all", {"problems": str(count)})
    return count


def digest_lines(tx: Transaction, room: Room, since: datetime) -> list[str]:
    """What was held and what would have been since a time."""
    decisions = room.noise.decided(tx, since)
    rows = figures(decisions, _incidents(tx, room, decisions))
    return [line for line in (held(rows), would_have(rows)) if line]


def noise_notices(tx: Transaction, room: Room, incident: Incident) -> tuple[str, ...]:
    """For the card: what a storm consists of, and how many alerts are not shown because this incident explains them."""
    held_for = room.noise.put_down_to(tx, incident.id)
    said = (f"{held_for} alert{'' if held_for == 1 else 's'} held because of it",) if held_for and not incident.storm else ()
    return (*(breakdown(incident) if incident.storm else ()), *said)
