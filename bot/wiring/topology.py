"""The graph of services beside a running bot, for commands: what is declared with what was learned."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.domain.service import Catalogue
from bot.domain.topology import EdgeOrigin, KnownCall
from bot.settings import Settings
from bot.storage.database import SqlDatabase
from bot.storage.topology import SqlTopologyStore
from bot.topology.current import LiveCatalogue


def live_beside(settings: Settings, declared: Catalogue) -> LiveCatalogue:
    """The catalogue that can learn, by the settings."""
    return LiveCatalogue(lambda: declared, settings.topology.learned, timedelta(days=settings.topology.fade_days))


def catalogue_beside(settings: Settings, declared: Catalogue, db: SqlDatabase | None) -> Catalogue:
    """The catalogue as a running bot sees it; as it is written where there is no database yet."""
    live = live_beside(settings, declared)
    if db is not None:
        live.learn(db.read_now(SqlTopologyStore().known), datetime.now(UTC))
    return live()


def edges_of(settings: Settings, declared: Catalogue, known: Sequence[KnownCall]) -> tuple[EdgeOrigin, ...]:
    """Every edge with who says so, whatever learned edges may do."""
    return live_beside(settings, declared).edges(known, datetime.now(UTC))
