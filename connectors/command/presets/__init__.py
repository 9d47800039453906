"""Argument lists for tools that are known, one file per tool: the deployer's own table fills them in, and may replace any."""

import re
import tomllib
from collections.abc import Mapping
from importlib import resources

from bot.errors import BadSettings

HOLE = re.compile(r"<(\w+)>")
SHELF = resources.files("connectors.command.presets")
PRESETS = tuple(sorted(file.name.removesuffix(".toml") for file in SHELF.iterdir() if file.name.endswith(".toml")))
PAGE = "A good one: docs/connectors/command.md."


def with_preset(table: Mapping[str, object]) -> dict[str, object]:
    """The table with its preset's argument lists, `fill` filled in. Raises BadSettings naming what is missing or unknown."""
    own = {key: value for key, value in table.items() if key not in ("preset", "fill")}
    name, fill = table.get("preset", ""), table.get("fill", {})
    if not name:
        if fill:
            raise BadSettings('fill: there is no preset that it would fill in. A good one: preset = "helm".')
        return own
    if name not in PRESETS:
        raise BadSettings(f"preset: there are {', '.join(PRESETS)}. A good one: preset = {PRESETS[0]!r}.")
    preset = tomllib.loads(SHELF.joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    holes = _filled_in(str(name), preset.pop("fill"), fill)
    return {key: _fill(value, holes) for key, value in preset.items()} | own


def _filled_in(name: str, known: Mapping[str, str], fill: object) -> dict[str, str]:
    if not isinstance(fill, Mapping) or not all(isinstance(value, str) for value in fill.values()):
        raise BadSettings(f'fill: a table of texts is expected. A good one: fill = {{ {next(iter(known))} = "…" }}.')
    if unknown := sorted(set(fill) - set(known)):
        raise BadSettings(
            f"fill.{unknown[0][:60]}: the preset {name} knows {', '.join(known)}. A good one: docs/connectors/command.md."
        )
    values = {**known, **fill}
    for hole, value in values.items():
        if not value or value.startswith("-"):
            raise BadSettings(
                f"fill.{hole}: the preset {name} needs it, and not as an option. A good one: docs/connectors/command.md."
            )
    return values


def _fill(value: object, holes: Mapping[str, str]) -> object:
    if not isinstance(value, list):
        return value
    return [HOLE.sub(lambda m: holes[m[1]], word) for word in value]
