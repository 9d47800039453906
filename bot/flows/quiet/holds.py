"""What is held in one transaction, what was decided about it, and how both are written down."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.incident import Incident
from bot.domain.noise import Decision, Hold, Kind, NoiseState, Outcome
from bot.flows.desk import Desk
from bot.flows.quiet.arming import Armed
from bot.incidents.dedup import BEGINS, News, Verdict
from bot.incidents.noise.learning import begun, heard
from bot.incidents.noise.verdicts import Ruling
from bot.ports import Transaction

NOBODY = "unowned"  # the team of services without an owner
OVERDUE = timedelta(minutes=1)


class Holds:
    """What is kept from people, would have been, or is no longer; `keep` writes it down, once, at the end."""

    def __init__(
        self, tx: Transaction, news: Mapping[str, News], incidents: Mapping[str, Incident], now: datetime, desk: Desk
    ) -> None:
        self.tx, self.news, self.incidents, self.now, self.desk = tx, news, incidents, now, desk
        self.states: dict[str, NoiseState] = {}  # of problems, this transaction's news included
        self.changed: set[str] = set()  # fingerprints of the states that are kept
        self.held: dict[str, Hold] = {}  # by fingerprint: what is kept from people now
        self.released: set[str] = set()  # what was held, and is not held again for the bot's own ideas
        self.company: dict[str, News] = {}  # problems that are held for being alone, as the news that they would be
        self.armed = Armed({})
        self._decided: list[Decision] = []
        self._ended: dict[Outcome | None, list[str]] = {}
        self._shadow: dict[str, list[Ruling]] = {}  # what would have been, of those that reach people all the same
        self._teams: dict[str, str] = {}

    def about(self, fingerprint: str) -> News:
        """The news of a problem, be it of this batch or held before."""
        return self.company.get(fingerprint) or self.news[fingerprint]

    def team(self, service: str) -> str:
        """Who owns a service."""
        if service not in self._teams:
            self._teams[service] = self.desk.catalogue().get(service).owner or NOBODY
        return self._teams[service]

    def acts(self, kind: Kind, one: News) -> bool:
        """What the bot thinks of this kind by itself, it does for the team whose problem this is."""
        return self.armed(kind, self.team(one.begins[0].service))

    def hold(self, one: News, ruling: Ruling) -> None:
        """It is kept from people; what cleared within the same batch was never more than a sighting."""
        decision = self.decide(one, ruling, acted=True)
        state = self._state(one)
        event = next((e for e, v in one.events if v in BEGINS), one.events[0][0])
        until = self._second(ruling.until)
        hold = Hold(ruling.kind, ruling.reason, self.now, until, event.alert, event.instance, ruling.incident_id)
        self.held[one.fingerprint] = hold
        if one.firing:
            self.states[one.fingerprint] = replace(state, hold=hold, pending=(*state.pending, decision.id))
        else:
            self._ended.setdefault(None, []).append(decision.id)
        self.changed.add(one.fingerprint)

    def hold_on(self, fingerprint: str, hold: Hold, ruling: Ruling) -> None:
        """The same hold goes on for longer."""
        self.held[fingerprint] = hold = replace(hold, until=self._second(ruling.until), reason=ruling.reason)
        self.states[fingerprint] = replace(self.states[fingerprint], hold=hold)
        self.changed.add(fingerprint)

    def finish(self, fingerprint: str, outcome: Outcome | None) -> None:
        """Its hold ends, and the decisions about this time of firing have turned out."""
        state = self.states[fingerprint]
        if state.hold is None and not state.pending:
            return
        self._ended.setdefault(outcome, []).extend(state.pending)
        self.states[fingerprint] = replace(state, hold=None, pending=())
        self.changed.add(fingerprint)

    def shadow(self, fingerprint: str, rulings: Iterable[Ruling]) -> None:
        """It reaches people; these would have kept it from them."""
        self._shadow.setdefault(fingerprint, []).extend(rulings)

    def shadow_unless_longer(self, fingerprint: str, ruling: Ruling) -> None:
        """`shadow`, unless another rule would have held it, which is for longer."""
        self._shadow.setdefault(fingerprint, [ruling])

    def decide(self, one: News, ruling: Ruling, *, acted: bool, incident_id: str = "") -> Decision:
        """A decision about this problem, with its reason."""
        alert = (one.begins or tuple(e.alert for e, _ in one.events))[0]
        decision = Decision(
            id=self.desk.new_id(),
            at=self.now,
            fingerprint=one.fingerprint,
            name=alert.name,
            service=alert.service,
            environment=alert.environment,
            team=self.team(alert.service),
            severity=one.severity,
            kind=ruling.kind,
            acted=acted,
            reason=ruling.reason[:500],
            until=None if ruling.kind in (Kind.STORMS, Kind.UPSTREAM) else ruling.until,
            incident_id=ruling.incident_id or incident_id,
        )
        self._decided.append(decision)
        return decision

    def keep(self, owners: Mapping[str, str], rules: Collection[NoiseState]) -> None:
        """Write down states, those of whole rules too, and decisions; every hold is looked at when it ends."""
        for fingerprint, rulings in self._shadow.items():
            for ruling in rulings:
                told = replace(ruling, incident_id="")
                made = self.decide(self.about(fingerprint), told, acted=False, incident_id=owners.get(fingerprint, ""))
                self._await_outcome(fingerprint, made)
        noise = self.desk.noise
        noise.decide(self.tx, self._decided)
        for outcome, ids in self._ended.items():
            noise.turned_out(self.tx, ids, self.now, outcome)
        states = [self.states[fingerprint] for fingerprint in sorted(self.changed)]
        noise.keep(self.tx, (*states, *rules), self.now)
        for until in sorted({hold.until for fingerprint, hold in self.held.items() if self.states[fingerprint].hold}):
            release_at(self.tx, until, self.desk)
        for decision in self._decided:
            self.desk.decided[f"{decision.kind.value} {'acted' if decision.acted else 'shadow'}"] += 1

    def verdict(self, fingerprint: str, verdict: Verdict) -> str:
        """The word under which an event is kept."""
        hold = self.held.get(fingerprint)
        return f"{verdict.value}, held: {hold.kind.value}" if hold is not None and verdict in BEGINS else verdict.value

    def owner(self, fingerprint: str) -> str:
        """The incident that explains a problem which is held, or ""."""
        hold = self.held.get(fingerprint)
        return hold.incident_id if hold is not None else ""

    def _state(self, one: News) -> NoiseState:
        """What is known of its noise, this batch included."""
        if one.fingerprint not in self.states:
            self.states[one.fingerprint] = heard(begun(one), one, self.now, self.desk.quiet, by_itself=True)
        return self.states[one.fingerprint]

    def _second(self, until: datetime) -> datetime:
        """The whole second before it, so that a hold is never longer than it may be and one look serves many."""
        second = until.replace(microsecond=0)
        return second if second > self.now else self.now.replace(microsecond=0) + timedelta(seconds=1)

    def _await_outcome(self, fingerprint: str, decision: Decision) -> None:
        if decision.kind is Kind.STORMS:  # what became of a storm is told by its incident
            return
        if not self.about(fingerprint).firing:
            self._ended.setdefault(None, []).append(decision.id)
            return
        state = self._state(self.about(fingerprint))
        self.states[fingerprint] = replace(state, pending=(*state.pending, decision.id))
        self.changed.add(fingerprint)


def release_at(tx: Transaction, until: datetime, desk: Desk, word: str = "") -> None:
    """Holds that end then are looked at then; for all that end in one second this is one piece of work."""
    second = f"{until.timestamp():.0f}{word}"
    desk.work.start(tx, "housekeeping", "release", f"release:{second}", {"at": until.isoformat()}, not_before=until)


def release_overdue(tx: Transaction, desk: Desk) -> None:
    """Holds that should have been looked at, and were not because their work was given up, are looked at now."""
    now = desk.clock()
    if desk.noise.due(tx, now - OVERDUE, 1):
        desk.work.start(tx, "housekeeping", "release", f"release:overdue:{now.timestamp():.0f}", {"at": now.isoformat()})
