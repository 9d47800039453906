"""The stories that the estate can play: which changes ship when, and what else happens meanwhile. Data only."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bot.demo.changes import INES, TOM, Change, Edit, undone
from bot.demo.decoys import DECOYS, PUSHED, SHIPPED
from bot.demo.faults import FAULTS, KINDS, RETRY_STORM

HEALTHY_SECONDS = 8.0
OUTAGE_SECONDS = 14.0


@dataclass(frozen=True, slots=True)
class Ship:
    """Commit and push the change, and deploy it if it belongs to a service."""

    change: Change


@dataclass(frozen=True, slots=True)
class SetLoad:
    """Customers come at this level: quiet or busy."""

    level: str


@dataclass(frozen=True, slots=True)
class SetProvider:
    """The outside provider behaves like this: ok, slow or down."""

    mode: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something happens `after` seconds from the story's start or, with `on_alert`, from its first alert."""

    after: float
    deed: Ship | SetLoad | SetProvider
    on_alert: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """What will happen. `guilty` is the change to find; None means that no change is to blame."""

    name: str
    title: str
    steps: tuple[Step, ...]
    guilty: Change | None
    needing: tuple[Change, ...] = ()  # innocent changes that need the guilty one: a rollback breaks them, a reset takes them back


GUILTY_1 = FAULTS[RETRY_STORM, "payments"].change

STORY_1 = Story(
    "story-1",
    "A guilty deploy among innocent ones",
    (
        Step(0.0, SetLoad("quiet")),
        Step(1.0, Ship(DECOYS["docs-operations"])),
        Step(3.0, Ship(DECOYS["inventory-low-stock"])),
        Step(7.0, Ship(GUILTY_1)),
        Step(9.5, Ship(DECOYS["storefront-title"])),
        Step(12.0, Ship(DECOYS["checkout-declined"])),
        Step(13.0, Ship(DECOYS["tests-totals"])),
        Step(15.0, SetLoad("busy")),
        Step(2.0, Ship(DECOYS["store-vacuum"]), on_alert=True),
    ),
    GUILTY_1,
)

STORY_2 = Story(
    "story-2",
    "No guilty change: the payment provider fails",
    (
        Step(0.0, SetLoad("quiet")),
        Step(0.5, Ship(DECOYS["docs-readme"])),
        Step(2.0, Ship(DECOYS["payments-log"])),
        Step(4.5, Ship(DECOYS["storefront-page-size"])),
        Step(7.0, Ship(DECOYS["checkout-basket"])),
        Step(9.5, SetProvider("down")),
        Step(2.0, Ship(DECOYS["inventory-log"]), on_alert=True),
        Step(OUTAGE_SECONDS, SetProvider("ok"), on_alert=True),
    ),
    None,
)

_RISK = ("services/payments/settings.json", '"risk_ms": 120,', '"risk_ms": 1600,')
GUILTY_3 = Change(
    "francs-and-risk",
    "payments",
    "payments: take Swiss francs, and look closer at who pays",
    TOM,
    (Edit("services/payments/app.py", '"SEK": 11.4}', '"SEK": 11.4, "CHF": 0.94}'), Edit(*_RISK)),
    guilty=True,
)
FRANCS = Change(
    "checkout-francs",
    "checkout",
    "checkout: the shop moves to Swiss francs",
    INES,
    (Edit("services/checkout/app.py", '"currency": basket["currency"]}', '"currency": "CHF"}'),),
)
REPAIR_3 = Change("risk-as-before", "payments", "payments: the risk check as before", TOM, (undone(Edit(*_RISK)),))

STORY_3 = Story(
    "story-3",
    "The rollback makes things worse",
    (
        Step(0.0, SetLoad("quiet")),
        Step(2.0, Ship(DECOYS["docs-provider"])),
        Step(4.0, Ship(DECOYS["store-wording"])),
        Step(2 * HEALTHY_SECONDS, Ship(GUILTY_3)),
        Step(2 * HEALTHY_SECONDS + 1.0, Ship(FRANCS)),
    ),
    GUILTY_3,
    needing=(FRANCS,),
)

STORIES = {story.name: story for story in (STORY_1, STORY_2, STORY_3)}


def break_it(kind: str, service: str) -> Story:
    """One fault on one service under load, with two innocent changes beside it.

    Raises KeyError where the fault does not apply.
    """
    change = FAULTS[kind, service].change
    others = [decoy for decoy in SHIPPED if decoy.service != service]
    steps = (
        Step(0.0, SetLoad("quiet")),
        Step(1.0, Ship(others[0])),
        Step(4.0, Ship(change)),
        Step(7.0, Ship(others[-1])),
        Step(9.0, SetLoad("busy")),
    )
    return Story(f"{kind}-{service}", f"{KINDS[kind]} in {service}", steps, change)


def seeded(seed: int) -> Story:
    """A story that the seed alone decides: fault or none, innocent changes, order and timing."""
    chance = random.Random(seed)
    guilty = chance.choice(list(FAULTS.values())).change if chance.random() < 0.8 else None
    shipped = _innocent(chance, guilty)
    place = chance.randint(1, len(shipped))
    changes = [*shipped[:place], guilty, *shipped[place:]] if guilty else list(shipped)
    if guilty:
        changes = _nothing_on_top_of(guilty, changes)
    pushed = chance.sample(PUSHED, 2)
    changes[chance.randint(0, len(changes)) : 0] = pushed[:1]
    late = chance.choice([decoy for decoy in SHIPPED if decoy not in changes and not _same_service(decoy, guilty)])
    steps, at = [Step(0.0, SetLoad("quiet")), Step(1.0, Ship(pushed[1]))], 3.0
    for change in changes:
        at = max(at, HEALTHY_SECONDS) if change is guilty else at
        steps.append(Step(round(at, 1), Ship(change)))
        at += chance.uniform(1.5, 3.0)
    at = max(at, HEALTHY_SECONDS + 1)
    steps.append(Step(round(at, 1), SetLoad("busy")))
    if guilty is None:
        mode = chance.choice(["down", "slow"])
        steps.append(Step(round(at + 1.5, 1), SetProvider(mode)))
        steps.append(Step(OUTAGE_SECONDS, SetProvider("ok"), on_alert=True))
    steps.append(Step(2.0, Ship(late), on_alert=True))
    title = f"Seed {seed}"
    return Story(f"seed-{seed}", title, tuple(steps), guilty)


def _innocent(chance: random.Random, guilty: Change | None) -> list[Change]:
    """Three to five innocent changes, of which one is on the storefront or checkout, where alerts show first."""
    edge = [change for change in SHIPPED if change.service in ("storefront", "checkout")]
    newest = chance.choice([change for change in edge if not _same_service(change, guilty)])
    rest = [change for change in SHIPPED if change is not newest]
    return [*chance.sample(rest, chance.randint(2, 4)), newest]


def _nothing_on_top_of(guilty: Change, changes: Sequence[Change]) -> list[Change]:
    """Without innocent changes of the guilty service after the guilty one: a rollback to them would not help."""
    place = changes.index(guilty)
    return [
        *changes[: place + 1],
        *(change for change in changes[place + 1 :] if not _same_service(change, guilty)),
    ]


def _same_service(change: Change, guilty: Change | None) -> bool:
    return guilty is not None and change.service == guilty.service
