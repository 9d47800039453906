"""Deployers that are elsewhere, where an executor apart from the bot has them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from starlette.routing import Route
from uuid6 import uuid7

from bot.domain.service import Catalogue
from bot.errors import BadSettings
from bot.executor.dispatch import Dispatch, Patience
from bot.executor.keys import Signer
from bot.executor.remote import RemoteDeployers
from bot.flows.desk import Desk
from bot.intake.errands import errand_routes
from bot.ports import Database, Deployer
from bot.settings import Settings
from bot.storage.actions import SqlActionStore
from bot.storage.database import SqlDatabase
from bot.storage.errands import SqlErrandStore


def deployers_of(
    settings: Settings, own: Mapping[str, Deployer], db: Database, catalogue: Callable[[], Catalogue]
) -> Mapping[str, Deployer]:
    """This process's own, or those of the executor. Raises BadSettings where the bot could sign nothing."""
    executor = settings.executor
    if executor.mode == "embedded":
        return own
    if executor.signing_key is None:
        raise BadSettings(
            '[executor] mode is "apart", but the bot has no key to sign orders with: run `tocsin executor keygen`, '
            "then set TOCSIN_EXECUTOR_SIGNING_KEY_FILE."
        )
    patience = Patience(
        timedelta(seconds=executor.answer_seconds),
        timedelta(seconds=executor.start_seconds),
        timedelta(seconds=executor.warrant_seconds),
        timedelta(seconds=executor.away_seconds),
    )
    signer = Signer(executor.signing_key.get_secret_value())
    dispatch = Dispatch(db, SqlErrandStore(), SqlActionStore(), signer, lambda: datetime.now(UTC), patience)
    return RemoteDeployers(catalogue, dispatch, lambda: str(uuid7()))


def routes_of(settings: Settings, desk: Desk) -> list[Route]:
    """The door for an executor that comes by HTTPS, where it has a key."""
    own = settings.executor
    if own.mode == "embedded" or own.key is None:
        return []
    return errand_routes(desk.db, desk.errands, desk.clock, own.key.get_secret_value())


@contextmanager
def deployers_beside(
    settings: Settings, own: Mapping[str, Deployer], catalogue: Callable[[], Catalogue]
) -> Iterator[Mapping[str, Deployer]]:
    """The same beside a running bot, for commands. Raises BadSettings where the executor is apart and no bot has run yet."""
    if settings.executor.mode == "embedded":
        yield own
        return
    db = SqlDatabase(settings.database)
    db.open(beside=True)
    try:
        yield deployers_of(settings, own, db, catalogue)
    finally:
        db.close()
