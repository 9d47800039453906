"""What befalls one trial, out of its number: the same number is the same plan, as long as the bot takes the same steps."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from tests.once.steps import FREEZE, KILL
from tests.once.vendor import SERVICES, Script

ONE, BATCH, CANCEL, AUTOMATIC = "one", "batch", "cancel", "automatic"  # kinds of trial
DATABASE, DOOR = "database", "door"  # where executors apart get their errands; the door is the bot's, by HTTPS
NATURES = ("workflow", "promising", "jenkins", "deployments", "plain", "gitlab")
BEFORE = ("", "", "422", "429", "503", "lost")  # nothing is accepted, or all is well
AFTER = ("", "slow", "hang", "cut", "truncated", "500")  # accepted, whatever is said
OF_CARDS, OF_INCIDENTS = "_propose_rollback", ("choose_owner", "_propose_rollback")
OF_CANCELS = ("cancel",)
TOOLS = ("promising", "plain", "lying")
LONG = 2.0  # seconds of a run that can be stopped


@dataclass(frozen=True)
class Lane:
    """A kind of trial, a deployer, a database, and who carries actions out: the bot itself, or two executors `apart` from it."""

    nature: str
    postgres: bool
    apart: str = ""
    kind: str = ONE

    def __str__(self) -> str:
        where = "PostgreSQL, two replicas" if self.postgres else "SQLite"
        return f"{self.kind}: {self.nature} on {where}{f', two executors by {self.apart}' if self.apart else ''}"


@dataclass(frozen=True)
class Blow:
    """At the n-th step of this name a process is killed or stands still; `again` seconds later it goes on or is started anew."""

    step: str
    nth: int
    how: str
    again: float
    wide: bool = False  # every other process is killed at the same moment


@dataclass(frozen=True)
class Click:
    """Somebody presses Approve. The same `mark` is the same request, delivered again."""

    person: str
    mark: str
    after: float
    replica: int


@dataclass(frozen=True)
class Stop:
    """Somebody wants it stopped, `after` so many seconds in the state `when` ("": it is there), so many `times`."""

    deed: str  # "cancel", "stop batch", "automation off"
    person: str
    when: str
    after: float
    times: int = 1


@dataclass(frozen=True)
class Plan:
    """One trial. `blows` befall the bots' lives one after the other, whichever bot gets there first."""

    number: int
    lane: Lane
    script: Script
    blows: tuple[Blow, ...]
    incident: str  # "" none, "quiet" one whose alerts have cleared, "firing", "known": quiet, and a confirmed step fits
    ways: tuple[str, ...]  # "card": its button proposes it, "command": `/rollback`, "batch": of several; none: by itself
    asks: int  # how often the same wish is delivered
    clicks: tuple[Click, ...]
    approvals: int
    late: float = 0.0  # seconds after the wish at which executors start
    stop: Stop | None = None

    def __str__(self) -> str:
        return f"trial {self.number} ({self.lane}): {asdict(self)}"


LANES = (
    *(Lane(nature, postgres) for postgres in (False, True) for nature in NATURES),
    *(Lane(nature, postgres, DATABASE) for postgres in (False, True) for nature in NATURES[:2]),
    Lane("workflow", False, DOOR),
    Lane("promising", True, DOOR),
    Lane("workflow", False, kind=BATCH),
    Lane("promising", True, kind=BATCH),
    Lane("promising", False, DOOR, BATCH),
    Lane("workflow", False, kind=CANCEL),
    Lane("gitlab", True, kind=CANCEL),
    Lane("promising", True, DATABASE, CANCEL),
    Lane("workflow", False, kind=AUTOMATIC),
    Lane("promising", True, kind=AUTOMATIC),
)


def calm(lane: Lane) -> Plan:
    """Nothing but slowness befalls it, and what its kind is about: what steps there are is learnt from it."""
    clicks = (Click("U0APPROVER", "a", 0, 0), Click("U0OUTSIDER", "b", 0.05, 0))
    plain = Plan(-1, lane, Script(lane.nature, ("slow",)), (), "quiet", ("card", "command"), 1, clicks, 2)
    return {
        ONE: plain,
        BATCH: replace(plain, ways=("batch",), script=replace(plain.script, failing=SERVICES[0] if lane.postgres else "")),
        CANCEL: replace(plain, script=replace(plain.script, seconds=LONG), stop=Stop("cancel", "U0APPROVER", "executing", 0.5)),
        AUTOMATIC: replace(plain, incident="known", ways=(), clicks=()),
    }[lane.kind]


Steps = Mapping[Lane, Sequence[tuple[str, int]]]


def at(lane: Lane, step: str, number: int) -> Plan:
    """A calm trial but for one kill -9."""
    return replace(calm(lane), number=number, blows=(Blow(step, 1, KILL, 0.0),))


def assigned(number: int, steps: Steps) -> tuple[Lane, tuple[str, int]]:
    """Where this trial plays, and at which step its first blow falls: each step in turn, in the lane that had fewest trials."""
    taken = {lane: {name for name, _ in known} for lane, known in steps.items()}
    names = sorted(set().union(*taken.values()))
    had: Counter[Lane] = Counter()
    for earlier in range(number + 1):
        name = names[earlier % len(names)]
        able = [lane for lane in LANES if name in taken.get(lane, ())]
        lane = min(able, key=lambda one: (had[one], LANES.index(one)))
        had[lane] += 1
    return lane, next(step for step in steps[lane] if step[0] == name)


def plan(number: int, steps: Steps) -> Plan:
    """The plan of this trial. `steps` are the names of a calm trial's steps and how often each was taken, by lane."""
    chance = random.Random(number)
    lane, first = assigned(number, steps)
    known = steps[lane]
    more = (_blow(chance.choice(known), lane, chance) for _ in range(chance.choice((0, 0, 1, 2))))
    incident = chance.choice(("", "quiet", "firing")) if not any(word in first[0] for word in OF_INCIDENTS) else "quiet"
    ways = chance.choice((("card",), ("command",), ("card", "command"))) if incident else ("command",)
    script = _script(lane, chance)
    if first[0].startswith("during"):
        script = replace(script, starts=("slow", *script.starts[1:]))
    drawn = Plan(
        number,
        lane,
        script,
        (replace(_blow(first, lane, chance), nth=1), *more),
        incident,
        ("card",) if OF_CARDS in first[0] else ways,
        chance.choice((1, 2, 2, 3)),
        _clicks(lane, chance),
        chance.choice((1, 1, 2)),
        chance.choice((0.0, 0.0, 0.0, 0.7, 4.0)) if lane.apart else 0.0,
    )
    return _of_its_kind(drawn, first[0], chance)


def _of_its_kind(drawn: Plan, first: str, chance: random.Random) -> Plan:
    """The plan with what only its kind of trial has."""
    kind, script = drawn.lane.kind, drawn.script
    moment = round(chance.choice((0.0, chance.uniform(0, 0.3), chance.uniform(0, 1.5))), 2)
    stop = Stop("cancel", "U0APPROVER", chance.choice(("", "approved", "executing", "executing")), moment, chance.choice((1, 2)))
    if kind == BATCH:
        failing = chance.choice(SERVICES) if script.ends == "failed" else ""
        script = replace(script, failing=failing, seconds=min(script.seconds, 0.2))
        halt = replace(stop, deed="stop batch") if chance.random() < 0.3 else None
        return replace(drawn, ways=("batch",), script=script, stop=halt)
    if kind == CANCEL:
        seconds = chance.choice((0.2, 0.6, LONG))
        if any(word in first for word in OF_CANCELS):
            stop, seconds = replace(stop, when="executing", after=0.2), LONG
        return replace(drawn, script=replace(script, seconds=seconds), stop=stop)
    if kind == AUTOMATIC:
        deed = chance.choice(("", "", "automation off", "cancel"))
        return replace(drawn, incident="known", ways=(), clicks=(), stop=replace(stop, deed=deed) if deed else None)
    return drawn


def _blow(step: tuple[str, int], lane: Lane, chance: random.Random) -> Blow:
    name, times = step
    how = FREEZE if (lane.postgres or lane.apart) and chance.random() < 0.2 else KILL
    again = chance.uniform(2.5, 3.5) if how == FREEZE else chance.choice((0.0, 0.0, 0.1, 0.5, 1.5))
    nth = 1 if chance.random() < 0.6 else chance.randint(1, max(1, min(times // (2 if lane.postgres else 1), 5)))
    wide = how == KILL and (lane.apart or lane.postgres) and chance.random() < 0.25
    return Blow(name, nth, how, round(again, 2), wide)


def _script(lane: Lane, chance: random.Random) -> Script:
    starts = [chance.choice(AFTER) if chance.random() < 0.8 else chance.choice(BEFORE)]
    if lane.nature == "promising" and chance.random() < 0.5:
        starts.append(chance.choice((*AFTER, "429", "422", "503")))
    tool = lane.nature in TOOLS
    begins = round(chance.uniform(0, 0.3), 2)
    return Script(
        lane.nature,
        tuple(starts),
        seconds=chance.choice((0.0, 0.2, 0.6)),
        ends=chance.choice(("succeeded", "succeeded", "succeeded", "failed")),
        down=(begins, begins + chance.choice((0.5, 1.0, 4.0))) if chance.random() < 0.35 else None,
        late=0.0 if tool or chance.random() < 0.6 else chance.choice((0.3, 1.0, 4.0)),
        forgets=None if lane.nature == "promising" or chance.random() < 0.85 else chance.choice((0.0, 0.15)),
    )


def _clicks(lane: Lane, chance: random.Random) -> tuple[Click, ...]:
    """Double clicks of one person, the same request again, two people at once, at one replica or at both."""
    replicas = 2 if lane.postgres else 1
    clicks = []
    for person in ("U0APPROVER", "U0OUTSIDER"):
        for n in range(chance.choice((1, 2, 3))):
            mark = f"{person}-{n if chance.random() < 0.5 else 0}"
            clicks.append(Click(person, mark, chance.choice((0.0, 0.0, 0.02, 0.3)), chance.randrange(replicas)))
    return tuple(clicks)
