"""The connectors with their settings, and those whose webhooks are let in."""

from collections.abc import Mapping
from dataclasses import replace

from pydantic import BaseModel, ValidationError

from bot.errors import BadSettings
from bot.intake.web import Door
from bot.ports import Connector, WebhookSettings
from connectors import CONNECTORS

Given = Mapping[str, Mapping[str, object]]  # what the settings say under [connectors.*]


def configured(given: Given) -> tuple[dict[str, Connector], dict[str, BaseModel]]:
    """Every connector and its settings, by name. Raises BadSettings naming the connector, the value and what would do."""
    known = {c.name: c for c in CONNECTORS}
    for name in given:
        if name not in known:
            raise BadSettings(f"There is no connector {name!r}; there are {', '.join(known)}. See [connectors.*] in tocsin.toml.")
    own = {name: own_settings(c, given.get(name, {})) for name, c in known.items()}
    return {n: replace(c, webhook=c.configured(own[n])) if c.configured else c for n, c in known.items()}, own


def doors(known: Mapping[str, Connector], own: Mapping[str, BaseModel]) -> dict[str, Door]:
    """Those that receive webhooks."""
    return {n: Door(c, s) for n, c in known.items() if c.webhook and isinstance(s := own[n], WebhookSettings)}


def own_settings(connector: Connector, values: Mapping[str, object]) -> BaseModel:
    try:
        return connector.settings.model_validate(values) if values else connector.settings.model_construct()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            there = ", ".join(connector.settings.model_fields)
            raise BadSettings(f"[connectors.{connector.name}] has no setting {where!r}; there are {there}.") from None
        raise BadSettings(f"[connectors.{connector.name}] {where}: {first['msg']}. {connector.help}") from None
