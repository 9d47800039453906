"""Diffs as data: formats, edited values, and what a change is before anybody asks what it breaks."""

import pytest

from bot.investigation.diff import edits, number, parse
from bot.investigation.nature import harmless, moved_share
from bot.investigation.rules import Text
from tests.investigation.cases import edit


def test_git_and_loose_headers_are_read() -> None:
    loose = "@@ pkg/a.go: func F() {\n-\tx := 1\n+\tx := 2\n@@ pkg/b.yaml @@\n-y: 1m\n+y: 1s"
    assert [(h.path, h.header) for h in parse(loose)] == [("pkg/a.go", "func F() {"), ("pkg/b.yaml", "")]
    assert [h.path for h in parse(edit("src/x.py", "a", "b"))] == ["src/x.py"]
    assert [h.path for h in parse("-a\n+b", ("only.py",))] == ["only.py"]


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("15 * time.Minute", 900.0),
        ("300ms", 0.3),
        ("512Mi", 512 * 2**20),
        ("1_000", 1000.0),
        ('"10s"', 10.0),
        ("abc", None),
        ("5px", None),
    ],
)
def test_values_are_compared_in_base_units(literal: str, value: float | None) -> None:
    assert number(literal) == pytest.approx(value) if value is not None else number(literal) is None


def test_an_edit_knows_its_key_and_its_ratio() -> None:
    (only,) = edits(parse(edit("a.go", "const maxIdle = 15 * time.Minute", "const maxIdle = 15 * time.Second")))
    assert only.text == "maxIdle 15 minute → 15 second"
    assert only.ratio == pytest.approx(1 / 60)


def test_the_same_value_in_other_units_is_no_edit() -> None:
    assert edits(parse(edit("a.yaml", "wait: 60s", "wait: 1m"))) == ()


@pytest.mark.parametrize(
    ("reason", "path", "old", "new"),
    [
        ("documentation only", "docs/pay.md", "a", "b"),
        ("tests only", "pay/client_test.go", "a := 1", "a := 2"),
        ("build and checks only", ".github/workflows/ci.yaml", "a: 1", "a: 2"),
        ("styling only", "web/shop.css", ".a { }", ".b { }"),
        ("formatting or comments only", "a.py", "x = f(1,2)", "x = f(1, 2)  # two"),
        ("imports only", "a.py", "import os", "import os.path"),
        ("log wording only", "a.py", 'log.info("paid")', 'log.info("card paid")'),
        ("", "a.py", "x = 1", "x = 2"),
    ],
)
def test_the_harmless_is_named(reason: str, path: str, old: str, new: str) -> None:
    assert harmless(Text.of(edit(path, old, new)), "a change") == reason


def test_documentation_beside_code_is_not_documentation_only() -> None:
    both = edit("docs/a.md", "x", "y") + edit("a.py", "t = 1", "t = 9")
    assert harmless(Text.of(both), "docs") == ""


def test_a_move_is_told_from_a_change() -> None:
    moved = Text.of(edit("a.py", "def f():\n    return load(path, mode)", "def g():\n    return load(path, mode)"))
    assert moved_share(moved) > 0.6
    assert moved_share(Text.of(edit("a.py", "retries = 1", "sleep(delay)"))) < 0.3
