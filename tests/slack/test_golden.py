"""Every kind of message looks as it did when a person last looked at it.

After a wanted change: `python -m pytest tests/slack/test_golden.py --update-golden`, then read the diff.
"""

import json
from pathlib import Path

import pytest

from bot.slack.blocks import render, render_home
from tests.slack.samples import HOME, HOSTS, VIEWS

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", VIEWS)
def test_a_message_equals_its_golden_file(name: str, request: pytest.FixtureRequest) -> None:
    message = render(VIEWS[name], HOSTS)
    _compare(name, {"text": message.text, "blocks": list(message.blocks)}, request)


def test_the_home_page_equals_its_golden_file(request: pytest.FixtureRequest) -> None:
    _compare("home", render_home(HOME), request)


def test_no_golden_file_is_left_over() -> None:
    assert {p.stem for p in GOLDEN.glob("*.json")} == {*VIEWS, "home"}


def _compare(name: str, made: object, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"{name}.json"
    if request.config.getoption("--update-golden", default=False):
        path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert made == json.loads(path.read_text(encoding="utf-8"))
