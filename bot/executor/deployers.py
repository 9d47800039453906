"""The vendors' deployers by their settings; whoever makes them holds their credentials."""

from collections.abc import Mapping

from bot.errors import BadSettings
from bot.ports import Connector, Deployer


def made(tables: Mapping[str, Mapping[str, object]], known: Mapping[str, Connector]) -> dict[str, Deployer]:
    """A deployer for each [deployers.NAME]. Raises BadSettings naming the table, the value and what would do."""
    return {name: _made(name, values, known) for name, values in tables.items()}


def _made(name: str, values: Mapping[str, object], known: Mapping[str, Connector]) -> Deployer:
    kind = str(values.get("kind", ""))
    kinds = [n for n, c in known.items() if c.deployer]
    if kind not in kinds:
        raise BadSettings(f"[deployers.{name}] kind is {kind!r}; it has to be one of {', '.join(kinds)}.")
    make = known[kind].deployer
    assert make is not None  # noqa: S101  `kinds` holds only those that have one
    try:
        return make({k: v for k, v in values.items() if k != "kind"})
    except BadSettings as error:
        raise BadSettings(f"[deployers.{name}] {error}") from None
