"""A desk with real stores on SQLite and everything else in memory, for stories about alerts and changes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import cast

from bot.actions.policy import Policies
from bot.domain.alert import Alert
from bot.domain.change import Change
from bot.domain.incident import Incident, Status
from bot.domain.service import Catalogue, Service
from bot.flows.alerts import on_alerts
from bot.flows.changes import on_changes
from bot.flows.desk import Desk
from bot.incidents.routing import Routing
from bot.knowledge.library import Library
from bot.ports import Transaction
from bot.storage.database import SqlDatabase
from bot.wiring import Stores
from tests.fakes import FakeChannel, FakeClock, InMemoryWork

SHOP = Catalogue(
    {
        s.name: s
        for s in (
            Service("storefront", owner="team-web", tier=1, depends_on=("checkout",), repository="demo/shop", paths=("web",)),
            Service("checkout", tier=1, depends_on=("payments", "inventory"), repository="demo/shop",
                    paths=("services/checkout",)),
            Service("payments", tier=1, aliases=("payments-api",), depends_on=("store", "acmepay"), repository="demo/shop",
                    paths=("services/payments", "lib")),
            Service("inventory", depends_on=("store",), repository="demo/shop", paths=("services/inventory", "lib")),
            Service("store"),
            Service("acmepay", external=True),
            Service("blog", repository="demo/blog", paths=("src",)),
        )
    }
)  # fmt: skip


@dataclass
class Story:
    """A desk and the verbs of these tests; every verb is one transaction."""

    database: SqlDatabase
    clock: FakeClock = field(default_factory=FakeClock)
    work: InMemoryWork = field(default_factory=InMemoryWork)
    catalogue: Catalogue = SHOP

    def __post_init__(self) -> None:
        ids, stores = count(1), Stores()
        self.desk = Desk(
            db=self.database,
            work=self.work,
            clock=self.clock,
            new_id=lambda: f"id-{next(ids):06}",
            channel=FakeChannel(),
            **{name: getattr(stores, name) for name in stores.__slots__},
            catalogue=lambda: self.catalogue,
            routing=Routing,
            policies=Policies,
            library=cast(Library, None),
        )

    def alerts(self, *batch: Alert) -> None:
        """These alerts came in together."""
        self.write(lambda tx: on_alerts(tx, batch, self.desk))

    def changes(self, *batch: Change) -> None:
        """These changes came in together."""
        self.write(lambda tx: on_changes(tx, batch, self.desk))

    def write(self, deed: Callable[[Transaction], object]) -> None:
        """Do it in one transaction."""
        self.database.write_now(deed)

    def incidents(self) -> Sequence[Incident]:
        """All incidents, the oldest first."""
        return self.database.read_now(lambda tx: self.desk.incidents.recent(tx, 10_000))[::-1]

    def only(self) -> Incident:
        """The one incident there is."""
        (incident,) = self.incidents()
        return incident

    def told(self, incident: Incident) -> list[str]:
        """The timeline's texts."""
        return [e.text for e in self.database.read_now(lambda tx: self.desk.timeline.of(tx, incident.id))]

    def move(self, incident: Incident, to: Status, by: str = "U0ONCALL") -> Incident:
        """Somebody moved the incident."""
        return self.database.write_now(lambda tx: self.desk.incidents.save(tx, incident.move(to, self.clock(), by)))

    def ends(self) -> list[str]:
        """The work that was started so far, by name."""
        return [s.name for s in self.work.started]
