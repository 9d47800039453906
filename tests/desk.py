"""A desk for tests: real stores on a fresh SQLite, a chat and durable work in memory, rules given as values."""

import itertools
from collections.abc import Sequence
from typing import Any

from bot.actions.policy import Policies
from bot.domain.document import Document
from bot.domain.service import Catalogue, Service
from bot.flows import announce, investigation, report, thinking
from bot.flows.asking import question
from bot.flows.charting.incident import draw_incident
from bot.flows.desk import Desk
from bot.flows.runbooks import past
from bot.incidents.routing import Routing, read_routing
from bot.knowledge.library import Library
from bot.ports import Handler
from bot.storage.database import SqlDatabase
from bot.wiring import Stores
from tests.fakes import FakeChannel, FakeClock, InMemoryWork

ROUTING = """
default: {channel: "#incidents", on_call: [U0ONCALL]}
overview: "#alerts"
routes:
  - {name: payments team, match: {owner: team-payments}, channel: "#payments"}
"""
SHOP = Catalogue(
    {
        s.name: s
        for s in (
            Service("storefront", owner="team-web", tier=1, depends_on=("checkout",), deployer="shop"),
            Service("checkout", owner="team-web", tier=1, depends_on=("payments",), deployer="shop"),
            Service(
                "payments", owner="team-payments", tier=1, aliases=("payments-api",), depends_on=("acmepay",), deployer="shop"
            ),
            Service("acmepay", external=True),
            Service("search", owner="team-search"),
        )
    }
)


def a_desk(
    database: SqlDatabase,
    clock: FakeClock,
    *,
    documents: Sequence[Document] = (),
    catalogue: Catalogue = SHOP,
    routing: Routing | None = None,
    policies: Policies | None = None,
    **fields: Any,
) -> Desk:
    """A desk whose `channel` is a FakeChannel and whose `work` is an InMemoryWork; call `library.sync()` to search."""
    stores, ids = Stores(), itertools.count(1)
    rules = routing or read_routing(ROUTING)
    given: dict[str, Any] = {
        "db": database,
        "work": InMemoryWork(),
        "clock": clock,
        "new_id": lambda: f"id-{next(ids):04}",
        "channel": FakeChannel(),
        "catalogue": lambda: catalogue,
        "routing": lambda: rules,
        "policies": lambda: policies or Policies(),
        "library": Library([lambda: documents], None),
        "code_version": "test",
    }
    return Desk(**{**{name: getattr(stores, name) for name in stores.__slots__}, **given, **fields})


def handlers(desk: Desk) -> dict[str, Handler]:
    """The flows of this desk under the names that wiring gives them, as far as tests here run them."""
    flows = {
        "refresh": announce.refresh,
        "first_card": announce.first_card,
        "investigate": investigation.investigate,
        "draw": draw_incident,
        "think": thinking.think,
        "answer": question.answer,
        "keep_past": past.keep_past,
        "digest": report.digest,
        "remind": report.remind,
    }
    return {name: lambda args, flow=flow: flow(args, desk) for name, flow in flows.items()}  # type: ignore[misc]  # mypy cannot infer a lambda with a default
