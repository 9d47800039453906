"""Where past incidents can be imported from."""

from pydantic import ValidationError

from bot.errors import BadSettings
from bot.ports import IncidentHistory
from bot.settings import Settings
from connectors import CONNECTORS


def history_of(settings: Settings, name: str, query: str) -> IncidentHistory:
    """The past incidents of a configured vendor. Raises BadSettings saying what is missing."""
    able = {c.name: c for c in CONNECTORS if c.history}
    connector = able.get(name)
    if connector is None or connector.history is None:
        raise BadSettings(f"{name!r} is no tool to import from; there are {', '.join(able)}, and files.")
    try:
        own = connector.settings.model_validate(settings.connectors.get(name, {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadSettings(f"[connectors.{name}] {where}: {first['msg']}.") from None
    history = connector.history(own, query)
    if history is None:
        raise BadSettings(
            f"[connectors.{name}] needs its address and token to read past incidents; see docs/connectors/{name}.md."
        )
    return history
