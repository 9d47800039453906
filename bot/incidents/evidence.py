"""What speaks for a bundle of problems belonging to an incident: each reason a chance that fades with time, put together.

An incident's services and hooks count from their nearest beginning to the bundle, never from "still firing": what has been
failing for an hour explains little that begins now.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.alert import UNREADABLE, Severity
from bot.domain.incident import Incident
from bot.incidents import weights
from bot.incidents.bundles import NAMELESS, Bundle, Span, apart
from bot.incidents.kinship import Kin, Kinship, kin
from bot.incidents.roots import Ground, bottom, fits, ground

USUAL = timedelta(minutes=15)  # the correlation window that the half-lives of weights.py are for
CROWDS = ("in", "every")  # hooks that mean something only where several services have them
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,}")


@dataclass(frozen=True, slots=True)
class Begin:
    """A problem of an incident as evidence: when it began, whose it is, whether it still fires, whether it is a notice."""

    at: datetime
    service: str
    over: bool = False
    loud: bool = True

    @property
    def span(self) -> Span:
        """Its moment."""
        return Span(self.at, self.at)


@dataclass(slots=True)
class Home:
    """A live incident as correlation sees it: the beginnings of each service and each hook, and what it stands on."""

    incident: Incident
    ground: Ground
    services: dict[str, list[Begin]]
    hooks: dict[str, list[Begin]]
    cleared: dict[str, datetime]  # problems (fingerprints) that are over, and since when

    def take(self, bundle: Bundle, kinship: Kinship) -> None:
        """The bundle is part of it from now on."""
        self.ground.take(ground(bundle), kinship)
        for one in bundle.arrivals:
            begin = Begin(one.at, bundle.service, loud=one.alert.severity is not Severity.SEV4)
            if bundle.service not in NAMELESS:
                self.services.setdefault(bundle.service, []).append(begin)
            for hook in one.hooks:
                self.hooks.setdefault(hook, []).append(begin)


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for it: the chance, the gap, the sentence."""

    chance: float
    gap: timedelta
    sentence: str


def home_of(incident: Incident, kinship: Kinship) -> Home:
    """The incident as it is now."""
    services: dict[str, list[Begin]] = {}
    hooks: dict[str, list[Begin]] = {}
    spans: dict[str, Span] = {}
    if not incident.members:  # opened by hand: no alert yet tells when it began
        services[incident.service] = [Begin(incident.opened_at, incident.service)]
    for member in incident.members:
        loud = member.severity is not Severity.SEV4 or incident.severity is Severity.SEV4
        begin = Begin(member.joined_at, member.service, member.firing == 0, loud)
        if member.service not in NAMELESS and member.name != UNREADABLE:
            services.setdefault(member.service, []).append(begin)
        for hook in member.hooks:
            hooks.setdefault(hook, []).append(begin)
    for name, begins in services.items():
        spans[name] = Span(min(b.at for b in begins), max(b.at for b in begins))
    firing = {name for name, begins in services.items() if not all(b.over for b in begins)}
    problems = {member.fingerprint for member in incident.members}
    cleared = {m.fingerprint: m.cleared_at for m in incident.members if m.cleared_at and not m.firing}
    return Home(incident, Ground(spans, bottom(firing or set(services), kinship), problems), services, hooks, cleared)


def relatives(bundle: Bundle, kinship: Kinship, present: Mapping[str, object]) -> Iterator[tuple[str, Kin, bool]]:
    """The services among `present` that this bundle is related to, and whether whatever their roots are.

    Its own, those of the graph, those that its text names.
    """
    if bundle.service not in NAMELESS:
        yield bundle.service, kin(weights.SAME, f"also {bundle.service}"), False
        for name, relation in kinship.wide(bundle.service).items():
            if name in present:
                yield name, relation, False
    for one in bundle.arrivals[:5]:
        for word in {*_WORD.findall(one.alert.summary), *_WORD.findall(one.alert.description[:1000])}:
            if word in present and word != bundle.service and kinship.knows(word):
                yield word, kin(weights.NAMED, f"the alert {one.alert.name} names {word}"), True


def hook_kin(hook: str, *, host: bool = False) -> Kin:
    """What it means that two have this in common; `host`: one of them is about the node or zone itself."""
    key, _, value = hook.partition("=")
    first = value.partition(" ")[0]
    if key == "node":
        return kin(weights.HOST if host else weights.BESIDE, f"the same node {value}")
    if key == "zone":
        return kin(weights.ZONE if host else weights.Tie(0.0, 1.0), f"the same zone {value}")
    if key == "at":
        return kin(weights.ALSO_THERE, f"the same node {first}")
    if key == "in":
        return kin(weights.IN_ZONE, f"the same alert {value.partition(' ')[2]} in {first}")
    if key == "every":
        return kin(weights.EVERYWHERE, f"many services have {value}")
    if key == "alert":
        return kin(weights.ALIKE, f"the same alert {value}")
    if key == "group":
        return kin(weights.TOLD, f"grouped together by its sender ({value})")
    if key == "change":
        return kin(weights.CHANGED, f"both touched by {value}")
    return kin(weights.PLACE, f"the same {key} {value}")


def chance(relation: Kin, mine: Span, theirs: Span, window: timedelta, *, over: bool = False) -> Reason | None:
    """What this relation says about two beginnings; nothing beyond the window."""
    gap = mine.gap(theirs)
    if gap > window:
        return None
    half = timedelta(minutes=relation.half) * (window / USUAL)
    found = relation.weight * 0.5 ** (gap / half) * (weights.OVER if over else 1.0)
    if relation.directed:
        early = theirs.first - mine.last if relation.needed else mine.first - theirs.last
        if early.total_seconds() > weights.SKEW:
            found *= weights.BACKWARDS
    return Reason(found, gap, f"{relation.sentence}, {apart(gap)}")


def together(reasons: Iterable[Reason]) -> float:
    """The chance that at least one of them is right, were they independent."""
    against = 1.0
    for one in reasons:
        against *= 1 - one.chance
    return 1 - against


def reasons_for(bundle: Bundle, home: Home, kinship: Kinship, window: timedelta) -> list[Reason]:
    """All that speaks for this bundle being part of this incident, the strongest first; calls only where roots allow it."""
    found: list[Reason] = []
    mine = ground(bundle)
    for name, relation, free in relatives(bundle, kinship, home.services):
        begins = home.services.get(name)
        if not begins or not (free or fits(mine, bundle.service, home.ground, name, kinship)):
            continue
        told = [b for b in begins if b.loud or name == bundle.service]
        if best := _best(relation, bundle.span, told, window):
            found.append(best)
    for one in bundle.arrivals:
        ended = home.cleared.get(one.fingerprint)
        again = kin(weights.AGAIN, f"{one.alert.name} was part of it")
        if ended and (back := chance(again, Span(one.at, one.at), Span(ended, ended), window)):
            found.append(back)
    for hook, span in bundle.hooks.items():
        if alike := home.hooks.get(hook):
            found += _hooked(hook, span, bundle, alike, home, window)
    return sorted(found, key=lambda one: (-one.chance, one.gap, one.sentence))


def _share(hook: str, home: Home) -> float:
    """How much of the incident runs there, of what says where it runs: a service's trouble merely passes through a node."""
    key = hook.partition("=")[0] + "="
    places = {other: {b.service for b in begins} for other, begins in home.hooks.items() if other.startswith(key)}
    return len(places[hook]) / sum(len(services) for services in places.values())


def _hooked(hook: str, span: Span, bundle: Bundle, begins: Sequence[Begin], home: Home, window: timedelta) -> Iterator[Reason]:
    host = bundle.service in NAMELESS or any(b.service in NAMELESS for b in begins)
    relation = hook_kin(hook, host=host)
    key = hook.partition("=")[0]
    if key not in CROWDS:
        if best := _best(relation, span, begins, window):
            share = _share(hook, home) if key in ("node", "zone") else 1.0
            yield Reason(best.chance * share, best.gap, best.sentence)
        return
    by_service: dict[str, list[Begin]] = {}
    for begin in begins:
        if begin.service != bundle.service:
            by_service.setdefault(begin.service, []).append(begin)
    each = [best for some in by_service.values() if (best := _best(relation, span, some, window))]
    if each:
        first = max(each, key=lambda one: one.chance)
        yield Reason(together(each), first.gap, f"{relation.sentence}, {apart(first.gap)}")


def _best(relation: Kin, span: Span, begins: Iterable[Begin], window: timedelta) -> Reason | None:
    told = [one for b in begins if (one := chance(relation, span, b.span, window, over=b.over))]
    return max(told, key=lambda one: (one.chance, -one.gap), default=None)


def fresh(home: Home, bundle: Bundle) -> float:
    """What an incident of this age still takes of the chance."""
    age = (bundle.span.first - home.incident.opened_at).total_seconds() / 60 - weights.AGED
    return float(0.5 ** (max(0.0, age) / weights.AGE_HALF))


def needed(bundle: Bundle) -> float:
    """The chance from which on it joins something."""
    return weights.ENOUGH if bundle.loud else weights.NOTICED
