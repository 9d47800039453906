"""What a plan is made from, beside a running bot or before there is one; for commands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from bot.actions.plan import Patience
from bot.actions.policy import policies_file
from bot.flows.acting.gathering import Means
from bot.settings import Settings
from bot.topology.catalogue import catalogue_file
from bot.wiring.beside import library_beside
from bot.wiring.executor import deployers_beside
from bot.wiring.stores import Stores
from bot.wiring.topology import catalogue_beside
from bot.wiring.vendors import vendors


@asynccontextmanager
async def means_beside(settings: Settings) -> AsyncIterator[Means]:
    """The means of the settings; without a database they know the rules, the deployers and the repositories alone."""
    declared = catalogue_file(settings.path("services.yaml"), settings.backstage)
    policies = policies_file(settings.path("policies.yaml"))
    able, stores = vendors(settings), Stores()
    with library_beside(settings) as (library, _, db):
        await library.read()
        catalogue = catalogue_beside(settings, declared.current, db)
        with deployers_beside(settings, able.deployers, lambda: catalogue) as deployers:
            yield Means(
                db=db,
                clock=lambda: datetime.now(UTC),
                actions=stores.actions,
                incidents=stores.incidents,
                diagnoses=stores.diagnoses,
                changes=stores.changes,
                locks=stores.locks,
                watches=stores.watches,
                catalogue=lambda: catalogue,
                policies=lambda: policies.current,
                deployers=deployers,
                change_sources=able.changes,
                documents=lambda: library.documents,
                patience=Patience(rehearsal=settings.incidents.rehearse_seconds),
            )
