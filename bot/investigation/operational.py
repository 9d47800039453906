"""Causes that no change is guilty of. Each needs a discriminating check; a keyword alone is never enough."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.evidence import EvidenceKind, Fact, Remedy
from bot.investigation.case import Case
from bot.investigation.exhibits import Exhibits
from bot.investigation.picture import Picture
from bot.investigation.symptoms import TELEMETRY_KINDS, Sign, deepest_failures
from bot.investigation.vocabulary import Kind
from bot.investigation.wording import capital, listed, plain, told
from bot.signals.direction import bag, counts_traffic, words

SURGE = 1.8  # traffic at the edge by this factor
_HOST = re.compile(r"(?<![\w@.-])((?:[a-z0-9-]+\.)+[a-z]{2,24})(?![\w.-]*[(=])(?![\w-])", re.IGNORECASE)
INSIDE = re.compile(r"(?:\.local|\.internal|\.svc|\.lan|\.localdomain|\.cluster|\.consul)$|\.svc\.", re.IGNORECASE)
_NOT_HOSTS = re.compile(
    r"\.(?:go|py|js|ts|java|rb|rs|c|h|cpp|sql|json|ya?ml|md|log|txt|html|css|exc|sh|conf|toml|xml|proto|lua|php)$"
    r"|^(?:java|javax|org|com|io|sqlalchemy|exc|net)\.",
    re.I,
)
_IDENTITY = re.compile(
    r"\b([a-z_]*(?:id|offset|key|record|message|row|object|document|order|event))[=: ]+[\"']?([\w.-]*\d[\w.-]*)", re.IGNORECASE
)
_EXPIRED = re.compile(
    r"(?i)expired or is not yet valid|certificate (?:has )?expired|CERT_HAS_EXPIRED|certificate.{0,30}not yet valid|notAfter"
)
_NODE = re.compile(r"\b(?:node|host|instance)[=: /\"']+((?:ip-)?[a-z0-9][\w.-]*\d[\w.-]*)", re.IGNORECASE)
_BROKEN = frozenset({Kind.ERRORS, Kind.TIMEOUT, Kind.THROTTLED, Kind.ENDPOINT})
OWN_CRASH = frozenset({Kind.NULL, Kind.CONCURRENCY, Kind.SERIALIZATION, Kind.SCHEMA, Kind.CONFIG, Kind.STARTUP, Kind.AUTH})


@dataclass(frozen=True, slots=True)
class Finding:
    """An operational cause: what it is, the remedy, how surely (0-1), and which service or provider it sits at.

    `specific` findings prove themselves (an expired certificate); others yield to a change that explains the same.
    """

    name: str
    fact: Fact
    remedy: Remedy
    strength: float
    at: str
    specific: bool


def operational(case: Case, picture: Picture, exhibits: Exhibits) -> tuple[Finding, ...]:
    """The operational causes that pass their checks, the surest first."""
    found = (check(case, picture, exhibits) for check in CHECKS)
    return tuple(sorted((f for f in found if f), key=lambda f: -f.strength))


def certificate(case: Case, picture: Picture, exhibits: Exhibits) -> Finding | None:
    """Handshakes fail because of the date, and a date or a countdown of the certificate agrees."""
    said = [s for s in picture.signs if _EXPIRED.search(s.raw)]
    ran_out = [
        s for s in case.series
        if bag("cert certificate tls ssl") & set(words(s.metric))
        and s.points and min(v for _, v in s.points) <= 0 < s.points[0][1]
    ]  # fmt: skip
    heard = [s for s in said if s.what in TELEMETRY_KINDS]
    if not heard and not ran_out:
        return None
    cites = [s.cite(exhibits) for s in said[:2]]
    for series in ran_out[:1]:
        at = next(t for t, v in series.points if v <= 0)
        cites.append(
            exhibits.cite(
                EvidenceKind.METRIC, f"{series.service}: {series.metric} reached zero", "metrics", at=at, service=series.service
            )
        )
    where = ran_out[0].service if ran_out else heard[0].service
    fact = Fact(f"The certificate of {_holder(said) or where} has expired", 5.0, tuple(cites), "certificate")
    return Finding("certificate", fact, Remedy.ROTATE_CERTIFICATE, 1.0, where, True)


def dns(_: Case, picture: Picture, exhibits: Exhibits) -> Finding | None:
    """Names of at least two unrelated hosts do not resolve; one host alone may be a typing error in a change."""
    signs = [s for s in picture.signs if Kind.DNS in s.kinds and s.what is not EvidenceKind.ALERT]
    hosts = {_domain(h) for s in signs for h in _hosts(s.raw)}
    askers = {s.service for s in signs if s.what in (EvidenceKind.LOG, EvidenceKind.TRACE)}
    resolver = [
        d
        for d in picture.deviations
        if d.bad and {"dns", "coredns", "servfail", "nxdomain", "resolver"} & set(words(d.metric + " " + d.service))
    ]
    if len(hosts) < 2 and not (resolver and len(askers) > 1):
        return None
    cites = tuple(dict.fromkeys(s.cite(exhibits) for s in signs[:4]))
    what = f"{len(hosts)} unrelated hosts" if len(hosts) > 1 else f"hosts that {listed(sorted(askers))} ask for"
    fact = Fact(f"Name resolution fails for {what}; no one change can explain that", 5.0, cites, "dns")
    return Finding("dns", fact, Remedy.FIX_DNS, 1.0, resolver[0].service if resolver else picture.first, True)


def bad_record(case: Case, picture: Picture, exhibits: Exhibits) -> Finding | None:
    """The same record fails again and again, while others did not fail."""
    per_service: dict[str, Counter[str]] = defaultdict(Counter)
    lines: Counter[str] = Counter()
    for line in case.logs:
        if line.level in ("ERROR", "FATAL", "CRITICAL", "WARN", "WARNING") and line.at >= picture.onset - picture.step:
            names = {f"{k.lower()}={v}" for k, v in _IDENTITY.findall(line.text)}
            if names:
                lines[line.service] += 1
                per_service[line.service].update(names)
    for service, count in lines.most_common():
        identity, times = per_service[service].most_common(1)[0]
        signs = [
            s
            for s in picture.signs
            if s.service == service and s.kinds & {Kind.DATA, Kind.SERIALIZATION, Kind.NULL, Kind.REJECTED, Kind.ERRORS}
        ]
        distinct = {i for i in per_service[service] if i.split("=")[0] == identity.split("=")[0]}
        if (
            times >= 4
            and times >= 0.8 * count
            and len(distinct) <= 2
            and any(s.kinds & {Kind.DATA, Kind.SERIALIZATION, Kind.QUEUE} for s in signs)
        ):
            cites = tuple(s.cite(exhibits) for s in signs[:3])
            fact = Fact(f"One record fails again and again ({plain(identity, 60)}, {times} times)", 5.0, cites, "bad_data")
            return Finding("bad_data", fact, Remedy.PURGE_BAD_DATA, 1.0, service, True)
    return None


def provider(case: Case, picture: Picture, exhibits: Exhibits) -> Finding | None:
    """What fails deepest is a call to one service outside our estate, or that service says itself that it is in trouble."""
    named: Counter[str] = Counter()
    broken: set[str] = set()  # outside services that the first failing service gets errors from
    cites: dict[str, list[str]] = defaultdict(list)
    known = {*picture.graph.calls, *(c for cs in picture.graph.calls.values() for c in cs)} - case.external
    for sign in picture.signs:
        if sign.what not in TELEMETRY_KINDS or sign.kinds & {Kind.DNS, Kind.CERTIFICATE}:
            continue
        if not sign.kinds & {Kind.ERRORS, Kind.TIMEOUT, Kind.LATENCY, Kind.THROTTLED, Kind.ENDPOINT, Kind.RETRY}:
            continue
        for outside in _outside(sign.raw, case.external, known):
            reported = sign.what is EvidenceKind.EVENT and sign.service == outside
            loud = sign.what is not EvidenceKind.METRIC or sign.kinds & {Kind.ERRORS, Kind.LATENCY, Kind.TIMEOUT}
            named[outside] += 2 if reported else (1 if loud else 0)
            cites[outside].append(sign.cite(exhibits))
            needed = reported and outside in picture.graph.upstreams(picture.first)
            if sign.kinds & _BROKEN and (needed or picture.first in (sign.service, "")):
                broken.add(outside)
    deep = {_outside_span(s.name, case.external, known) for s in deepest_failures(case.spans)} - {""}
    named = Counter({o: n for o, n in named.items() if o in broken})
    if not named or (len(named) > 1 and named.most_common(2)[1][1] * 2 > named.most_common(1)[0][1]):
        return None
    outside, times = named.most_common(1)[0]
    if times < 2 and outside not in deep:
        return None
    fact = Fact(
        f"{capital(outside)}, which is outside our estate, fails", 4.0, tuple(dict.fromkeys(cites[outside]))[:4], "provider"
    )
    return Finding("external_provider", fact, Remedy.ESCALATE_PROVIDER, 0.9, outside, False)


def surge(case: Case, picture: Picture, exhibits: Exhibits) -> Finding | None:
    """More traffic came in at the edge, before anything hurt, and what is inside grew no more than that."""
    if any(s.kinds & OWN_CRASH and s.what in (EvidenceKind.LOG, EvidenceKind.TRACE) for s in picture.signs):
        return None
    grown = [d for d in picture.deviations if counts_traffic(d.metric) and d.rising and d.factor >= SURGE]
    inside = {c for cs in picture.graph.calls.values() for c in cs}
    edge = [d for d in grown if d.service not in inside and (d.service in picture.graph.calls or not inside)]
    if not edge or (not inside and _some_stay_flat(case, picture)):
        return None
    first = min(edge, key=lambda d: d.onset)
    hurting = [d.onset for d in picture.deviations if d.bad]
    amplified = [d for d in grown if d.service != first.service and d.factor > 1.6 * first.factor]
    if amplified or any(at < first.onset - first.step for at in hurting):
        return None
    saturated = any(picture.weight(k) for k in (Kind.LATENCY, Kind.TIMEOUT, Kind.POOL, Kind.CPU, Kind.THROTTLED, Kind.QUEUE))
    if not saturated:
        return None
    cite = exhibits.cite(EvidenceKind.METRIC, f"{first.service}: {told(first)}", "metrics", at=first.onset, service=first.service)
    fact = Fact(f"{capital(first.service)} gets {first.factor:.1f} times the traffic", 4.0, (cite,), "surge")
    return Finding("surge", fact, Remedy.SCALE, 0.8, first.service, False)


def _some_stay_flat(case: Case, picture: Picture) -> bool:
    """Traffic of some service is as before: without knowing who calls whom, what grew may be no edge."""
    counted = {s.service for s in case.series if counts_traffic(s.metric)}
    grown = {d.service for d in picture.deviations if counts_traffic(d.metric) and d.rising}
    return len(counted) < 2 or bool(counted - grown)


def node(case: Case, picture: Picture, exhibits: Exhibits) -> Finding | None:
    """One machine is in trouble, and what suffers runs on it."""
    signs = [s for s in picture.signs if Kind.NODE in s.kinds]
    machines = Counter(m for s in signs for m in sorted(set(_NODE.findall(s.raw))))
    machines.update(a.labels[k] for a in case.alerts for k in ("node", "host") if a.labels.get(k) and signs)
    telling = [s for s in signs if s.what in TELEMETRY_KINDS]
    if not telling or not machines:
        return None
    machine, _ = machines.most_common(1)[0]
    if len(machines) > 2:
        return None
    cites = tuple(dict.fromkeys(s.cite(exhibits) for s in telling[:3]))
    fact = Fact(f"The node {plain(machine, 60)} is failing", 5.0, cites, "node")
    return Finding("node", fact, Remedy.FAILOVER, 0.9, telling[0].service or picture.first, True)


def quota(case: Case, picture: Picture, exhibits: Exhibits) -> Finding | None:
    """An outside limit is reached while we ask no more often than before."""
    signs = [
        s
        for s in picture.signs
        if s.what in TELEMETRY_KINDS
        and re.search(r"(?i)quota|limit exceeded|insufficient (?:capacity|quota|funds|credit)|subscription", s.raw)
    ]
    more = [
        d
        for d in picture.deviations
        if counts_traffic(d.metric) and d.rising and d.factor >= 1.5 and d.onset <= picture.onset + timedelta(minutes=1)
    ]
    outside = [s for s in signs if _outside(s.raw, case.external, set()) or re.search(r"(?i)quota", s.raw)]
    if not outside or more:
        return None
    fact = Fact(
        "An outside quota is used up, although we ask no more often than before",
        4.0,
        tuple(s.cite(exhibits) for s in outside[:3]),
        "quota",
    )
    return Finding("quota", fact, Remedy.SCALE, 0.8, outside[0].service, False)


CHECKS: Sequence[Callable[[Case, Picture, Exhibits], Finding | None]] = (
    certificate,
    dns,
    bad_record,
    node,
    provider,
    quota,
    surge,
)


def _hosts(text: str) -> set[str]:
    found = {h for h in _HOST.findall(text) if not _NOT_HOSTS.search(h)}
    return {h.lower() for h in found if h.isupper() or h.rsplit(".", 1)[-1].islower()}  # Catalog.ListItems is a method


def _domain(host: str) -> str:
    return ".".join(host.split(".")[-2:])


def _outside(text: str, external: Iterable[str], known: set[str]) -> set[str]:
    """The outside services that a text names: those of the catalogue, and hosts that are not of our own network."""
    named = {e for e in external if re.search(rf"(?<![\w-]){re.escape(e)}(?![\w-])", text, re.IGNORECASE)}
    hosts = {h for h in _hosts(text) if not INSIDE.search(h) and h.split(".")[0] not in known}
    return named or {_domain(h) for h in hosts}


def _outside_span(name: str, external: Iterable[str], known: set[str]) -> str:
    return next(iter(sorted(_outside(name, external, known))), "")


def _holder(signs: Sequence[Sign]) -> str:
    found = re.search(r"CN=([\w.*-]+)", " ".join(s.raw for s in signs))
    return found[1] if found else ""
