"""A second made-up day, by other habits than `noise_stream`: tiers, shared stores, incidents wherever and whenever they come.

Nothing here keeps incidents apart: they begin every ten to forty minutes on any service, the neighbour of one that fails
included. An Alertmanager with waits and intervals of its own does the grouping. It knows nothing of how the bot groups alerts.
"""

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

MIDNIGHT = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)
WORDS = (
    *("atlas", "birch", "cobalt", "drift", "ember", "fjord", "grove", "harbor", "iris", "jade", "kestrel", "lumen", "mesa"),
    *("nimbus", "onyx", "pixel", "quartz", "raven", "slate", "tundra", "umber", "vertex", "willow", "xenon", "yarrow", "zephyr"),
)
STORES = ("postgres-main", "postgres-ledger", "redis-sessions", "kafka", "elasticsearch")
OWN = ("ErrorBudgetBurn", "Http5xx", "LatencyP99", "PodRestarts", "OOMKilled", "ReplicasUnavailable", "SaturationHigh")
STORE_OWN = ("ConnectionsExhausted", "ReplicationLag", "DiskAlmostFull", "SlowQueries", "PrimaryDown")
PASSED_ON = ("Http5xx", "LatencyP99", "DependencyErrors", "QueueGrowing", "ErrorBudgetBurn")
BLIPS = ("CpuThrottled", "GcPauseLong", "CacheMissRatio", "ProbeSlow", "ThreadPoolBusy", "TcpRetransmits")
LONE = ("CertificateExpiresSoon", "BackupOld", "ImageOutdated", "QuotaNearLimit", "LogVolumeHigh")


@dataclass
class Alarm:
    """One alert from when to when it fires; `group` None is noise."""

    eval_id: str
    labels: dict[str, str]
    begins: datetime
    ends: datetime
    group: str | None
    critical: bool


@dataclass
class Habits:
    """What one company does in its own way."""

    service_label: str
    group_by: tuple[str, ...]
    wait: float
    interval: float
    gap: float  # minutes between two incidents, on average
    blips: float  # in an hour
    lone: float
    flaps: float
    one_id: bool  # all the times that a flapping alert fires have one id
    nodes_told: bool = False  # every alert of a pod names its node


@dataclass
class City:
    """The services, tier by tier, who needs whom, where pods run, and all that happened."""

    needs: dict[str, list[str]]
    nodes: list[str]
    habits: Habits
    alarms: list[Alarm] = field(default_factory=list)

    @property
    def needed_by(self) -> dict[str, list[str]]:
        """Who needs each service."""
        found: dict[str, list[str]] = {name: [] for name in self.needs}
        for name, below in self.needs.items():
            for one in below:
                found[one].append(name)
        return found


def a_city(random: Random) -> City:
    """20 to 40 services in four tiers, each needing one to three of the tier below, the lowest the shared stores."""
    names = random.sample(WORDS, random.randint(16, 26))
    stores = random.sample(STORES, random.randint(3, 5))
    tiers: list[list[str]] = [[], [], []]
    for number, name in enumerate(names):
        tiers[0 if number % 5 == 0 else 1 if number % 5 < 3 else 2].append(name)
    needs: dict[str, list[str]] = {store: [] for store in stores}
    for tier, below in zip(tiers, (*tiers[1:], stores), strict=True):
        for name in tier:
            needs[name] = random.sample(below, min(len(below), random.choice((1, 1, 2, 2, 3))))
    label = random.choice(("service", "service", "app", "job"))
    habits = Habits(
        label,
        random.choice((("alertname", label), ("alertname", "namespace"), (label,), ("namespace",))),
        random.choice((5.0, 10.0, 30.0)),
        random.choice((15.0, 30.0, 60.0)),
        random.uniform(10, 40),
        random.uniform(10, 40),
        random.uniform(1, 3),
        random.uniform(0.5, 2),
        random.random() < 0.5,
    )
    return City(needs, [f"ip-10-1-{n}-{random.randrange(250)}" for n in range(8)], habits)


class Chronicle:
    """Writes what happens to a city, one kind of event per method."""

    def __init__(self, seed: int, hours: float) -> None:
        self.random = Random(f"tiers {seed}")
        self.city = a_city(self.random)
        self.city.habits.nodes_told = seed % 2 == 0
        self.end = MIDNIGHT + timedelta(hours=hours)
        self._numbers = itertools.count(1)
        self._groups = itertools.count(1)
        self._where = {name: [self.random.choice(self.city.nodes) for _ in range(4)] for name in self.city.needs}

    def alarm(
        self, name: str, service: str, pod: int, at: datetime, seconds: float, group: str | None, severity: str, id: str = ""
    ) -> None:
        """One alert of one pod."""
        labels = {
            "alertname": name,
            self.city.habits.service_label: service,
            "namespace": "data" if service in STORES else "apps",
            "severity": severity,
            "instance": f"10.4.{sum(map(ord, service)) % 200}.{pod}:8080",
            "pod": f"{service}-{sum(map(ord, service + name)) % 9000 + 1000:x}-{pod}",
            "cluster": "eu-1",
        }
        if self.city.habits.nodes_told:
            labels["node"] = self._where[service][pod % 4]
        ends = at + timedelta(seconds=max(20.0, seconds))
        id = id or f"a{next(self._numbers):05}"
        self.city.alarms.append(Alarm(id, labels, at, ends, group, severity == "critical" and group is not None))

    def outage(self, at: datetime, root: str, most: int = 30, pods: int = 3) -> None:
        """A service fails, and what needs it fails after it; three to `most` alerts."""
        random, group, needed_by = self.random, f"g{next(self._groups)}", self.city.needed_by
        lasts, budget = random.uniform(300, 3600), random.randint(3, most)
        line, seen = [(root, 0.0, STORE_OWN if root in STORES else OWN)], {root}
        while line and budget > 0:
            here, late, names = line.pop(0)
            for name in random.sample(names, random.randint(2, 3) if here == root else random.randint(1, 2)):
                for pod in range(random.randint(1, pods)):
                    if budget <= 0:
                        break
                    budget -= 1
                    begins = at + timedelta(seconds=late + random.uniform(0, 60))
                    severity = random.choices(("critical", "warning", "info"), (3, 6, 1))[0]
                    self.alarm(name, here, pod, begins, lasts - late * random.random(), group, severity)
            for caller in needed_by[here]:
                if caller not in seen and random.random() < 0.7:
                    seen.add(caller)
                    line.append((caller, late + random.uniform(10, 300), PASSED_ON))

    def blackout(self, at: datetime) -> None:
        """A node dies: itself, and whatever ran on it."""
        node, group, lasts = self.random.choice(self.city.nodes), f"g{next(self._groups)}", self.random.uniform(400, 1800)
        for name, severity in (("NodeDown", "critical"), ("KubeletUnreachable", "warning")):
            labels = {"alertname": name, "node": node, "severity": severity, "instance": f"{node}:9100", "cluster": "eu-1"}
            begins = at + timedelta(seconds=self.random.uniform(0, 40))
            ends = begins + timedelta(seconds=lasts)
            self.city.alarms.append(Alarm(f"a{next(self._numbers):05}", labels, begins, ends, group, severity == "critical"))
        for service, places in self._where.items():
            for pod, place in enumerate(places):
                if place == node:
                    later = at + timedelta(seconds=self.random.uniform(20, 200))
                    self.alarm("PodNotReady", service, pod, later, lasts, group, "warning")
                    self.city.alarms[-1].labels["node"] = node

    def flapping(self, at: datetime) -> None:
        """One alert goes up and down for an hour or so."""
        service, name = self.random.choice(sorted(self.city.needs)), self.random.choice(OWN + BLIPS)
        id = f"f{next(self._numbers):05}"
        for number in range(self.random.randint(6, 25)):
            lasts = self.random.uniform(30, 150)
            self.alarm(name, service, 0, at, lasts, None, "warning", id if self.city.habits.one_id else f"{id}.{number}")
            at += timedelta(seconds=lasts + self.random.uniform(40, 240))

    def blip(self, at: datetime) -> None:
        """Something small clears by itself within three minutes, on some pod."""
        service = self.random.choice(sorted(self.city.needs))
        name = BLIPS[sum(map(ord, service)) % 3 + self.random.randrange(3)]
        severity = self.random.choice(("warning", "warning", "info"))
        self.alarm(name, service, self.random.randrange(8), at, self.random.uniform(60, 180), None, severity)

    def lone(self, at: datetime) -> None:
        """One warning that means nothing to anybody, for long."""
        service, name = self.random.choice(sorted(self.city.needs)), self.random.choice(LONE)
        self.alarm(name, service, 0, at, self.random.uniform(300, 7200), None, self.random.choice(("warning", "info")))

    def maintenance(self, at: datetime) -> None:
        """Somebody restarts the pods of a service, one after the other."""
        service = self.random.choice(sorted(self.city.needs))
        for pod in range(4):
            self.alarm("PodRestarts", service, pod, at + timedelta(seconds=90 * pod), 75, None, "info")

    def moments(self, an_hour: float) -> Iterator[datetime]:
        """Moments without memory, so many an hour on average."""
        at = MIDNIGHT
        while (at := at + timedelta(hours=self.random.expovariate(an_hour))) < self.end:
            yield at


def a_day(seed: int, hours: float = 8.0) -> City:
    """All that happens in a city within these hours."""
    write = Chronicle(seed, hours)
    random, habits, services = write.random, write.city.habits, sorted(write.city.needs)
    for at in write.moments(60 / habits.gap):
        if random.random() < 0.12:
            write.blackout(at)
        else:
            write.outage(at, random.choice(services))
    for at in write.moments(1 / 6):
        write.outage(at, random.choice([s for s in services if s in STORES]), most=150, pods=8)
    for happens, an_hour in ((write.blip, habits.blips), (write.lone, habits.lone), (write.flapping, habits.flaps)):
        for at in write.moments(an_hour):
            happens(at)
    for at in write.moments(1 / 3):
        write.maintenance(at)
    return write.city


def deliveries(city: City, seed: int) -> Iterator[tuple[datetime, dict[str, object]]]:
    """What Alertmanager sends: a group after its wait, then at its interval if anything changed; some late, some twice."""
    random, habits = Random(f"wire {seed}"), city.habits
    skew = {name: timedelta(seconds=random.uniform(-90, 90) if random.random() < 0.4 else 0) for name in sorted(city.needs)}
    groups: dict[tuple[str, ...], list[Alarm]] = {}
    for one in city.alarms:
        groups.setdefault(tuple(one.labels.get(label, "") for label in habits.group_by), []).append(one)
    for key, alarms in sorted(groups.items()):
        moments = sorted({m for one in alarms for m in (one.begins, one.ends)})
        told: set[tuple[str, datetime]] = set()
        over: set[tuple[str, datetime]] = set()
        next_flush = MIDNIGHT
        while moments:
            flush = max(next_flush, moments[0] + timedelta(seconds=habits.wait if not told - over else 1))
            moments = [m for m in moments if m > flush]
            shown: dict[str, tuple[Alarm, bool]] = {}
            for one in alarms:
                this = (one.eval_id, one.begins)
                if one.begins <= flush < one.ends:
                    shown[_identity(one)] = (one, True)
                    told.add(this)
                elif this in told and this not in over and one.ends <= flush:
                    over.add(this)
                    shown.setdefault(_identity(one), (one, False))
            next_flush = flush + timedelta(seconds=habits.interval)
            if shown:
                at = flush + timedelta(seconds=random.uniform(0.05, 2))
                at += timedelta(seconds=random.uniform(20, 180) if random.random() < 0.03 else 0)
                payload = _payload(dict(zip(habits.group_by, key, strict=True)), list(shown.values()), skew, habits)
                yield at, payload
                if random.random() < 0.05:
                    yield at + timedelta(seconds=random.uniform(1, 90)), payload


def _identity(one: Alarm) -> str:
    return json.dumps(one.labels, sort_keys=True)


def _payload(
    group: dict[str, str], shown: Sequence[tuple[Alarm, bool]], skew: dict[str, timedelta], habits: Habits
) -> dict[str, object]:
    alerts = []
    for one, fires in shown:
        off = skew.get(one.labels.get(habits.service_label, ""), timedelta(0))
        alerts.append(
            {
                "status": "firing" if fires else "resolved",
                "labels": one.labels,
                "annotations": {"description": f"{one.labels['alertname']} since a while, see the dashboard"},
                "startsAt": (one.begins + off).isoformat(),
                "endsAt": "0001-01-01T00:00:00Z" if fires else (one.ends + off).isoformat(),
                "generatorURL": "http://prom.example:9090/graph",
                "eval_id": one.eval_id,
            }
        )
    common = dict(set.intersection(*({*one.labels.items()} for one, _ in shown)))
    status = "firing" if any(fires for _, fires in shown) else "resolved"
    return {"version": "4", "receiver": "bot", "status": status, "groupLabels": group, "commonLabels": common, "alerts": alerts}


def write(folder: Path, seed: int, hours: float = 8.0) -> tuple[Path, Path, Path]:
    """The three files of `tocsin eval noise`: stream, truth, services."""
    city = a_day(seed, hours)
    stream, truth, services = folder / "stream.jsonl", folder / "truth.jsonl", folder / "services.yaml"
    sent = sorted(deliveries(city, seed), key=lambda pair: pair[0])
    lines = ({"at": at.isoformat(), "connector": "alertmanager", "payload": payload} for at, payload in sent)
    stream.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    known = {one.eval_id: {"eval_id": one.eval_id, "group": one.group, "critical": one.critical} for one in city.alarms}
    truth.write_text("".join(json.dumps(line) + "\n" for line in known.values()), encoding="utf-8")
    listed = [{"name": name, "depends_on": below} for name, below in sorted(city.needs.items())]
    services.write_text(json.dumps({"services": listed}), encoding="utf-8")  # JSON is YAML
    return stream, truth, services


def main() -> None:
    """Write a day into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=8.0)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print(*write(args.folder, args.seed, args.hours), sep="\n")


if __name__ == "__main__":
    main()
