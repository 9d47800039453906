"""What errors are about: the one thing that they all name, where what went well names others. Of any kind, by its shape alone."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.investigation.case import Case
from bot.investigation.picture import Picture
from bot.investigation.symptoms import deepest_failures
from bot.signals.direction import bag, words
from bot.signals.templates import NEGATIVE_LEVELS

SHARE = 0.8  # of the errors name it
CONTRAST = 0.5  # what goes well names it at most this share as often
FEWEST = 5  # errors
MOST = 20_000  # lines and spans that are read
OTHERS = 2  # other places from where all goes well meanwhile

_PAIR = re.compile(r"([A-Za-z_][\w.-]{0,60})[=:]\s?[\"']?([\w./:@-]{1,120})")
_HOST = re.compile(r"(?<![\w@.=-])((?:[a-z0-9-]+\.)+[a-z]{2,24})(?![\w.-]*[(=])(?![\w-])")
_ADDRESS = re.compile(r"(?<![\w.])((?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?)(?![\w.]*\d)")
_FILE = re.compile(
    r"\.(?:go|py|js|ts|java|rb|rs|c|h|cc|cpp|sql|json|ya?ml|md|log|txt|html|css|sh|conf|toml|xml|proto|lua|php|exs?|kt|cs|tsx?)$"
)
_PACKAGE = re.compile(r"^(?:java|javax|org|com|io|net|github|golang|google|sqlalchemy|runtime)\.")
_TIME = re.compile(r"^\d{4}-\d\d-\d\d|^\d\d:\d\d|^\d+(?:\.\d+)?(?:ns|us|ms|s|m|h|%|[kKMGT]i?B?)?$")
_MACHINES = bag("pod node host instance machine zone az region rack replica broker hostname nodename container")
_PLACES = _MACHINES | bag("partition shard tenant customer bucket")
_OURS = bag("version build release commit sha image revision trace span parent thread pid timestamp time ts id_token line")


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that nearly all errors of a service name: `times` of `errors`; `place` if it is where they happen."""

    name: str
    key: str
    times: int
    errors: int
    service: str
    first: datetime
    place: bool = False

    @property
    def machine(self) -> bool:
        """It is where our code runs: a rollout reaches one of these first."""
        return bool(set(words(self.key)) & _MACHINES)

    @property
    def host(self) -> bool:
        """It is the name or address of another machine."""
        return not self.key


def subjects(case: Case, picture: Picture, service: str) -> tuple[Subject, ...]:
    """What nearly all errors of a service since the onset name and its other lines do not, the most named first."""
    since = picture.onset - picture.step
    every = _said(case, service)
    bad = [(at, said) for at, failed, said in every if failed and at >= since]
    good = [said for _, failed, said in every if not failed]
    meanwhile = [said for at, failed, said in every if not failed and at >= since]
    if len(bad) < FEWEST:
        return ()
    named: Counter[tuple[str, str]] = Counter(s for _, said in bad for s in said)
    found = []
    for (key, name), times in named.items():
        place = bool(key) and bool(set(words(key)) & _PLACES)
        if times < SHARE * len(bad) or times < FEWEST:
            continue
        if place and len({n for said in meanwhile for k, n in said if k == key} - {name}) < OTHERS:
            continue
        usual = sum((key, name) in said for said in good) / len(good) if good else 0.0
        if usual > CONTRAST * times / len(bad):
            continue
        first = min(at for at, said in bad if (key, name) in said)
        found.append(Subject(name, key, times, len(bad), service, first, place))
    return tuple(sorted(found, key=lambda s: (not s.host, -s.times, not s.place, -len(s.name), s.key, s.name)))


def _said(case: Case, service: str) -> list[tuple[datetime, bool, frozenset[tuple[str, str]]]]:
    """When, whether it is an error, and what it names: each log line and each span of a service."""
    failed = {id(s) for s in deepest_failures(case.spans)}
    found = [
        (line.at, line.level in NEGATIVE_LEVELS, named(line.text, line.fields))
        for line in case.logs[:MOST]
        if line.service == service
    ]
    found += [
        (s.start, id(s) in failed, named(f"{s.name} {s.error}", s.attributes))
        for s in case.spans[:MOST]
        if s.service == service and (id(s) in failed or not s.failed)
    ]
    return found


def named(text: str, fields: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """The things that a line names: hosts and addresses with an empty key, places and identifiers with their key."""
    found = {("", h) for h in (*_HOST.findall(text), *_ADDRESS.findall(text)) if not _FILE.search(h) and not _PACKAGE.search(h)}
    pairs = [*_PAIR.findall(text[:2000]), *((k, v) for k, v in fields.items() if len(v) <= 120)]
    for key, raw in pairs:
        value, parts = raw.rstrip(".,;:"), set(words(key))
        if parts & _OURS:
            continue
        if ("", value) in found or _HOST.fullmatch(value) or _ADDRESS.fullmatch(value):
            if not _FILE.search(value) and not _PACKAGE.search(value):
                found.add(("", value))
        elif parts & _PLACES or _identifies(value):
            found.add((key.lower(), value))
    return frozenset(found)


def _identifies(value: str) -> bool:
    """Long and irregular, as ids are: traffic does not repeat it by itself."""
    digits, letters = sum(c.isdigit() for c in value), sum(c.isalpha() for c in value)
    if _TIME.search(value) and not (value.isdigit() and len(value) >= 6):
        return False
    return "/" not in value and len(value) >= 6 and digits >= 3 and (letters >= 2 or value.isdigit())
