"""An order as vendors carry it: in values that cannot be anything else, and in a title that people and we can read again."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from bot.domain.change import Version
from bot.errors import BadPayload, BadSettings, NotFound, NotStarted, Unavailable
from bot.ports import Deployer, Order, Run, RunState

Model = TypeVar("Model", bound=BaseModel)
ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}")
TITLE = re.compile(r"(?P<service>\S+) (?P<version>\S+) to (?P<environment>\S+) \(tocsin (?P<key>\S*)\)")
SHA = re.compile(r"[0-9a-f]{7,64}")
ENDED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Past:
    """A run that a vendor remembers, with the order that it carries; `at` is when it began."""

    order: Order
    run: Run
    at: datetime | None = None


def checked(**values: str) -> None:
    """Raises BadSettings for a value that could be more than a name: an option, a path upwards, a piece of a script."""
    for name, value in values.items():
        if not ALLOWED.fullmatch(value) or ".." in value:
            raise BadSettings(
                f"The {name} {value[:60]!r} cannot be handed to a deployer: letters, digits and . _ + / - only, 128 at most, "
                f"the first a letter or digit, no '..'."
            )


def checked_order(order: Order) -> None:
    """Raises BadSettings as `checked` does."""
    checked(service=order.service, environment=order.environment, version=order.version, key=order.key)


def title_of(order: Order) -> str:
    """What a run is called: "payments v43 to production (tocsin 0193…)"; two orders never have the same."""
    return f"{order.service} {order.version} to {order.environment} (tocsin {order.key})"


def told_by(title: str) -> Order | None:
    """The order that a title carries; None for another title. Whoever ran it by hand has another key or none."""
    found = TITLE.fullmatch(title.strip())
    return Order(found["service"], found["environment"], found["version"], found["key"]) if found else None


def versions_of(past: Iterable[Past], service: str, environment: str) -> tuple[Version, ...]:
    """What ran there, of runs with the newest first: each version once, as its last run ended.

    A version that never ended well was never healthy; of one that did nobody knows, since a run tells of itself alone.
    """
    found: dict[str, Version] = {}
    for one in past:
        mine = (one.order.service, one.order.environment) == (service, environment)
        if not mine or one.run.state not in ENDED:
            continue
        good = one.run.state is RunState.SUCCEEDED
        last = found.get(one.order.version)
        if last is None or (good and last.healthy is False):
            found[one.order.version] = Version(one.order.version, one.order.commit, one.at, None if good else False)
    return tuple(found.values())


def current_of(past: Iterable[Past], service: str, environment: str, where: str) -> Version:
    """What the last run that went well brought there. Raises NotFound naming `where` it was looked for."""
    for one in past:
        mine = (one.order.service, one.order.environment) == (service, environment)
        if mine and one.run.state is RunState.SUCCEEDED:
            return Version(one.order.version, one.order.commit, one.at)
    raise NotFound(f"{where} remembers no run that brought {service} to {environment}; run it there once by hand.")


async def before_start(deployer: Deployer, order: Order) -> Run | None:
    """The run that an order has already; None if there is none. Raises NotStarted where that cannot be asked."""
    try:
        run = await deployer.status(order)
    except (Unavailable, BadPayload) as error:
        raise NotStarted(f"Whether it runs already could not be asked, so it was not begun. {error}") from error
    return run if run.state is not RunState.UNKNOWN else None


def settings_of(model: type[Model], table: Mapping[str, object], good: str) -> Model:
    """A [deployers.NAME] table of tocsin.toml. Raises BadSettings naming key and reason and a good one, never the value."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "deployer"
        raise BadSettings(f"{where}: {first['msg'].removeprefix('Value error, ')}. A good one: {good}") from None
