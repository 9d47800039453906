"""The documentation says what is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.cli import build_parser
from bot.ports import Connector, WebhookSettings
from bot.settings import Settings
from connectors import CONNECTORS

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "connectors/README.md"]


def _rooms() -> set[str]:
    inside = {f"bot/{p.name}" for p in (ROOT / "bot").iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    return inside | {"connectors", "runbooks", "tests", "docs", "scripts"}


def test_the_map_in_the_readme_is_the_tree() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|", readme.split("<!-- map")[1], re.MULTILINE)
    assert set(rows) == _rooms()
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("page", DOCS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def _commands() -> list[str]:
    found = []

    def walk(parser: object, words: list[str]) -> None:
        for action in getattr(parser, "_actions", []):
            for name, below in (getattr(action, "choices", None) or {}).items() if hasattr(action, "_parser_class") else ():
                walk(below, [*words, name])
                if not any(hasattr(a, "_parser_class") for a in below._actions):
                    found.append(" ".join([*words, name]))

    walk(build_parser(), ["tocsin"])
    return found


@pytest.mark.parametrize("command", _commands())
def test_every_command_is_in_the_documentation(command: str) -> None:
    assert f"`{command}" in (ROOT / "docs/commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda c: c.name)
def test_every_connector_that_receives_webhooks_has_a_setup_page(connector: object) -> None:
    if isinstance(connector, Connector) and connector.webhook and issubclass(connector.settings, WebhookSettings):
        page = ROOT / f"docs/connectors/{connector.name}.md"
        assert page.exists()
        text = page.read_text(encoding="utf-8")
        assert f"TOCSIN_{connector.name.upper()}_SECRET" in text
        assert f"/webhooks/{connector.name}" in text


@pytest.mark.parametrize("page", sorted((ROOT / "docs/connectors").glob("*.md")), ids=lambda page: page.stem)
def test_every_connector_page_says_how_far_it_was_tried(page: Path) -> None:
    beginning = " ".join(page.read_text(encoding="utf-8").split()[:120]).lower()
    assert any(phrase in beginning for phrase in ("live-tested", "vendor's captured payloads", "documented format only"))


def _settings(model: type[BaseModel], section: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from _settings(type(field.default), name)
        elif name != "folder":  # where the file itself lies
            yield section, name


@pytest.mark.parametrize(("section", "name"), _settings(Settings))
def test_every_setting_is_in_the_documentation(section: str, name: str) -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8").split("```toml", 1)[1].split("```", 1)[0]
    parts = dict(re.findall(r"^\[(\w+)\](.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL))
    where = parts.get(section, "") if section else text
    assert re.search(rf"\b{name}\b", where), f"docs/configuration.md does not show {section}.{name}"


def test_every_promise_names_a_test_that_exists() -> None:
    text = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) >= 7
    for file, test in named:
        assert re.search(rf"def {test}\b", (ROOT / file).read_text(encoding="utf-8")), f"{file} has no {test}"


def test_no_page_names_a_path_of_somebodys_machine() -> None:
    for page in DOCS:
        assert not re.search(r"/(work|home|root|Users)/", page.read_text(encoding="utf-8")), page.name
