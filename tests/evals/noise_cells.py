"""A third made-up day: cells that fail as a whole, hubs, shared stores, several senders, and a catalogue with mistakes.

It shares no code and few assumptions with `noise_stream` and `noise_tiers`: services form layers with hubs and run in cells
(zones) on named nodes; trouble needs 10 s to 10 min for each call that it travels; what fails in a cell has the cell in common
and nothing else; services.yaml lacks services and calls and has some that do not exist; two senders tell of one incident. It
knows nothing of how the bot groups alerts.
"""

import argparse
import heapq
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

DAWN = datetime(2026, 5, 6, 5, 30, tzinfo=UTC)
LAYERS = (
    ("gateway", "mobile-bff", "web-bff", "partner-api"),
    ("checkout", "catalog", "orders", "profile", "quotes", "returns", "wishlist", "bookings", "chat", "reports", "invoices"),
    ("pricing", "stock", "shipping", "payments", "ranking", "loyalty", "tax", "fraud", "ledger", "notify", "media", "translate"),
    ("identity", "flags", "config-service", "rate-limits"),
)
STORES = ("orders-pg", "ledger-pg", "catalog-es", "session-redis", "events-kafka", "profile-mongo", "media-s3")
OF_SERVICE = (
    *("KubePodCrashLooping", "HighErrorRate", "RequestLatencyHigh", "SLOFastBurn", "DeploymentReplicasMismatch"),
    *("ProbeFailing", "ContainerOOMKilled", "ThreadPoolExhausted"),
)
OF_STORE = (
    "PostgresTooManyConnections",
    "ReplicationLagHigh",
    "KafkaUnderReplicated",
    "StoreDown",
    "DiskWillFill",
    "SlowQueries",
)
SEEN_BY_CALLERS = ("HighErrorRate", "RequestLatencyHigh", "SLOFastBurn", "DependencyTimeouts", "CircuitBreakerOpen")
BLIPS = ("CPUThrottlingHigh", "HPAMaxedOut", "GCPauseLong", "ScrapeSlow", "NodeClockSkew", "TCPRetransmits", "CacheHitRateLow")
CHATTER = ("CertExpiresSoon", "DeprecatedAPIUsed", "ImageOutdated", "BackupLate", "BudgetForecast")
SENDERS = ("alertmanager", "grafana")


@dataclass
class Fact:
    """One alert over one time; `group` None is noise. `sender` delivers it."""

    id: str
    sender: str
    labels: dict[str, str]
    begins: datetime
    ends: datetime
    group: str | None
    grave: bool


@dataclass
class World:
    """Who calls whom, where everything runs, and what happened."""

    calls: dict[str, list[str]]
    cells: list[str]
    homes: dict[str, list[tuple[str, str]]]  # cell and node of each pod
    facts: list[Fact] = field(default_factory=list)

    def callers(self, service: str) -> list[str]:
        """Who calls it directly."""
        return [name for name, below in self.calls.items() if service in below]


def a_world(random: Random) -> World:
    """Layers with two or three hubs that half of all services call, and stores that few share."""
    layers = [list(layer) for layer in LAYERS]
    for layer in layers[1:3]:
        random.shuffle(layer)
        del layer[random.randint(7, len(layer)) :]
    stores, hubs = list(STORES), random.sample(LAYERS[3], random.randint(2, 3))
    calls: dict[str, list[str]] = {name: [] for name in (*itertools.chain(*layers), *stores)}
    for upper, lower in itertools.pairwise(layers[:3]):
        for name in upper:
            calls[name] += random.sample(lower, random.choice((1, 2, 2, 3)))
    for name in itertools.chain(*layers[:3]):
        calls[name] += [hub for hub in hubs if random.random() < 0.35]
    for name in (*layers[1], *layers[2], *layers[3]):
        calls[name] += random.sample(stores, random.choice((0, 1, 1, 1, 2)))
    cells = [f"cell-{letter}" for letter in "abc"[: random.choice((2, 3))]]
    nodes = {cell: [f"{cell}-n{number}" for number in range(7)] for cell in cells}
    homes = {name: [(cell, random.choice(nodes[cell])) for cell in cells for _ in range(random.choice((1, 2)))] for name in calls}
    return World(calls, cells, homes)


class Teller:
    """Tells a day, one kind of event per method."""

    def __init__(self, seed: int, hours: float, rate: float) -> None:
        self.random = Random(f"cells {seed}")
        self.world = a_world(self.random)
        self.end = DAWN + timedelta(hours=hours)
        self.rate = rate
        self.label = self.random.choice(("service", "app", "deployment"))
        self.placed = self.random.random() < 0.6  # alerts of pods name cell and node
        self._ids, self._groups = itertools.count(1), itertools.count(1)

    def group(self) -> str:
        """The next incident's name."""
        return f"inc-{next(self._groups)}"

    def after(self, at: datetime, least: float, most: float) -> datetime:
        """A moment from `least` to `most` seconds later, rather early in that span."""
        return at + timedelta(seconds=math.exp(self.random.uniform(math.log(least), math.log(most))))

    def say(
        self,
        name: str,
        service: str,
        at: datetime,
        until: datetime,
        group: str | None,
        severity: str,
        *,
        pod: int | None = None,
        id: str = "",
        **more: str,
    ) -> None:
        """One alert; of a pod it names pod, and cell and node if this company does so."""
        labels = {"alertname": name, "severity": severity, **more}
        if service:
            labels[self.label] = service
            labels["env"] = "production"
        if pod is not None:
            homes = self.world.homes[service]
            cell, node = homes[pod % len(homes)]
            labels["pod"] = f"{service}-{sum(map(ord, service)) * 7919 % 99991:x}-{'bcdfghjklm'[pod % 10]}x{pod}"
            if self.placed:
                labels |= {"zone": cell, "node": node}
        sender = SENDERS[name in ("SLOFastBurn", "DependencyTimeouts", "BudgetForecast", "CacheHitRateLow")]
        ends = max(until, at + timedelta(seconds=20))
        id = id or f"c{next(self._ids):05}"
        self.world.facts.append(Fact(id, sender, labels, at, ends, group, severity == "critical" and group is not None))

    # --- incidents ------------------------------------------------------------------------------------------------

    def fault(self, root: str, at: datetime, most: int = 25) -> None:
        """A service or store fails; its callers notice, each call away later and less likely."""
        random, group = self.random, self.group()
        ends, left = at + timedelta(minutes=random.uniform(6, 50)), random.randint(4, most)
        waiting, reached = [(at, root, 0)], {root}
        while waiting and left > 0:
            begins, here, depth = heapq.heappop(waiting)
            names = (OF_STORE if here in STORES else OF_SERVICE) if depth == 0 else SEEN_BY_CALLERS
            for name in random.sample(names, random.randint(2, 3) if depth == 0 else random.randint(1, 2)):
                when = self.after(begins, 3, 90)
                for pod in range(random.choice((1, 1, 2, 3))) if name.startswith(("Kube", "Container", "Probe")) else (None,):
                    severity = random.choices(("critical", "warning", "info"), (3, 6, 1))[0]
                    self.say(name, here, when, ends - (when - at) * random.random() / 2, group, severity, pod=pod)
                    left -= 1
            for caller in self.world.callers(here):
                if caller not in reached and random.random() < 0.75 * 0.7**depth:
                    reached.add(caller)
                    heapq.heappush(waiting, (self.after(begins, 10, 600), caller, depth + 1))

    def dark_cell(self, at: datetime) -> None:
        """A cell fails: the same few alerts for what runs there, whoever calls whom."""
        random, group, cell = self.random, self.group(), self.random.choice(self.world.cells)
        ends = at + timedelta(minutes=random.uniform(8, 30))
        self.say("ZoneNetworkDegraded", "", at, ends, group, "critical", zone=cell)
        for service, homes in self.world.homes.items():
            if random.random() < 0.6:
                name = random.choice(("KubePodNotReady", "KubePodNotReady", "ProbeFailing"))
                pod = next(n for n, home in enumerate(homes) if home[0] == cell)
                when = self.after(at, 10, 180)
                self.say(name, service, when, ends, group, random.choice(("warning", "warning", "critical")), pod=pod)
                self.world.facts[-1].labels["zone"] = cell

    def dead_node(self, at: datetime) -> None:
        """A node dies: alerts about it name no service, those about its pods come minutes later."""
        random, group = self.random, self.group()
        cell, node = random.choice(sorted({home for homes in self.world.homes.values() for home in homes}))
        ends = at + timedelta(minutes=random.uniform(6, 25))
        for name, severity in (("KubeNodeNotReady", "critical"), ("NodeExporterDown", "warning"), ("KubeletDown", "warning")):
            self.say(name, "", self.after(at, 1, 60), ends, group, severity, node=node, instance=f"{node}:9100")
        for service, homes in self.world.homes.items():
            for pod, home in enumerate(homes):
                if home == (cell, node):
                    when = self.after(at, 20, 300)
                    self.say("KubePodNotReady", service, when, ends, group, "warning", pod=pod)
                    self.world.facts[-1].labels["node"] = node

    def collapse(self, at: datetime) -> None:
        """A hub or a store that many need fails, and nearly everything above it within minutes: a storm."""
        random, group = self.random, self.group()
        root = max(random.sample(sorted(self.world.calls), 12), key=lambda name: len(self.world.callers(name)))
        ends = at + timedelta(minutes=random.uniform(15, 40))
        line, when = [root], {root: at}
        for here in line:
            for caller in self.world.callers(here):
                if caller not in when and random.random() < 0.9:
                    when[caller] = self.after(when[here], 5, 60)
                    line.append(caller)
        for service, begins in when.items():
            for name in random.sample(OF_STORE if service in STORES else SEEN_BY_CALLERS, 3):
                for pod in range(random.randint(1, 4)):
                    severity = random.choices(("critical", "warning"), (1, 3))[0]
                    self.say(name, service, self.after(begins, 2, 60), ends, group, severity, pod=pod)

    # --- noise ----------------------------------------------------------------------------------------------------

    def blip(self, rule: str, service: str, at: datetime) -> None:
        """It fires and always clears within minutes."""
        until = at + timedelta(seconds=self.random.uniform(25, 200))
        self.say(rule, service, at, until, None, self.random.choice(("warning", "info")), pod=self.random.randrange(3))

    def flap(self, at: datetime) -> None:
        """Up and down for an hour; the same alert each time."""
        service, name = self.random.choice(sorted(self.world.calls)), self.random.choice((*BLIPS, *OF_SERVICE[:3]))
        id = f"c{next(self._ids):05}"
        for _ in range(self.random.randint(6, 20)):
            until = at + timedelta(seconds=self.random.uniform(25, 120))
            self.say(name, service, at, until, None, "warning", pod=0, id=id)
            at = until + timedelta(seconds=self.random.uniform(30, 200))

    def chatter(self, at: datetime) -> None:
        """Something of no urgency that stays for long."""
        until = at + timedelta(minutes=self.random.uniform(20, 240))
        severity = self.random.choice(("info", "info", "warning"))
        self.say(self.random.choice(CHATTER), self.random.choice(sorted(self.world.calls)), at, until, None, severity)

    def rollout(self, at: datetime) -> None:
        """Pods of a service are replaced one after the other, as planned."""
        service = self.random.choice(sorted(self.world.calls))
        for pod in range(4):
            begins = at + timedelta(seconds=75 * pod)
            self.say("KubePodNotReady", service, begins, begins + timedelta(seconds=60), None, "info", pod=pod)

    def moments(self, an_hour: float) -> Iterator[datetime]:
        """Moments without memory."""
        at = DAWN
        while (at := at + timedelta(hours=self.random.expovariate(an_hour))) < self.end:
            yield at


def near(world: World, service: str) -> list[str]:
    """What it calls, what calls it, and what they call or are called by."""
    ring = {service}
    for _ in range(2):
        ring |= {n for here in ring for n in (*world.calls[here], *world.callers(here))}
    return sorted(ring - {service})


def a_day(seed: int, hours: float = 6.0, rate: float = 3.0) -> World:
    """About `rate` incidents an hour; a fifth of them have another one beside them, near or far."""
    tell = Teller(seed, hours, rate)
    random, services = tell.random, sorted(tell.world.calls)
    for at in tell.moments(rate):
        kind = random.random()
        if kind < 0.12:
            tell.dark_cell(at)
        elif kind < 0.25:
            tell.dead_node(at)
        else:
            root = random.choice(services)
            tell.fault(root, at)
            if random.random() < 0.25:
                other = random.choice(near(tell.world, root) if random.random() < 0.3 else services)
                tell.fault(other, at + timedelta(seconds=random.uniform(0, 900)), most=12)
    for at in tell.moments(1 / 5):
        tell.collapse(at)
    for rule, service in [(random.choice(BLIPS), random.choice(services)) for _ in range(20)]:
        for at in tell.moments(random.uniform(0.4, 1.5)):
            tell.blip(rule, service, at)
    for happens, an_hour in ((tell.flap, 1.0), (tell.chatter, 2.0), (tell.rollout, 0.5)):
        for at in tell.moments(an_hour):
            happens(at)
    return tell.world


def deliveries(world: World, seed: int) -> Iterator[tuple[datetime, str, dict[str, object]]]:
    """Both senders group by name and cell or by name alone; each tells a group again when it changes; clocks differ."""
    random = Random(f"post {seed}")
    by = random.choice((("alertname",), ("alertname", "zone"), ("alertname", "service", "app", "deployment"), ("zone",)))
    skew = {sender: timedelta(seconds=random.uniform(-40, 40)) for sender in SENDERS}
    batches: dict[tuple[str, ...], list[Fact]] = {}
    for fact in world.facts:
        batches.setdefault((fact.sender, *(fact.labels.get(label, "") for label in by)), []).append(fact)
    for key, facts in sorted(batches.items()):
        moments = sorted({moment for fact in facts for moment in (fact.begins, fact.ends)})
        seen: set[tuple[str, datetime]] = set()
        over: set[tuple[str, datetime]] = set()
        flushed = DAWN - timedelta(hours=1)
        labels = {name: value for name, value in zip(by, key[1:], strict=True) if value}
        while moments:
            flush = max(moments[0] + timedelta(seconds=10), flushed + timedelta(seconds=20))
            moments, flushed = [m for m in moments if m > flush], flush
            firing = {fact.id: fact for fact in facts if fact.begins <= flush < fact.ends}
            ended = [f for f in facts if f.ends <= flush and (f.id, f.begins) in seen - over and f.id not in firing]
            seen |= {(fact.id, fact.begins) for fact in firing.values()}
            over |= {(fact.id, fact.begins) for fact in facts if fact.ends <= flush}
            if not firing and not ended:
                continue
            body = _body(labels, list(firing.values()), ended, skew[key[0]], timeless=key[0] == "grafana" and seed % 2 == 0)
            at = flush + timedelta(seconds=random.expovariate(1.0) + (random.uniform(15, 240) if random.random() < 0.02 else 0))
            yield at, key[0], body
            if random.random() < 0.04:
                yield at + timedelta(seconds=random.uniform(1, 60)), key[0], body


def _body(
    labels: dict[str, str], firing: Sequence[Fact], ended: Sequence[Fact], skew: timedelta, *, timeless: bool
) -> dict[str, object]:
    alerts = []
    for fact, fires in (*((fact, True) for fact in firing), *((fact, False) for fact in ended)):
        one: dict[str, object] = {
            "status": "firing" if fires else "resolved",
            "labels": fact.labels,
            "annotations": {"summary": f"{fact.labels['alertname']}: look at the runbook"},
            "eval_id": fact.id,
        }
        if not timeless:
            one["startsAt"] = (fact.begins + skew).isoformat()
        if not fires:
            one["endsAt"] = (fact.ends + skew).isoformat()
        alerts.append(one)
    status = "firing" if firing else "resolved"
    return {
        "version": "4",
        "receiver": "tocsin",
        "status": status,
        "groupLabels": labels,
        "commonLabels": labels,
        "alerts": alerts,
    }


def catalogue(world: World, seed: int) -> list[dict[str, object]]:
    """What somebody wrote down of it: one service in twelve and one call in ten is missing, some calls never existed."""
    random = Random(f"book {seed}")
    known = [name for name in sorted(world.calls) if random.random() > 1 / 12]
    listed: list[dict[str, object]] = []
    for name in known:
        below = [callee for callee in world.calls[name] if callee in known and random.random() > 0.1]
        wrong = random.choice(known)
        if random.random() < 0.06 and wrong != name and name not in world.calls[wrong]:
            below.append(wrong)
        listed.append({"name": name, "depends_on": sorted(set(below))})
    return listed


def write(folder: Path, seed: int, hours: float = 6.0, rate: float = 3.0) -> tuple[Path, Path, Path]:
    """The three files of `tocsin eval noise`: stream, truth, services."""
    world = a_day(seed, hours, rate)
    stream, truth, services = folder / "stream.jsonl", folder / "truth.jsonl", folder / "services.yaml"
    sent = sorted(deliveries(world, seed), key=lambda one: one[0])
    lines = ({"at": at.isoformat(), "connector": sender, "payload": body} for at, sender, body in sent)
    stream.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    known = {fact.id: {"eval_id": fact.id, "group": fact.group, "critical": fact.grave} for fact in world.facts}
    truth.write_text("".join(json.dumps(line) + "\n" for line in known.values()), encoding="utf-8")
    services.write_text(json.dumps({"services": catalogue(world, seed)}), encoding="utf-8")  # JSON is YAML
    return stream, truth, services


def main() -> None:
    """Write a day into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--rate", type=float, default=3.0, help="incidents an hour")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print(*write(args.folder, args.seed, args.hours, args.rate), sep="\n")


if __name__ == "__main__":
    main()
