"""Mappings that are shipped: one TOML file per sender, of the form of [connectors.generic.sources.NAME]."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from connectors.generic.mapping import Source


def _read() -> Iterator[tuple[str, Source]]:
    for file in sorted(Path(__file__).parent.glob("*.toml")):
        yield file.stem, Source.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))


PRESETS: Mapping[str, Source] = MappingProxyType(dict(_read()))
