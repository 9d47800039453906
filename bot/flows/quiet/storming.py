"""A storm takes what it brings into one incident, and what opened while it was brewing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.incident import Incident, Status
from bot.domain.noise import Kind, Storm
from bot.flows.quiet.holds import Holds
from bot.incidents.bundles import Joined
from bot.incidents.noise import storm as storms
from bot.incidents.noise.verdicts import Ruling


class Storming:
    """The storms of the environments that news is of."""

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self._storms: dict[str, Storm] = {}
        self.swallowed: dict[str, list[str]] = {}  # by the storm's incident: those that opened before it and are part of it

    def weather(self, environment: str, begins: int) -> Storm:
        """The storm, or the calm, in this environment after so many more problems began."""
        holds = self._holds
        if environment not in self._storms:
            known = holds.desk.noise.storms(holds.tx, [environment]).get(environment, Storm(environment))
            self._storms[environment] = storms.after(known, begins, holds.now, holds.desk.quiet)
        return self._storms[environment]

    def folds(self, group: Sequence[Joined], storm: Storm) -> bool:
        """These arrivals go into the storm's incident instead of one of their own; in shadow they only would have."""
        if storm.since is None:
            return False
        holds = self._holds
        ruling = Ruling(Kind.STORMS, storms.joined(group[:1], storm, holds.desk.quiet)[0].reason, holds.now)
        if all(holds.armed(Kind.STORMS, holds.team(one.arrival.alert.service)) for one in group):
            for one in group:
                holds.decide(holds.about(one.arrival.fingerprint), ruling, acted=True)
            return True
        for one in group:
            holds.shadow(one.arrival.fingerprint, [ruling])
        return False

    def stormed(self, environment: str, incident_id: str, *, new: bool) -> None:
        """This incident takes what the storm brings; a new one also what opened while the storm was brewing."""
        self._storms[environment] = replace(self._storms[environment], incident_id=incident_id)
        if new:
            since = self._holds.now - timedelta(seconds=self._holds.desk.quiet.storm_window)
            opened = self._holds.incidents.values()
            self.swallowed[incident_id] = [one.id for one in opened if self._early(one, environment, since)]

    def keep(self) -> None:
        """Write down what is brewing."""
        self._holds.desk.noise.brew(self._holds.tx, self._storms.values())

    def _early(self, incident: Incident, environment: str, since: datetime) -> bool:
        """It opened then, and nobody has taken it; a person's own incident stays one."""
        untouched = incident.status is Status.OPEN and not incident.storm and not incident.opened_by
        mine = incident.environment == environment and incident.opened_at >= since
        return mine and untouched and self._holds.armed(Kind.STORMS, self._holds.team(incident.service))
