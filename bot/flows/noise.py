"""What noise reduction makes of a batch of news: what is kept from people, what would have been, and why.

What people wrote (silences, windows, rules) acts at once. What the bot thinks of by itself (flapping, transients, a failing
upstream, storms) acts where it was armed for the team; elsewhere the alert goes its way and the decision is only recorded.
A hold is a state and a piece of durable work, `release`, in the transaction of its batch: it survives whatever happens.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.alert import Severity
from bot.domain.incident import Incident, Status
from bot.domain.noise import EXPLICIT, Decision, Hold, Kind, NoiseState, Outcome, Source, Storm
from bot.flows.arming import SWITCH, Armed
from bot.flows.desk import Desk
from bot.incidents.bundles import Joined
from bot.incidents.dedup import BEGINS, News, Verdict, released
from bot.incidents.kinship import Kinship
from bot.incidents.membership import home_of
from bot.incidents.noise import storm as storms
from bot.incidents.noise.learning import begun, current, heard, rule_mark, taught
from bot.incidents.noise.matchers import labels_of
from bot.incidents.noise.rules import equal
from bot.incidents.noise.verdicts import Failing, Ruling, Written, by_past, by_people, critical
from bot.ports import Transaction

FORGOTTEN = timedelta(days=1)  # a source of an inhibition that nobody told of for so long fires no more
OVERDUE = timedelta(minutes=1)
HARDLY = timedelta(seconds=1)  # a hold ends at a whole second, up to one before the span is over
NOBODY = "unowned"  # the team of services without an owner
BY_ITSELF = ("", "alerts cleared")


class Quiet:
    """What noise reduction makes of the news of one transaction. `take` what came in or `again` what was held; then `keep`."""

    def __init__(
        self, tx: Transaction, news: Mapping[str, News], incidents: Mapping[str, Incident], now: datetime, desk: Desk
    ) -> None:
        self._tx, self._news, self._incidents, self._now, self._desk = tx, news, incidents, now, desk
        self._states: dict[str, NoiseState] = {}
        self._rules: dict[str, NoiseState] = {}  # what is known of whole alert rules, by their marks
        self._changed: set[str] = set()
        self._taught: set[str] = set()
        self._decided: list[Decision] = []
        self._ended: dict[Outcome | None, list[str]] = {}
        self._released: set[str] = set()
        self._shadow: dict[str, list[Ruling]] = {}  # what would have been, of those that reach people all the same
        self._armed = Armed({})
        self._written = Written(desk.noise_rules())
        self._storms: dict[str, Storm] = {}
        self._teams: dict[str, str] = {}
        self._known_failing: Failing | None = None
        self.held: dict[str, Hold] = {}  # by fingerprint: what is kept from people now
        self.swallowed: dict[str, list[str]] = {}  # by the storm's incident: those that opened before it and are part of it
        self.company: dict[str, News] = {}  # problems that are held for being alone, as the news that they would be

    # --- what came in ---------------------------------------------------------------------------------------------

    def take(self) -> None:
        """The news changes what is known; what people's rules keep back is held, holds that ended are let go."""
        self._watch_sources(self._news.values())
        moved = [one for one in self._news.values() if one.begins or one.cleared_now]
        if not moved:
            return
        marks = {_mark(one) for one in moved}
        known = self._desk.noise.states(self._tx, {*(one.fingerprint for one in moved), *marks})
        self._rules = {mark: current(known[mark]) for mark in marks if mark in known}
        if any(one.begins for one in moved):
            self._read_rules([one for one in moved if one.begins])
        for one in moved:
            self._move(one, known.get(one.fingerprint))

    def _move(self, one: News, known: NoiseState | None) -> None:
        rule = self._rules.get(_mark(one))
        if known is None and one.before is None and one.firing and self._written.empty and rule is None:
            return  # it fires for the first time ever, and nobody wrote a rule: nothing speaks against it
        before = current(known) if known is not None else begun(one)
        state = heard(before, one, self._now, self._desk.quiet, by_itself=self._by_itself(one))
        self._states[one.fingerprint] = state
        if known is not None or one.cleared_now:  # a problem's first fire alone is not worth a row
            self._changed.add(one.fingerprint)
        if one.cleared_now and not one.firing:
            self._finish(one.fingerprint, None)
        if state.episodes != before.episodes:
            self._rules[_mark(one)] = taught(rule, state, len(before.episodes))
            self._taught.add(_mark(one))
        if not one.begins:
            return
        home = home_of(one, self._incidents, self._desk.limits.reopen)
        if home is not None and home.live:
            self._flutters(one, state)
            return
        ruling = by_people(one.begins, state, self._written, self._now, self._desk.quiet)
        hold = state.hold
        if hold is not None and ruling is None and (hold.kind in EXPLICIT or critical(one.begins)):
            self._finish(one.fingerprint, Outcome.TOLD)
            hold = None
        if hold is not None:
            self.held[one.fingerprint] = hold
        elif ruling is not None:
            self._hold(one, ruling)
        elif not critical(one.begins) and (past := by_past(state, rule, self._now, self._desk.quiet)):
            team = self._team(one.begins[0].service)
            armed = next((ruling for ruling in past if self._armed(ruling.kind, team)), None)
            if armed is not None:
                self._hold(one, armed)
            else:
                self._shadow.setdefault(one.fingerprint, []).extend(past)

    def _flutters(self, one: News, state: NoiseState) -> None:
        """What flaps within an open incident tells nobody anything: only what stays up is news of it."""
        if state.hold is not None and critical(one.begins):
            self._finish(one.fingerprint, Outcome.TOLD)
        elif state.hold is not None:
            self.held[one.fingerprint] = state.hold
        elif state.flapping and not critical(one.begins) and self._armed(Kind.FLAPPING, self._team_of(one)):
            self._hold(one, by_past(state, None, self._now, self._desk.quiet)[0])

    def _by_itself(self, one: News) -> bool:
        home = self._incidents.get(one.incident_id)
        return home is None or (not home.acknowledged_by and home.resolved_by in BY_ITSELF)

    def _finish(self, fingerprint: str, outcome: Outcome | None) -> None:
        """Its hold ends, and the decisions about this time of firing have turned out."""
        state = self._states[fingerprint]
        if state.hold is None and not state.pending:
            return
        self._ended.setdefault(outcome, []).extend(state.pending)
        self._states[fingerprint] = replace(state, hold=None, pending=())
        self._changed.add(fingerprint)

    def _watch_sources(self, news: Iterable[News]) -> None:
        """Alerts that inhibit others are known while they fire."""
        rules = self._desk.noise_rules()
        if not rules.inhibits:
            return
        firing: dict[tuple[str, str], Source] = {}
        cleared: set[str] = set()
        for one in news:
            for event, verdict in one.events:
                if verdict is Verdict.CLEARED or event.alert.resolved:
                    cleared.add(event.instance)
                    for key in [key for key in firing if key[1] == event.instance]:
                        del firing[key]
                    continue
                told = f"{event.alert.name} on {event.alert.service}"
                for name, values in rules.sources(event.alert):
                    firing[name, event.instance] = Source(name, event.instance, values, told, self._now)
        self._desk.noise.clear(self._tx, cleared)
        self._desk.noise.fire(self._tx, tuple(firing.values()))

    def _read_rules(self, begins: Sequence[News]) -> None:
        self._armed = Armed(self._desk.switches.like(self._tx, SWITCH), always=self._desk.quiet.armed)
        rules = self._desk.noise_rules()
        silences = [s for s in self._desk.noise.silences(self._tx, self._now) if s.active(self._now)]
        wanted = {(rule.name, equal(rule, labels_of(alert))) for rule in rules.inhibits for one in begins for alert in one.begins}
        since = self._now - FORGOTTEN
        self._written = Written(rules, silences, self._desk.noise.sources(self._tx, wanted, since) if wanted else {})

    # --- what was held --------------------------------------------------------------------------------------------

    def again(self, states: Sequence[NoiseState]) -> None:
        """Holds that are due: what a rule still keeps back is held on, the rest goes its way."""
        self._states = {state.fingerprint: current(state) for state in states}
        self._read_rules(tuple(self._news.values()))
        for fingerprint, state in list(self._states.items()):
            hold, one = state.hold, self._news.get(fingerprint)
            if hold is None or one is None:  # it does not fire any more, or nobody knows it
                self._finish(fingerprint, None)
                self._changed.add(fingerprint)
                continue
            self._released.add(fingerprint)
            ruling = by_people(one.begins, state, self._written, self._now, self._desk.quiet)
            if ruling is not None and ruling.kind is Kind.OCCURRENCES and hold.kind is Kind.OCCURRENCES:
                ruling = None  # it fired for the whole span
            if ruling is None and hold.kind is Kind.UPSTREAM:
                ruling = self._still_above(hold)
            if ruling is None and hold.kind is Kind.NOTICES:
                ruling = Ruling(Kind.NOTICES, hold.reason, self._now + FORGOTTEN)
            if ruling is None:
                self._finish(fingerprint, Outcome.OUTLASTED)
            elif ruling.kind is hold.kind:
                self._hold_on(fingerprint, replace(hold, until=self._second(ruling.until), reason=ruling.reason))
            else:
                self._finish(fingerprint, Outcome.TOLD)
                self._hold(one, ruling)

    def _still_above(self, hold: Hold) -> Ruling | None:
        """Its upstream fails on, and it was not held for as long as an idea of ours may hold anything."""
        ends = hold.since + timedelta(seconds=self._desk.quiet.longest_hold)
        ruling = self._failing().above(hold.alert, self._now, self._desk.quiet) if self._now + HARDLY < ends else None
        return replace(ruling, until=min(ruling.until, ends)) if ruling else None

    def _hold_on(self, fingerprint: str, hold: Hold) -> None:
        self.held[fingerprint] = hold
        self._states[fingerprint] = replace(self._states[fingerprint], hold=hold)
        self._changed.add(fingerprint)

    # --- what is alone ----------------------------------------------------------------------------------------------

    def meet(self) -> Mapping[str, News]:
        """Problems that began within the window and are held for being alone: they are placed together with what comes now."""
        limits = self._desk.limits
        holds: dict[str, tuple[NoiseState, Hold]] = {}
        for state in self._desk.noise.waiting(self._tx, self._now + limits.correlate):
            hold = state.hold
            if hold is not None and state.fingerprint not in self._news and self._now - hold.since <= limits.correlate:
                holds[state.fingerprint] = (state, hold)
        known = self._desk.alerts.known(self._tx, {(fp, hold.instance) for fp, (_, hold) in holds.items()}) if holds else {}
        for fingerprint, (state, hold) in holds.items():
            if fingerprint in known and known[fingerprint].count > 0:
                self.company[fingerprint] = released(known[fingerprint], hold, self._now)
                self._states[fingerprint] = current(state)
        return self.company

    def let_go(self, fingerprints: Iterable[str]) -> None:
        """These found company: they are held no longer."""
        for fingerprint in fingerprints:
            self._finish(fingerprint, Outcome.TOLD)

    def waits(self, one: Joined, key: str) -> bool:
        """It may well belong to this incident, but not surely: it waits a moment whether it stays."""
        fingerprint = one.arrival.fingerprint
        if fingerprint in self.company:
            return True
        news = self._news[fingerprint]
        if fingerprint in self._released or critical(news.begins) or not self._armed(Kind.ALONE, self._team_of(news)):
            return False
        self._hold(news, Ruling(Kind.ALONE, f"it may belong to {key} ({one.reason}), if it stays", self._patience()))
        return True

    def alone(self, group: Sequence[Joined]) -> bool:
        """These arrivals would open an incident with one warning, or with nothing but notices, and do not yet."""
        fingerprints = [one.arrival.fingerprint for one in group]
        every = [self._about(fp) for fp in fingerprints]
        if any(critical(one.begins) for one in every):
            return False
        if all(one.severity is Severity.SEV4 for one in every):
            until = self._now + self._desk.limits.correlate
            ruling = Ruling(Kind.NOTICES, "a notice that is no part of an incident", until)
        elif len(every) > 1 or fingerprints[0] in self._released:
            return False
        else:
            ruling = Ruling(Kind.ALONE, "a warning that is alone, if it stays", self._patience())
        fresh = [one for fp, one in zip(fingerprints, every, strict=True) if fp not in self.company]
        if all(self._armed(ruling.kind, self._team_of(one)) for one in fresh):
            for one in fresh:
                self._hold(one, ruling)
            return True
        for one in fresh:
            self._shadow.setdefault(one.fingerprint, [ruling])  # another rule would have held it for longer
        return False

    def _patience(self) -> datetime:
        return self._now + timedelta(seconds=min(self._desk.quiet.alone, self._desk.quiet.longest_hold))

    def _team_of(self, one: News) -> str:
        return self._team(one.begins[0].service)

    # --- what would be told ---------------------------------------------------------------------------------------

    def keeps_closed(self, news: Sequence[News]) -> bool:
        """This resolved incident is not reopened: all that begins again in it is held."""
        return self._all_held([one for one in news if one.begins])

    def passes(self, group: Sequence[Joined]) -> bool:
        """These arrivals may open an incident; if all of them are held, they do not."""
        return not self._all_held([self._about(one.arrival.fingerprint) for one in group])

    def _about(self, fingerprint: str) -> News:
        return self.company.get(fingerprint) or self._news[fingerprint]

    def _all_held(self, news: Sequence[News]) -> bool:
        if any(one.fingerprint in self.company for one in news):
            return False
        rulings = [self._own_idea(one) for one in news]
        if not rulings or any(ruling is None for ruling in rulings):
            return False
        pairs = [(one, ruling) for one, ruling in zip(news, rulings, strict=True) if ruling is not None]
        if all(self._armed(ruling.kind, self._team(one.begins[0].service)) for one, ruling in pairs):
            for one, ruling in pairs:
                self._hold(one, ruling)
            return True
        for one, ruling in pairs:
            self._shadow.setdefault(one.fingerprint, []).append(ruling)
        return False

    def _own_idea(self, one: News) -> Ruling | None:
        if one.fingerprint in self._released or critical(one.begins):
            return None
        return self._failing().above(one.begins[0], self._now, self._desk.quiet)

    def _failing(self) -> Failing:
        if self._known_failing is None:
            self._known_failing = Failing(self._incidents.values(), Kinship(self._desk.catalogue()))
        return self._known_failing

    def storm(self, environment: str, begins: int) -> Storm:
        """The storm, or the calm, in this environment after so many more problems began."""
        if environment not in self._storms:
            known = self._desk.noise.storms(self._tx, [environment]).get(environment, Storm(environment))
            self._storms[environment] = storms.after(known, begins, self._now, self._desk.quiet)
        return self._storms[environment]

    def folds(self, group: Sequence[Joined], storm: Storm) -> bool:
        """These arrivals go into the storm's incident instead of one of their own; in shadow they only would have."""
        if storm.since is None:
            return False
        ruling = Ruling(Kind.STORMS, storms.joined(group[:1], storm, self._desk.quiet)[0].reason, self._now)
        if all(self._armed(Kind.STORMS, self._team(one.arrival.alert.service)) for one in group):
            for one in group:
                self._decide(self._about(one.arrival.fingerprint), ruling, acted=True)
            return True
        for one in group:
            self._shadow.setdefault(one.arrival.fingerprint, []).append(ruling)
        return False

    def stormed(self, environment: str, incident_id: str, *, new: bool) -> None:
        """This incident takes what the storm brings; a new one also what opened while the storm was brewing."""
        self._storms[environment] = replace(self._storms[environment], incident_id=incident_id)
        if new:
            since = self._now - timedelta(seconds=self._desk.quiet.storm_window)
            self.swallowed[incident_id] = [i.id for i in self._incidents.values() if self._early(i, environment, since)]

    def _early(self, incident: Incident, environment: str, since: datetime) -> bool:
        """It opened then, and nobody has taken it; a person's own incident stays one."""
        untouched = incident.status is Status.OPEN and not incident.storm and not incident.opened_by
        mine = incident.environment == environment and incident.opened_at >= since
        return mine and untouched and self._armed(Kind.STORMS, self._team(incident.service))

    # --- what is kept ---------------------------------------------------------------------------------------------

    def _team(self, service: str) -> str:
        if service not in self._teams:
            self._teams[service] = self._desk.catalogue().get(service).owner or NOBODY
        return self._teams[service]

    def _hold(self, one: News, ruling: Ruling) -> None:
        """It is kept from people; what cleared within the same batch was never more than a sighting."""
        decision = self._decide(one, ruling, acted=True)
        state = self._state(one)
        event = next((e for e, v in one.events if v in BEGINS), one.events[0][0])
        until = self._second(ruling.until)
        hold = Hold(ruling.kind, ruling.reason, self._now, until, event.alert, event.instance, ruling.incident_id)
        self.held[one.fingerprint] = hold
        if one.firing:
            self._states[one.fingerprint] = replace(state, hold=hold, pending=(*state.pending, decision.id))
        else:
            self._ended.setdefault(None, []).append(decision.id)
        self._changed.add(one.fingerprint)

    def _state(self, one: News) -> NoiseState:
        """What is known of its noise, this batch included."""
        if one.fingerprint not in self._states:
            self._states[one.fingerprint] = heard(begun(one), one, self._now, self._desk.quiet, by_itself=True)
        return self._states[one.fingerprint]

    def _second(self, until: datetime) -> datetime:
        """The whole second before it, so that a hold is never longer than it may be and one look serves many."""
        second = until.replace(microsecond=0)
        return second if second > self._now else self._now.replace(microsecond=0) + timedelta(seconds=1)

    def _decide(self, one: News, ruling: Ruling, *, acted: bool, incident_id: str = "") -> Decision:
        alert = (one.begins or tuple(e.alert for e, _ in one.events))[0]
        decision = Decision(
            id=self._desk.new_id(),
            at=self._now,
            fingerprint=one.fingerprint,
            name=alert.name,
            service=alert.service,
            environment=alert.environment,
            team=self._team(alert.service),
            severity=one.severity,
            kind=ruling.kind,
            acted=acted,
            reason=ruling.reason[:500],
            until=None if ruling.kind in (Kind.STORMS, Kind.UPSTREAM) else ruling.until,
            incident_id=ruling.incident_id or incident_id,
        )
        self._decided.append(decision)
        return decision

    def keep(self, owners: Mapping[str, str]) -> None:
        """Write down states, decisions and storms, and see to it that every hold is looked at when it ends."""
        for fingerprint, rulings in self._shadow.items():
            for ruling in rulings:
                told = replace(ruling, incident_id="")
                made = self._decide(self._about(fingerprint), told, acted=False, incident_id=owners.get(fingerprint, ""))
                self._await_outcome(fingerprint, made)
        noise = self._desk.noise
        noise.decide(self._tx, self._decided)
        for outcome, ids in self._ended.items():
            noise.turned_out(self._tx, ids, self._now, outcome)
        states = [self._states[fingerprint] for fingerprint in sorted(self._changed)]
        noise.keep(self._tx, (*states, *(self._rules[mark] for mark in sorted(self._taught))), self._now)
        noise.brew(self._tx, self._storms.values())
        for until in sorted({hold.until for fingerprint, hold in self.held.items() if self._states[fingerprint].hold}):
            release_at(self._tx, until, self._desk)
        for decision in self._decided:
            self._desk.decided[f"{decision.kind.value} {'acted' if decision.acted else 'shadow'}"] += 1

    def _await_outcome(self, fingerprint: str, decision: Decision) -> None:
        if decision.kind is Kind.STORMS:  # what became of a storm is told by its incident
            return
        if not self._about(fingerprint).firing:
            self._ended.setdefault(None, []).append(decision.id)
            return
        state = self._state(self._about(fingerprint))
        self._states[fingerprint] = replace(state, pending=(*state.pending, decision.id))
        self._changed.add(fingerprint)

    def verdict(self, fingerprint: str, verdict: Verdict) -> str:
        """The word under which an event is kept."""
        hold = self.held.get(fingerprint)
        return f"{verdict.value}, held: {hold.kind.value}" if hold is not None and verdict in BEGINS else verdict.value

    def home(self, one: News) -> str:
        """The incident of a problem that no incident took now: the one it had, unless it is held and would be placed anew."""
        anew = one.fingerprint in self.held and home_of(one, self._incidents, self._desk.limits.reopen) is None
        return "" if anew else one.incident_id

    def owner(self, fingerprint: str) -> str:
        """The incident that explains a problem which is held, or ""."""
        hold = self.held.get(fingerprint)
        return hold.incident_id if hold is not None else ""


def _mark(one: News) -> str:
    alert = one.events[0][0].alert
    return rule_mark(alert.environment, alert.name)


def release_at(tx: Transaction, until: datetime, desk: Desk, word: str = "") -> None:
    """Holds that end then are looked at then; for all that end in one second this is one piece of work."""
    second = f"{until.timestamp():.0f}{word}"
    desk.work.start(tx, "housekeeping", "release", f"release:{second}", {"at": until.isoformat()}, not_before=until)


def release_overdue(tx: Transaction, desk: Desk) -> None:
    """Holds that should have been looked at, and were not because their work was given up, are looked at now."""
    now = desk.clock()
    if desk.noise.due(tx, now - OVERDUE, 1):
        desk.work.start(tx, "housekeeping", "release", f"release:overdue:{now.timestamp():.0f}", {"at": now.isoformat()})
