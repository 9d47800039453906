"""How bad an incident is: as its worst alert, weighed by how important its service is."""

from collections.abc import Iterable

from bot.domain.alert import Severity
from bot.domain.incident import Member
from bot.domain.service import Catalogue

MINOR_TIER = 4  # services from this tier on do not make an incident critical
CRITICAL_TOP_SERVICES = 3  # so many tier-1 services critical at once are a SEV1


def weighed(severity: Severity, tier: int) -> Severity:
    """The severity of an alert of a service of this tier; SEV1 is said by a label and stands."""
    return Severity.SEV3 if severity is Severity.SEV2 and tier >= MINOR_TIER else severity


def severity_of(members: Iterable[Member], catalogue: Catalogue) -> tuple[Severity, str]:
    """The severity that these members make, and why, in a few words for people."""
    worst, why, critical = Severity.SEV4, "no alert says more", set[str]()
    tiers: dict[str, int] = {}
    for member in members:
        if member.service not in tiers:
            tiers[member.service] = catalogue.get(member.service).tier
        tier = tiers[member.service]
        severity = weighed(member.severity, tier)
        if severity.rank < worst.rank:
            worst, why = severity, f"{member.name} on {member.service}"
        if tier == 1 and severity.rank <= Severity.SEV2.rank:
            critical.add(member.service)
    if worst is Severity.SEV2 and len(critical) >= CRITICAL_TOP_SERVICES:
        return Severity.SEV1, f"{len(critical)} services of tier 1 are critical: {', '.join(sorted(critical)[:5])}"
    return worst, why
