"""YAML of strangers: it neither grows nor breaks its reader."""

import pytest

from bot.domain.document import DocumentKind
from bot.knowledge.documents import parse
from bot.plain_yaml import BadYaml, document, documents


def test_a_mapping_with_an_anchor_is_read() -> None:
    assert document("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize("line", ["<<: [{0}]", "- [{0}]"], ids=["merged", "nested"])
def test_what_names_itself_over_and_over_is_refused(line: str) -> None:
    def level(number: int) -> str:
        return f"a{number}: &a{number}\n  " + line.format(", ".join([f"*a{number - 1}"] * 10))

    bomb = "\n".join(["a0: &a0 {k: v}", *(level(n) for n in range(1, 12))])
    with pytest.raises(BadYaml):
        document(bomb)


@pytest.mark.parametrize(
    "value",
    ["!!timestamp x", "!!int ''", "!!float '_'", "!!bool x", "2026-13-45", "!unknown x", "[" * 1_200],
)
def test_a_value_that_is_not_what_it_says_breaks_nothing(value: str) -> None:
    with pytest.raises(BadYaml):
        document(f"reviewed: {value}\n")
    found = parse(f"---\nreviewed: {value}\n---\n# Cart errors\n\nRestart it.\n", "cart.md", DocumentKind.RUNBOOK)
    assert found is not None
    assert found.title == "Cart errors"


def test_a_patient_reader_leaves_out_unknown_tags() -> None:
    assert list(documents("a: !!python/name:os.system\nb: 1\n", patient=True)) == [{"a": None, "b": 1}]
