"""What is alone waits a moment for company: a single warning, nothing but notices, what may not belong where it seems to."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.alert import Severity
from bot.domain.noise import Hold, Kind, NoiseState, Outcome
from bot.domain.watch import CONNECTOR, WatchMode
from bot.flows.quiet.holds import Holds
from bot.incidents.bundles import Joined
from bot.incidents.dedup import News, released
from bot.incidents.noise.learning import current
from bot.incidents.noise.verdicts import Ruling, critical


class Company:
    """Who of these waits for company, and who has found it."""

    def __init__(self, holds: Holds) -> None:
        self._holds = holds

    def meet(self) -> Mapping[str, News]:
        """Problems that began within the window and are held for being alone: they are placed together with what comes now."""
        holds, limits = self._holds, self._holds.desk.limits
        found: dict[str, tuple[NoiseState, Hold]] = {}
        for state in holds.desk.noise.waiting(holds.tx, holds.now + limits.correlate):
            hold = state.hold
            if hold is not None and state.fingerprint not in holds.news and holds.now - hold.since <= limits.correlate:
                found[state.fingerprint] = (state, hold)
        pairs = {(fingerprint, hold.instance) for fingerprint, (_, hold) in found.items()}
        known = holds.desk.alerts.known(holds.tx, pairs) if pairs else {}
        for fingerprint, (state, hold) in found.items():
            if fingerprint in known and known[fingerprint].count > 0:
                holds.company[fingerprint] = released(known[fingerprint], hold, holds.now)
                holds.states[fingerprint] = current(state)
        return holds.company

    def let_go(self, fingerprints: Iterable[str]) -> None:
        """These came into an incident; those that waited for company are held no longer."""
        for fingerprint in fingerprints:
            if fingerprint in self._holds.company:
                self._holds.finish(fingerprint, Outcome.TOLD)

    def waits(self, one: Joined, key: str) -> bool:
        """It may well belong to this incident, but not surely: it waits a moment whether it stays."""
        fingerprint = one.arrival.fingerprint
        if fingerprint in self._holds.company:
            return True
        news = self._holds.news[fingerprint]
        if fingerprint in self._holds.released or critical(news.begins) or not self._holds.acts(Kind.ALONE, news):
            return False
        self._holds.hold(news, Ruling(Kind.ALONE, f"it may belong to {key} ({one.reason}), if it stays", self._patience()))
        return True

    def wait_already(self, group: Sequence[Joined]) -> bool:
        """All of them wait already."""
        return all(one.arrival.fingerprint in self._holds.company for one in group)

    def alone(self, group: Sequence[Joined]) -> bool:
        """These arrivals would open an incident with one warning, or with nothing but notices, and do not yet."""
        holds = self._holds
        fingerprints = [one.arrival.fingerprint for one in group]
        every = [holds.about(fp) for fp in fingerprints]
        if any(critical(one.begins) for one in every):
            return False
        if all(one.severity is Severity.SEV4 for one in every):
            until = holds.now + holds.desk.limits.correlate
            ruling = Ruling(Kind.NOTICES, "a notice that is no part of an incident", until)
        elif len(every) > 1 or fingerprints[0] in holds.released:
            return False
        else:
            ruling = Ruling(Kind.ALONE, "a warning that is alone, if it stays", self._patience())
        fresh = [one for fp, one in zip(fingerprints, every, strict=True) if fp not in holds.company]
        if all(holds.acts(ruling.kind, one) or self._ours(one) for one in fresh):
            for one in fresh:
                holds.hold(one, ruling)
            return True
        for one in fresh:
            holds.shadow_unless_longer(one.fingerprint, ruling)
        return False

    def _ours(self, one: News) -> bool:
        """Nothing but signals of the bot's own watch, which never open an incident unless people want that."""
        mode = self._holds.desk.watching.mode
        return mode is not WatchMode.ON and all(alert.connector == CONNECTOR for alert in one.begins)

    def _patience(self) -> datetime:
        quiet = self._holds.desk.quiet
        return self._holds.now + timedelta(seconds=min(quiet.alone, quiet.longest_hold))
