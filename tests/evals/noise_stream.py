"""A made-up day of an estate, with the truth: incidents interleaved over a service graph, and what is only noise.

It knows nothing of how the bot groups alerts. `python -m tests.evals.noise_stream --seed 7 --hours 12 FOLDER` writes
stream.jsonl, truth.jsonl and services.yaml for `tocsin eval noise`.
"""

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

QUIET = timedelta(minutes=35)
FAR = 4  # hops between what fails at the same time for different reasons
START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
DOMAINS = ("shop", "pay", "search", "media", "ship", "mail", "auth", "risk")
ERRORS = ("HighErrorRate", "HighLatency", "ProbeFailed", "PodCrashLooping", "SLOBurn", "QueueBacklog")
CALLER_ERRORS = ("HighErrorRate", "HighLatency", "UpstreamTimeouts", "SLOBurn")
NOISY = ("CPUThrottling", "GCPause", "DiskLatency", "RetransmitRate", "ClockDrift")


@dataclass
class Estate:
    """Services with whom they call, the node that each of their pods runs on, and services that no catalogue names."""

    calls: dict[str, list[str]]
    nodes: dict[str, list[str]]
    stores: list[str]
    unlisted: list[str]

    @property
    def callers(self) -> dict[str, list[str]]:
        """Who calls each service."""
        found: dict[str, list[str]] = {name: [] for name in self.calls}
        for name, callees in self.calls.items():
            for callee in callees:
                found[callee].append(name)
        return found

    def hops(self, start: str) -> dict[str, int]:
        """Hops from a service to each other along calls in either direction."""
        callers, seen, line = self.callers, {start: 0}, [start]
        for here in line:
            for there in (*self.calls[here], *callers[here]):
                if there not in seen:
                    seen[there] = seen[here] + 1
                    line.append(there)
        return seen


@dataclass
class Firing:
    """One alert over one span: from when to when it fires, whose it is."""

    eval_id: str
    labels: dict[str, str]
    begins: datetime
    ends: datetime
    group: str | None
    summary: str = ""


@dataclass
class Day:
    """All that happens; `firings` in no order."""

    estate: Estate
    firings: list[Firing] = field(default_factory=list)
    critical: dict[str, bool] = field(default_factory=dict)


def an_estate(random: Random) -> Estate:
    """Eight domains of an edge, some services and a store each, a few calls across, and a shared identity provider."""
    calls: dict[str, list[str]] = {}
    stores = []
    for domain in DOMAINS:
        inner = [f"{domain}-{part}" for part in ("api", "worker", "core", "rules", "cache")]
        store = f"{domain}-db"
        stores.append(store)
        calls[f"{domain}-edge"] = [inner[0]]
        calls[inner[0]] = [inner[2], inner[3]]
        calls[inner[1]] = [inner[2]]
        calls[inner[2]] = [store, inner[4]]
        calls[inner[3]] = [inner[4]]
        calls[inner[4]] = []
        calls[store] = []
    for domain in random.sample(DOMAINS, 3):
        other = random.choice([d for d in DOMAINS if d != domain])
        calls[f"{domain}-rules"].append(f"{other}-api")
    nodes = {name: [f"node-{random.randrange(30):02}" for _ in range(3)] for name in calls}
    return Estate(calls, nodes, stores, [f"legacy-{word}" for word in ("fax", "ftp", "print", "batch")])


class Maker:
    """Makes a day, one kind of event per method."""

    def __init__(self, seed: int, hours: float) -> None:
        self.random = Random(seed)
        self.day = Day(an_estate(self.random))
        self.hours = hours
        self._busy: list[tuple[datetime, datetime, str]] = []
        self._ids = itertools.count(1)
        self._groups = itertools.count(1)

    def fire(
        self,
        name: str,
        service: str,
        begins: datetime,
        lasts: float,
        group: str | None,
        severity: str = "warning",
        **labels: str,
    ) -> Firing:
        """One alert of a service; `lasts` in seconds."""
        one = Firing(
            f"e{next(self._ids)}",
            {"alertname": name, "severity": severity, **({"service": service} if service else {}), **labels},
            begins,
            begins + timedelta(seconds=lasts),
            group,
            f"{name} on {service or labels.get('node', 'somewhere')}",
        )
        self.day.firings.append(one)
        self.day.critical[one.eval_id] = severity == "critical" and group is not None
        return one

    def pods(
        self, name: str, service: str, at: datetime, lasts: float, group: str | None, severity: str = "warning", many: int = 3
    ) -> None:
        """The same alert for some of a service's pods, seconds apart."""
        for number in range(self.random.randint(1, many)):
            later = timedelta(seconds=self.random.uniform(0, 25))
            pod = f"{service}-{number}"
            self.fire(name, service, at + later, lasts, group, severity, pod=pod, instance=f"10.0.{number}.7:9090")

    def calm(self, at: datetime, among: Sequence[str]) -> str:
        """A service that can fail now without anybody taking it for part of what fails already; "" if there is none.

        What fails again within half an hour, or beside what fails, nobody could call another incident.
        """
        near = [root for begins, ends, root in self._busy if begins <= at + QUIET and at <= ends + QUIET]
        hops = [self.day.estate.hops(root) for root in near]
        free = [name for name in among if all(seen.get(name, 99) >= FAR for seen in hops)]
        return self.random.choice(free) if free else ""

    def cascade(self, root: str, at: datetime) -> str:
        """A service fails, and its callers with it, up to three hops."""
        group, lasts, callers = f"g{next(self._groups)}", self.random.uniform(300, 2400), self.day.estate.callers
        self._busy.append((at, at + timedelta(seconds=lasts), root))
        for name in self.random.sample(ERRORS, self.random.randint(2, 4)):
            severity = "critical" if self.random.random() < 0.3 else "warning"
            self.pods(name, root, at + timedelta(seconds=self.random.uniform(0, 60)), lasts, group, severity)
        line, seen = [(root, 0, 0.0)], {root}
        while line:
            here, depth, delay = line.pop(0)
            for caller in callers[here] if depth < 3 else []:
                if caller in seen or self.random.random() > 0.85 - 0.2 * depth:
                    continue
                seen.add(caller)
                after = delay + self.random.uniform(10, 90)
                name = self.random.choice(CALLER_ERRORS)
                self.pods(name, caller, at + timedelta(seconds=after), lasts - self.random.uniform(0, 200), group, many=4)
                line.append((caller, depth + 1, after))
        return group

    def node_failure(self, at: datetime) -> None:
        """A node dies: its own alert, and those of the pods that ran there."""
        group, lasts = f"g{next(self._groups)}", self.random.uniform(400, 1500)
        node = self.random.choice(sorted({n for nodes in self.day.estate.nodes.values() for n in nodes}))
        self.fire("NodeNotReady", "", at, lasts, group, "critical", node=node, instance=f"{node}:9100")
        self.fire("KubeletDown", "", at + timedelta(seconds=20), lasts, group, node=node, instance=f"{node}:10250")
        for service, nodes in self.day.estate.nodes.items():
            if node in nodes:
                later = timedelta(seconds=self.random.uniform(15, 150))
                self.fire("PodNotReady", service, at + later, lasts, group, node=node, pod=f"{service}-{nodes.index(node)}")

    def unlisted(self, at: datetime) -> None:
        """A service that no catalogue names fails in several ways."""
        group, service = f"g{next(self._groups)}", self.random.choice(self.day.estate.unlisted)
        for name in self.random.sample(ERRORS, 3):
            self.pods(name, service, at + timedelta(seconds=self.random.uniform(0, 120)), 900, group)

    def lone_critical(self, at: datetime) -> None:
        """One critical alert and nothing else, amid whatever happens."""
        service = self.random.choice(sorted(self.day.estate.calls))
        self.fire("CertificateExpired", service, at, 1800, f"g{next(self._groups)}", "critical", instance=f"{service}:443")

    def storm(self, at: datetime) -> None:
        """A store that a whole domain and its neighbours need fails; every pod has something to say."""
        root = self.calm(at, self.day.estate.stores)
        if not root:
            return
        group = f"g{next(self._groups)}"
        self._busy.append((at, at + timedelta(seconds=1500), root))
        reached = {name: hops for name, hops in self._dependants(root).items()}
        for service, hops in reached.items():
            for name in (*CALLER_ERRORS, "ProbeFailed"):
                for pod in range(6):
                    later = timedelta(seconds=15 * hops + self.random.uniform(0, 60))
                    severity = "critical" if pod == 0 and name == "SLOBurn" else "warning"
                    self.fire(name, service, at + later, 1500, group, severity, pod=f"{service}-{pod}")

    def _dependants(self, root: str) -> dict[str, int]:
        callers, seen, line = self.day.estate.callers, {root: 0}, [root]
        for here in line:
            for there in callers[here]:
                if there not in seen:
                    seen[there] = seen[here] + 1
                    line.append(there)
        return seen

    def transient(self, service: str, name: str, at: datetime) -> None:
        """It fires and clears by itself within two minutes, as it does all the time."""
        self.fire(name, service, at, self.random.uniform(20, 100), None, pod=f"{service}-0")

    def flap(self, service: str, at: datetime) -> None:
        """On and off a dozen times."""
        name = self.random.choice(NOISY)
        for turn in range(self.random.randint(8, 16)):
            self.fire(name, service, at + timedelta(seconds=90 * turn), 45, None, pod=f"{service}-1")

    def maintenance(self, service: str, at: datetime) -> None:
        """Somebody restarts all pods of a service on purpose, one after the other."""
        for pod in range(4):
            self.fire("PodNotReady", service, at + timedelta(seconds=70 * pod), 60, None, "info", pod=f"{service}-{pod}")


def a_day(seed: int, hours: float = 12.0, rate: float = 5.0) -> Day:
    """About `rate` incidents an hour, some at the same time but far apart, and noise all along."""
    make = Maker(seed, hours)
    random, estate = make.random, make.day.estate
    services = sorted(estate.calls)
    habits = [(random.choice(services), random.choice(NOISY)) for _ in range(25)]
    minutes = 60 * hours
    for _ in range(max(1, int(hours / 6))):
        make.storm(START + timedelta(minutes=random.uniform(minutes / 4, minutes * 3 / 4)))
    for number in range(int(rate * hours)):
        at = START + timedelta(minutes=minutes * (number + random.random()) / (rate * hours))
        kind = random.random()
        if kind < 0.6:
            for number_at_once in range(2 if random.random() < 0.3 else 1):  # another one that has nothing to do with it
                began = at + timedelta(seconds=number_at_once * random.uniform(0, 180))
                if root := make.calm(began, [s for s in services if not s.endswith("-edge")]):
                    make.cascade(root, began)
        elif kind < 0.75:
            make.node_failure(at)
        elif kind < 0.87:
            make.unlisted(at)
        else:
            make.lone_critical(at)
    for service, name in habits:
        at = START
        while (at := at + timedelta(minutes=random.expovariate(1 / 45))) < START + timedelta(minutes=minutes):
            make.transient(service, name, at)
    for _ in range(int(hours)):
        make.flap(random.choice(services), START + timedelta(minutes=random.uniform(0, minutes)))
    for _ in range(int(hours / 3)):
        make.maintenance(random.choice(services), START + timedelta(minutes=random.uniform(0, minutes)))
    return make.day


def deliveries(day: Day, seed: int) -> Iterator[tuple[datetime, dict[str, object]]]:
    """Webhooks as an Alertmanager sends them: grouped by name and service, repeated, some late, some twice, clocks apart."""
    random = Random(seed + 1)
    skew = {service: random.uniform(-45, 45) for service in day.estate.calls}
    by_group: dict[tuple[str, str], list[Firing]] = {}
    for one in day.firings:
        by_group.setdefault((one.labels["alertname"], one.labels.get("service", "")), []).append(one)
    for (name, service), firings in sorted(by_group.items()):
        off = timedelta(seconds=skew.get(service, 0.0))
        moments = sorted({_tick(moment) for one in firings for moment in (one.begins, one.ends)})
        told: set[str] = set()
        before = datetime.min.replace(tzinfo=UTC)
        for moment in moments:
            shown = [one for one in firings if one.begins <= moment and one.ends > before]
            shown = [one for one in shown if one.ends > moment or one.eval_id in told or one.begins > before]
            told.update(one.eval_id for one in shown)
            before = moment
            if not shown:
                continue
            at = moment + timedelta(seconds=random.uniform(0.1, 3))
            if random.random() < 0.03:
                at += timedelta(seconds=random.uniform(20, 150))
            payload = _payload(name, service, shown, moment, off)
            yield at, payload
            if random.random() < 0.06:
                yield at + timedelta(seconds=random.uniform(0.5, 50)), payload


def _tick(moment: datetime) -> datetime:
    """Alertmanager waits a little for others of the group: the next multiple of five seconds."""
    seconds = (moment - START).total_seconds()
    return START + timedelta(seconds=5 * (seconds // 5 + 1))


def _payload(name: str, service: str, shown: Sequence[Firing], now: datetime, off: timedelta) -> dict[str, object]:
    alerts = [
        {
            "status": "resolved" if one.ends <= now else "firing",
            "labels": one.labels,
            "annotations": {"summary": one.summary},
            "startsAt": (one.begins + off).isoformat(),
            "endsAt": (one.ends + off).isoformat() if one.ends <= now else "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example/graph",
            "eval_id": one.eval_id,
        }
        for one in shown
    ]
    group = {"alertname": name, **({"service": service} if service else {})}
    status = "firing" if any(a["status"] == "firing" for a in alerts) else "resolved"
    return {"version": "4", "status": status, "groupLabels": group, "commonLabels": group, "alerts": alerts}


def write(folder: Path, seed: int, hours: float = 12.0, rate: float = 5.0) -> tuple[Path, Path, Path]:
    """The three files of `tocsin eval noise`: stream, truth, services."""
    day = a_day(seed, hours, rate)
    stream, truth, services = folder / "stream.jsonl", folder / "truth.jsonl", folder / "services.yaml"
    sent = sorted(deliveries(day, seed), key=lambda pair: pair[0])
    lines = ({"at": at.isoformat(), "connector": "alertmanager", "payload": payload} for at, payload in sent)
    stream.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    known = ({"eval_id": f.eval_id, "group": f.group, "critical": day.critical[f.eval_id]} for f in day.firings)
    truth.write_text("".join(json.dumps(line) + "\n" for line in known), encoding="utf-8")
    listed = [{"name": name, "owner": name.split("-")[0], "depends_on": calls} for name, calls in day.estate.calls.items()]
    services.write_text(json.dumps({"services": listed}), encoding="utf-8")  # JSON is YAML
    return stream, truth, services


def main() -> None:
    """Write a day into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--rate", type=float, default=5.0, help="incidents an hour")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print(*write(args.folder, args.seed, args.hours, args.rate), sep="\n")


if __name__ == "__main__":
    main()
