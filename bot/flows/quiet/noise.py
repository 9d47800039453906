"""What noise reduction makes of a batch of news: what is kept from people, what would have been, and why.

What people wrote (silences, windows, rules) acts at once. What the bot thinks of by itself (flapping, transients, a failing
upstream, storms) acts where it was armed for the team; elsewhere the alert goes its way and the decision is only recorded.
A hold is a state and a piece of durable work, `release`, in the transaction of its batch: it survives whatever happens. What is
alone is in company.py, storms are in storming.py, what is kept in holds.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.incident import Incident
from bot.domain.noise import EXPLICIT, Hold, Kind, NoiseState, Outcome, Source
from bot.flows.desk import Desk
from bot.flows.quiet.arming import SWITCH, Armed
from bot.flows.quiet.company import Company
from bot.flows.quiet.holds import Holds
from bot.flows.quiet.storming import Storming
from bot.incidents.bundles import Joined
from bot.incidents.dedup import News, Verdict
from bot.incidents.kinship import Kinship
from bot.incidents.membership import home_of
from bot.incidents.noise.learning import begun, current, heard, rule_mark, taught
from bot.incidents.noise.matchers import labels_of
from bot.incidents.noise.rules import equal
from bot.incidents.noise.verdicts import Failing, Ruling, Written, by_past, by_people, critical
from bot.ports import Transaction

FORGOTTEN = timedelta(days=1)  # a source of an inhibition that nobody told of for so long fires no more
HARDLY = timedelta(seconds=1)  # a hold ends at a whole second, up to one before the span is over
BY_ITSELF = ("", "alerts cleared")


class Quiet:
    """What noise reduction makes of the news of one transaction. `take` what came in or `again` what was held; then `keep`."""

    def __init__(
        self, tx: Transaction, news: Mapping[str, News], incidents: Mapping[str, Incident], now: datetime, desk: Desk
    ) -> None:
        self._tx, self._news, self._incidents, self._now, self._desk = tx, news, incidents, now, desk
        self._rules: dict[str, NoiseState] = {}  # what is known of whole alert rules, by their marks
        self._taught: set[str] = set()
        self._written = Written(desk.noise_rules())
        self._known_failing: Failing | None = None
        self.holds = Holds(tx, news, incidents, now, desk)
        self.company = Company(self.holds)
        self.storms = Storming(self.holds)

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
        self.holds.states[one.fingerprint] = state
        if known is not None or one.cleared_now:  # a problem's first fire alone is not worth a row
            self.holds.changed.add(one.fingerprint)
        if one.cleared_now and not one.firing:
            self.holds.finish(one.fingerprint, None)
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
            self.holds.finish(one.fingerprint, Outcome.TOLD)
            hold = None
        if hold is not None:
            self.holds.held[one.fingerprint] = hold
        elif ruling is not None:
            self.holds.hold(one, ruling)
        elif not critical(one.begins) and (past := by_past(state, rule, self._now, self._desk.quiet)):
            armed = next((ruling for ruling in past if self.holds.acts(ruling.kind, one)), None)
            if armed is not None:
                self.holds.hold(one, armed)
            else:
                self.holds.shadow(one.fingerprint, past)

    def _flutters(self, one: News, state: NoiseState) -> None:
        """What flaps within an open incident tells nobody anything: only what stays up is news of it."""
        if state.hold is not None and critical(one.begins):
            self.holds.finish(one.fingerprint, Outcome.TOLD)
        elif state.hold is not None:
            self.holds.held[one.fingerprint] = state.hold
        elif state.flapping and not critical(one.begins) and self.holds.acts(Kind.FLAPPING, one):
            self.holds.hold(one, by_past(state, None, self._now, self._desk.quiet)[0])

    def _by_itself(self, one: News) -> bool:
        home = self._incidents.get(one.incident_id)
        return home is None or (not home.acknowledged_by and home.resolved_by in BY_ITSELF)

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
        self.holds.armed = Armed(self._desk.switches.like(self._tx, SWITCH), always=self._desk.quiet.armed)
        rules = self._desk.noise_rules()
        silences = [s for s in self._desk.noise.silences(self._tx, self._now) if s.active(self._now)]
        wanted = {(rule.name, equal(rule, labels_of(alert))) for rule in rules.inhibits for one in begins for alert in one.begins}
        since = self._now - FORGOTTEN
        self._written = Written(rules, silences, self._desk.noise.sources(self._tx, wanted, since) if wanted else {})

    # --- what was held --------------------------------------------------------------------------------------------

    def again(self, states: Sequence[NoiseState]) -> None:
        """Holds that are due: what a rule still keeps back is held on, the rest goes its way."""
        self.holds.states = {state.fingerprint: current(state) for state in states}
        self._read_rules(tuple(self._news.values()))
        for fingerprint, state in list(self.holds.states.items()):
            hold, one = state.hold, self._news.get(fingerprint)
            if hold is None or one is None:  # it does not fire any more, or nobody knows it
                self.holds.finish(fingerprint, None)
                self.holds.changed.add(fingerprint)
                continue
            self.holds.released.add(fingerprint)
            ruling = by_people(one.begins, state, self._written, self._now, self._desk.quiet)
            if ruling is not None and ruling.kind is Kind.OCCURRENCES and hold.kind is Kind.OCCURRENCES:
                ruling = None  # it fired for the whole span
            if ruling is None and hold.kind is Kind.UPSTREAM:
                ruling = self._still_above(hold)
            if ruling is None and hold.kind is Kind.NOTICES:
                ruling = Ruling(Kind.NOTICES, hold.reason, self._now + FORGOTTEN)
            if ruling is None:
                self.holds.finish(fingerprint, Outcome.OUTLASTED)
            elif ruling.kind is hold.kind:
                self.holds.hold_on(fingerprint, hold, ruling)
            else:
                self.holds.finish(fingerprint, Outcome.TOLD)
                self.holds.hold(one, ruling)

    def _still_above(self, hold: Hold) -> Ruling | None:
        """Its upstream fails on, and it was not held for as long as an idea of ours may hold anything."""
        ends = hold.since + timedelta(seconds=self._desk.quiet.longest_hold)
        ruling = self._failing().above(hold.alert, self._now, self._desk.quiet) if self._now + HARDLY < ends else None
        return replace(ruling, until=min(ruling.until, ends)) if ruling else None

    # --- what would be told ---------------------------------------------------------------------------------------

    def keeps_closed(self, news: Sequence[News]) -> bool:
        """This resolved incident is not reopened: all that begins again in it is held."""
        return self._all_held([one for one in news if one.begins])

    def passes(self, group: Sequence[Joined]) -> bool:
        """These arrivals may open an incident; if all of them are held, they do not."""
        return not self._all_held([self.holds.about(one.arrival.fingerprint) for one in group])

    def _all_held(self, news: Sequence[News]) -> bool:
        if any(one.fingerprint in self.holds.company for one in news):
            return False
        rulings = [self._own_idea(one) for one in news]
        if not rulings or any(ruling is None for ruling in rulings):
            return False
        pairs = [(one, ruling) for one, ruling in zip(news, rulings, strict=True) if ruling is not None]
        if all(self.holds.acts(ruling.kind, one) for one, ruling in pairs):
            for one, ruling in pairs:
                self.holds.hold(one, ruling)
            return True
        for one, ruling in pairs:
            self.holds.shadow(one.fingerprint, [ruling])
        return False

    def _own_idea(self, one: News) -> Ruling | None:
        if one.fingerprint in self.holds.released or critical(one.begins):
            return None
        return self._failing().above(one.begins[0], self._now, self._desk.quiet)

    def _failing(self) -> Failing:
        if self._known_failing is None:
            self._known_failing = Failing(self._incidents.values(), Kinship(self._desk.catalogue()))
        return self._known_failing

    # --- what is kept ---------------------------------------------------------------------------------------------

    def keep(self, owners: Mapping[str, str]) -> None:
        """Write down states, decisions and storms, and see to it that every hold is looked at when it ends."""
        self.holds.keep(owners, [self._rules[mark] for mark in sorted(self._taught)])
        self.storms.keep()

    def home(self, one: News) -> str:
        """The incident of a problem that no incident took now: the one it had, unless it is held and would be placed anew."""
        anew = one.fingerprint in self.holds.held and home_of(one, self._incidents, self._desk.limits.reopen) is None
        return "" if anew else one.incident_id


def _mark(one: News) -> str:
    alert = one.events[0][0].alert
    return rule_mark(alert.environment, alert.name)
