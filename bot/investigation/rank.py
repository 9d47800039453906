"""Which change did it: filters first, then points for content that fits the signs, each with its reason and its evidence."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.domain.evidence import Candidate, Fact
from bot.domain.learning import SHIPPED, Weights
from bot.investigation.case import Case
from bot.investigation.exhibits import Exhibits
from bot.investigation.nature import harmless, moved_share, removed_share
from bot.investigation.overlap import rarity, spelled, tokens, words_of
from bot.investigation.picture import Picture
from bot.investigation.resemblance import LATE, cite_diff, in_stack_trace, lengthened, names_edit, stepped, value_said, verbatim
from bot.investigation.rules import RULES, ChangeFact, read
from bot.investigation.seen_before import seen_before
from bot.investigation.shipments import Shipment, known, shared, shipments
from bot.investigation.symptoms import TELEMETRY_KINDS as TELEMETRY
from bot.investigation.symptoms import Sign
from bot.investigation.timing import growing_since, movers, not_started, switched, when_shipped
from bot.investigation.undoing import puts_back, taken_back
from bot.investigation.vocabulary import Kind
from bot.investigation.weights import weighed
from bot.investigation.wording import clock, plain
from bot.signals.direction import words

ROLLOUT = timedelta(seconds=3)  # a deployment is reported done this long after it began to serve
CONTENT = 4.0  # the most that one rule gives
SPOKEN = 0.3  # points of telemetry beside a rule's own; with less it is only a kind of trouble that fits
UNSPOKEN = -2.0
SPECIFIC = frozenset(  # kinds of trouble that few changes bring about: one of these fits by itself
    {Kind.NULL, Kind.CONCURRENCY, Kind.SERIALIZATION, Kind.SCHEMA, Kind.CONFIG, Kind.HANDLES, Kind.SERIES}
)
NAME_OF_SERVICE = 0.1  # of the weight of another word has the name of a service: place has it already
KNOWN = 0.5  # for what the deployment names or is the service's own code, against what was only likely taken along
OVERLAP = 4.0  # the most that shared words give

_PROVEN = frozenset(r.name for r in RULES) | {"stepped", "verbatim", "stack_trace"}


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with what the verdict needs to know of it. `content` are the points of rules, `heard` the points that
    telemetry itself vouches for; `explained` the kinds of trouble that its facts explain and the signs show."""

    candidate: Candidate
    shipment: Shipment
    content: float = 0.0
    heard: float = 0.0
    explained: frozenset[Kind] = field(default_factory=frozenset)


def rank(
    case: Case, picture: Picture, exhibits: Exhibits, *, without: Collection[str] = (), weights: Weights = SHIPPED
) -> tuple[Scored, ...]:
    """Every shipment as a scored candidate: suspects best first, then those ruled out, newest first."""
    every = shipments(case, picture)
    rare = rarity(every)
    rivals = movers(every)
    scored = [_weighed(_judge(s, case, picture, rare, rivals, exhibits, without), weights) for s in every]
    suspects = [s for s in scored if not s.candidate.ruled_out]
    out = [s for s in scored if s.candidate.ruled_out]
    suspects.sort(key=lambda s: (-s.candidate.score, -(s.shipment.at or case.now).timestamp(), s.candidate.change_id))
    out.sort(key=lambda s: (-(s.shipment.at or case.now).timestamp(), s.candidate.change_id))
    return (*suspects, *out)


def _weighed(scored: Scored, weights: Weights) -> Scored:
    candidate = weighed(replace(scored.candidate, content=scored.content, heard=scored.heard), weights)
    return replace(scored, candidate=candidate, content=candidate.content, heard=candidate.heard)


def _judge(
    shipment: Shipment,
    case: Case,
    picture: Picture,
    rare: Mapping[str, float],
    rivals: Sequence[Shipment],
    exhibits: Exhibits,
    without: Collection[str],
) -> Scored:
    bare = _bare(shipment)
    reason = _ruled_out(shipment, case, picture)
    if reason:
        return Scored(replace(bare, ruled_out=reason), shipment)
    facts: list[Fact] = []
    content, heard, explained = _content(shipment, picture, exhibits, without, facts)
    by_rule = heard
    heard += _overlap(shipment, picture, rare, exhibits, facts)
    heard += verbatim(shipment, picture, exhibits, facts)
    heard += value_said(shipment, picture, exhibits, facts)
    heard += in_stack_trace(shipment, picture, exhibits, facts)
    heard += stepped(shipment, picture, exhibits, facts)
    heard += lengthened(shipment, picture, exhibits, facts)
    heard += names_edit(shipment, picture, rare, exhibits, facts)
    heard += not_started(shipment, picture, rivals, exhibits, facts)
    heard += switched(shipment, picture, exhibits, facts)
    heard += growing_since(shipment, picture, rivals, exhibits, facts)
    _place(shipment, picture, facts)
    heard += _shape(shipment, facts)
    if content and heard - by_rule < SPOKEN and not explained & SPECIFIC:
        facts.append(Fact("nothing that was measured or said names anything of it", UNSPOKEN, (), "unspoken"))
    when_shipped(shipment, picture, exhibits, facts)
    seen_before(shipment, case.past, exhibits, facts)
    score = round(sum(f.points for f in facts), 3)
    facts.sort(key=lambda f: -f.points)
    return Scored(replace(bare, score=score, facts=tuple(facts)), shipment, content, heard, explained)


def _bare(shipment: Shipment) -> Candidate:
    change, commit = shipment.change, shipment.commit
    return Candidate(
        change_id=shipment.id,
        service=shipment.services[0] if shipment.services else "",
        title=plain(shipment.title, 160),
        version=change.version if change else "",
        commit=commit.sha if commit else (change.commit if change else ""),
        author=commit.author if commit else (change.author if change else ""),
        shipped_at=shipment.at,
    )


def _ruled_out(shipment: Shipment, case: Case, picture: Picture) -> str:
    """The reason why it cannot be the cause, or ""."""
    reason = harmless(shipment.text, shipment.title)
    if reason:
        return reason
    if shipment.at is None:
        return "not shipped by any known deployment"
    if shipment.at > picture.onset + max(picture.step, ROLLOUT):
        return "shipped after the onset"
    if back := taken_back(shipment, case, picture.onset):
        instead = " ".join((*back.services, back.version)).strip()
        return f"taken back before the onset, by {instead} at {clock(back.at, picture.step)}"
    if puts_back(shipment, case):
        return "only puts back what ran before"
    targets = [s for s in shipment.services if s]
    if targets and picture.graph.calls and not shared(shipment.text.files):
        known = {*picture.graph.calls, *(c for cs in picture.graph.calls.values() for c in cs)}
        related = {n for s in picture.affected for n in (*picture.graph.upstreams(s), *picture.graph.dependants(s))}
        if any(t in known for t in targets) and not set(targets) & {*related, *picture.affected}:
            return f"no path to {picture.first or picture.affected[0]}"
    return ""


def _content(
    shipment: Shipment, picture: Picture, exhibits: Exhibits, without: Collection[str], facts: list[Fact]
) -> tuple[float, float, frozenset[Kind]]:
    """Points of the change facts that explain signs: the best counts in full, the second by a third."""
    found = []
    for fact in read(shipment.text, RULES, without=without):
        signs = _reached(shipment, fact, picture)
        points = CONTENT * fact.strength * _fit(fact, signs, shipment, picture)
        if points > 0.3:
            found.append((points, fact, signs))
    found.sort(key=lambda f: (-f[0], f[1].rule, f[1].text))
    distinct = list({f[1].rule: f for f in reversed(found)}.values())
    distinct.sort(key=lambda f: (-f[0], f[1].rule))
    total, heard, explained = 0.0, 0.0, set[Kind]()
    for i, (points, fact, signs) in enumerate(distinct[:3]):
        points = points * (1.0, 0.34, 0.1)[i]
        cites = (cite_diff(shipment, fact.text, exhibits), *(s.cite(exhibits) for s in signs[:2]))
        facts.append(Fact(_sentence(fact, signs), round(points, 3), tuple(dict.fromkeys(cites)), fact.rule))
        total += points
        if signs and any(s.what in TELEMETRY for s in signs):
            heard += points
            explained |= {k for k in fact.explains if picture.weight(k)}
    return total, heard, frozenset(explained)


def reach(shipment: Shipment, sign: Sign, picture: Picture) -> float:
    """How well a sign can come from where this was shipped, in [0, 1]: from itself, from what it calls, from who calls it."""
    own = set(shipment.services)
    if not own or sign.about in own:
        return 1.0
    known = {*picture.graph.calls, *(c for cs in picture.graph.calls.values() for c in cs)}
    if sign.about not in known or not own & known:
        return 0.7
    if any(sign.about in picture.graph.upstreams(s) for s in own):
        return 0.8
    if not any(s in picture.graph.upstreams(sign.about) for s in own):
        return 0.1
    blamed = picture.first in own or any(s in picture.graph.upstreams(picture.first) for s in own)
    return 0.7 if blamed else 0.3


def _reached(shipment: Shipment, fact: ChangeFact, picture: Picture) -> list[Sign]:
    """The signs of the kinds that a fact explains: telling ones that it can well have caused first, then the loudest."""

    def order(sign: Sign) -> tuple[bool, float]:
        telling = bool(sign.kinds & fact.tells) and sign.what in TELEMETRY
        return not (telling and reach(shipment, sign, picture) >= 0.8), -_loud(sign, shipment, picture)

    return sorted((s for s in picture.speaking_of(fact.explains) if not _older(s, shipment, picture)), key=order)


def _older(sign: Sign, shipment: Shipment, picture: Picture) -> bool:
    """It began before this was shipped: that is not its doing. A deployment may be reported a little late."""
    return sign.at is not None and shipment.at is not None and sign.at < shipment.at - max(picture.step, LATE)


def _loud(sign: Sign, shipment: Shipment, picture: Picture) -> float:
    return sign.weight * reach(shipment, sign, picture) * (1.0 if sign.what in TELEMETRY else 0.8)


def _fit(fact: ChangeFact, signs: Sequence[Sign], shipment: Shipment, picture: Picture) -> float:
    """How well a change fact fits the signs, in [0, 1]: loud signs of its kinds, and the names that it must share with them."""
    loud = max((_loud(s, shipment, picture) for s in signs), default=0.0)
    if signs and not fact.tells & {k for s in signs for k in s.kinds}:
        loud *= 0.6
    if not fact.named or not loud:
        return loud
    said = " ".join(s.raw for s in picture.signs).lower()
    named = any(re.search(rf"(?<![a-z0-9]){re.escape(n.lower())}(?![a-z0-9])", said) for n in fact.named)
    return max(loud, 0.8) if named else 0.25 * loud


def _sentence(fact: ChangeFact, signs: Sequence[Sign]) -> str:
    if not signs:
        return fact.text
    told = signs[0].text.split(": ", 1)[-1]
    return f"{fact.text} · {plain(told, 110)}"


def _overlap(shipment: Shipment, picture: Picture, rare: Mapping[str, float], exhibits: Exhibits, facts: list[Fact]) -> float:
    """Points for rare words that the diff shares with what telemetry says; names of services count little, place has them."""
    mine = words_of(shipment)
    services = {w.rstrip("s") for s in picture.affected for w in (*words(s), *words(re.sub(r"(?:service|svc)$", "", s)))}
    best: dict[str, tuple[float, Sign]] = {}
    for sign in (s for s in picture.signs if not _older(s, shipment, picture)):
        for token in tokens(sign.raw) & mine.keys():
            weight = sign.weight * mine[token] * rare.get(token, 0.0) * (1.0 if sign.what in TELEMETRY else 0.6)
            weight *= (NAME_OF_SERVICE if token in services else 1.0) * reach(shipment, sign, picture)
            if weight > best.get(token, (0.0, sign))[0]:
                best[token] = (weight, sign)
    total = sum(w for w, _ in best.values())
    points = OVERLAP * (1 - math.exp(-total / 2.5))
    if points < 0.3:
        return 0.0
    top = sorted(best.items(), key=lambda b: (-b[1][0], b[0]))[:3]
    cites = tuple(dict.fromkeys(sign.cite(exhibits) for _, (_, sign) in top))
    text = "speaks of " + ", ".join(spelled(t, sign.raw) for t, (_, sign) in top) + ", as the signs do"
    facts.append(Fact(text, round(points, 3), cites, "overlap"))
    return points if any(s.what in TELEMETRY for _, (_, s) in top) else 0.0


def _place(shipment: Shipment, picture: Picture, facts: list[Fact]) -> None:
    """Points for being where the trouble began, or upstream of it."""
    targets = set(shipment.services)
    if known(shipment):
        facts.append(Fact("known to be in what was shipped", KNOWN, (), "known"))
    if picture.first in targets:
        facts.append(Fact(f"on {picture.first}, which failed first", 1.5, (), "place"))
        return
    upstream = {n for s in (picture.first, *picture.affected) if s for n in picture.graph.upstreams(s) if n != s}
    if targets & upstream:
        facts.append(
            Fact(f"{sorted(targets & upstream)[0]} is something that {picture.first} or its callers depend on", 1.0, (), "place")
        )
    elif targets & set(picture.affected):
        facts.append(Fact(f"on {sorted(targets & set(picture.affected))[0]}, which suffers", 0.5, (), "place"))
    elif shared(shipment.text.files) and shipment.commit:
        facts.append(Fact("in code that several services share", 0.5, (), "place"))


def _shape(shipment: Shipment, facts: list[Fact]) -> float:
    """Points for changing behaviour, and against merely moving code; what is returned telemetry vouches for."""
    heard = 0.0
    turned = [e for e in shipment.text.edits if e.ratio and max(e.ratio, 1 / e.ratio) >= 3]
    overlap = next((f for f in facts if f.rule == "overlap"), None)
    if turned and overlap:
        vouched = min(1.0, overlap.points)  # the more the signs speak of it, the more its turning matters
        points = round(0.5 + 1.5 * vouched, 3)
        heard = 1.5 * vouched
        facts.append(Fact(f"a value changed by a large factor: {turned[0].text}", points, overlap.cites, "large_factor"))
    moved = moved_share(shipment.text)
    if removed_share(shipment.text) > 0.5 and not turned and moved < 0.5:
        facts.append(Fact("takes code away without replacing it", 0.5, (), "removal"))
    if moved > 0.7 and not shipment.text.edits and not any(f.rule in _PROVEN for f in facts):
        facts.append(Fact("mostly moves code", -1.5, (), "moved"))
    if shipment.commit is None:
        facts.append(Fact("nothing is known of its content", -0.5, (), "no_diff"))
    return heard
