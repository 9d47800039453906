"""An order as vendors carry it: in values that cannot be anything else, and in a title that people and we can read again."""

import re
from collections.abc import Iterable, Iterator, Mapping
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


def is_name(value: str) -> bool:
    """It can be no option, no path upwards, no piece of a script."""
    return bool(ALLOWED.fullmatch(value)) and ".." not in value


def checked(**values: str) -> None:
    """Raises BadSettings for a value that could be more than a name."""
    for name, value in values.items():
        if not is_name(value):
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
    for one in _of(past, service, environment):
        good = one.run.state is RunState.SUCCEEDED
        last = found.get(one.order.version)
        if one.run.state in ENDED and (last is None or (good and last.healthy is False)):
            found[one.order.version] = _version(one, None if good else False)
    return tuple(found.values())


def current_of(past: Iterable[Past], service: str, environment: str, where: str) -> Version:
    """What the last run that went well brought there. Raises NotFound naming `where` it was looked for."""
    for one in _of(past, service, environment):
        if one.run.state is RunState.SUCCEEDED:
            return _version(one, None)
    raise NotFound(f"{where} remembers no run that brought {service} to {environment}; run it there once by hand.")


def enough(past: Iterable[Past], service: str, environment: str) -> bool:
    """Two versions that went well are known: the one that runs, and the one before it."""
    return sum(version.healthy is not False for version in versions_of(past, service, environment)) > 1


def _of(past: Iterable[Past], service: str, environment: str) -> Iterator[Past]:
    """The runs of a service there whose version could be brought back; what people typed by hand may be anything."""
    for one in past:
        if (one.order.service, one.order.environment) == (service, environment) and is_name(one.order.version):
            yield one


def _version(one: Past, healthy: bool | None) -> Version:
    commit = one.order.commit if SHA.fullmatch(one.order.commit) else ""
    return Version(one.order.version, commit, one.at, healthy)


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
