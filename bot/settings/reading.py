"""Settings are read: tocsin.toml, then the environment; what is wrong is named with a good value."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from bot.errors import BadSettings
from bot.settings.model import Settings
from bot.settings.sections import Section

_SLACK = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET")
_VENDORS = (*_SLACK, "OPENAI_API_KEY", "ANTHROPIC_API_KEY")  # names that others gave
_NOT_OURS = frozenset({"TOCSIN_PIP_ARGS"})
_EXAMPLES = {
    "port": "8400",
    "host": "127.0.0.1",
    "timezone": "Europe/Zurich",
    "data_dir": ".tocsin",
    "database_url": "sqlite:///.tocsin/tocsin.db",
    "digest_at": "09:00",
    "model": "openai-compatible:qwen3-8b",
    "model_url": "http://127.0.0.1:8080/v1",
    "model_timeout_seconds": "120",
}


def load_settings(folder: Path) -> Settings:
    """The settings of a folder and of this process's environment."""
    return load(os.environ, folder.resolve())


def load(environ: Mapping[str, str], folder: Path) -> Settings:
    """The settings of a folder and an environment. Raises BadSettings that names the value and shows a good one."""
    values = _read_toml(folder / "tocsin.toml")
    for name, value in _environment(environ):
        _place(values, name, value)
    try:
        return Settings.model_validate({**values, "folder": folder})
    except ValidationError as error:
        raise BadSettings("\n".join(_sentences(error))) from None


def _read_toml(file: Path) -> dict[str, object]:
    if not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{file}: {error}. See docs/configuration.md for a good example.") from None


def _environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in sorted(environ.items()):
        bare = name.removesuffix("_FILE")
        if not (bare.startswith("TOCSIN_") or bare in _VENDORS) or bare in _NOT_OURS:
            continue
        if name == bare:
            yield bare, value
        elif bare not in environ:
            try:
                yield bare, Path(value).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise BadSettings(f"{name} names {value}, which cannot be read: {error.strerror}.") from None


def _place(values: dict[str, object], name: str, value: str) -> None:
    words = (name if name in _VENDORS else name.removeprefix("TOCSIN_")).lower()
    if words in Settings.model_fields:
        values[words] = value
        return
    section, _, field = words.partition("_")
    if not field:
        raise BadSettings(f"{name} is not a setting of Tocsin. `tocsin doctor` lists those there are.")
    if words.startswith("knowledge_sources_"):
        _place_source(values, name, words.removeprefix("knowledge_sources_"), value)
        return
    if section == "deployers":
        _place_deployer(values, name, field, value)
        return
    sections = [s for s, f in Settings.model_fields.items() if isinstance(f.default, Section)]
    if section in sections:
        _inside(values, section)[field] = value
    else:
        _inside(_inside(values, "connectors"), section)[field] = value


def _place_source(values: dict[str, object], name: str, words: str, value: str) -> None:
    """TOCSIN_KNOWLEDGE_SOURCES_OPS_WIKI_TOKEN is the token of [knowledge.sources.ops-wiki]."""
    _place_named(_inside(_inside(values, "knowledge"), "sources"), "source", "knowledge.sources", name, words, value)


def _place_deployer(values: dict[str, object], name: str, words: str, value: str) -> None:
    """TOCSIN_DEPLOYERS_SHOP_TOKEN is the token of [deployers.shop]."""
    _place_named(_inside(values, "deployers"), "deployer", "deployers", name, words, value)


def _place_named(tables: dict[str, object], what: str, section: str, name: str, words: str, value: str) -> None:
    """The value stands in the table whose name the words begin with, the longest of them."""
    known = sorted((t for t in tables if words.startswith(f"{t.replace('-', '_').lower()}_")), key=len, reverse=True)
    if not known:
        there = ", ".join(f"[{section}.{table}]" for table in tables) or "none"
        raise BadSettings(f"{name} belongs to no {what} of tocsin.toml; there are: {there}.")
    _inside(tables, known[0])[words[len(known[0]) + 1 :]] = value


def _inside(values: dict[str, object], key: str) -> dict[str, object]:
    found = values.setdefault(key, {})
    if not isinstance(found, dict):
        raise BadSettings(f"`{key}` in tocsin.toml has to be a table, such as [{key}].")
    return found


_SECRETIVE = ("token", "secret", "password", "key", "headers", "connectors", "deployers", "database", "sources")  # never quoted


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in problem["loc"])
        secret = any(word in where for word in _SECRETIVE)
        given = "" if secret else f" (given: {str(problem['input'])[:80]!r})"
        example = _EXAMPLES.get(where)
        hint = f" A good value: {example}" if example else " See docs/configuration.md."
        yield f"Setting {where}: {problem['msg'].removeprefix('Value error, ')}{given}.{hint}"
