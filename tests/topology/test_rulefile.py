"""Rule files say where they are wrong, and a bad edit never puts a good rule out of force."""

import logging
from pathlib import Path

import pytest

from bot.topology.catalogue import catalogue_file, loops, read_catalogue
from bot.topology.rulefile import LARGEST, BadRules, RuleFile

SHOP = """\
services:
  - name: storefront
    owner: team-web
    depends_on: [checkout]
  - name: checkout
    owner: team-web
    depends_on: [payments-api, store]
  - name: payments
    owner: team-payments
    tier: 1
    aliases: [payments-api]
    repository: demo/shop
    paths: [services/payments, lib]
    depends_on: [acmepay]
  - name: store
  - {name: acmepay, title: AcmePay, external: true}
"""


class Ticks:
    """A clock of seconds that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def faults_of(text: str) -> list[str]:
    with pytest.raises(BadRules) as refused:
        read_catalogue(text)
    return [str(fault) for fault in refused.value.faults]


def test_a_good_file_becomes_a_catalogue_with_aliases_resolved() -> None:
    catalogue = read_catalogue(SHOP)
    assert catalogue.get("payments-api").name == "payments"
    assert catalogue.get("checkout").depends_on == ("payments", "store")
    assert catalogue.get("acmepay").external
    assert catalogue.get("store").title == "store"
    assert catalogue.shipping("demo/shop", ["lib/client.py"]) == ("payments",)


def test_an_unknown_service_is_created_on_sight() -> None:
    assert not read_catalogue(SHOP).get("billing").catalogued


def test_every_fault_of_a_file_is_told_with_its_line() -> None:
    text = "services:\n  - name: a\n    teir: 1\n  - title: nameless\n  - name: b\n    tier: 9\n"
    assert faults_of(text) == [
        "services.yaml:3: services[0].teir is not a known key; did you mean tier?",
        "services.yaml:4: services[1].name is missing",
        "services.yaml:6: services[2].tier: input should be less than or equal to 5 (got '9')",
    ]


def test_a_name_taken_twice_is_a_fault_that_names_both_lines() -> None:
    text = "services:\n  - name: a\n  - name: b\n    aliases: [a]\n"
    assert faults_of(text) == ["services.yaml:4: a is already the name or an alias of the service in line 2; choose another"]


def test_a_dependency_that_nobody_described_is_a_fault() -> None:
    text = "services:\n  - name: a\n    depends_on:\n      - b\n      - a\n"
    first, second = faults_of(text)
    assert first.startswith("services.yaml:4: a depends on b, which is not described")
    assert second == "services.yaml:5: a depends on itself; take it out"


@pytest.mark.parametrize(
    ("text", "line"),
    [("services: [", 1), ("services:\n  - name: a\n   tier: 2\n", 3), ("a: 1\na: 2\n", 2), ("- 1\n", 1), ("&a [*a]", 1)],
)
def test_what_is_not_yaml_of_the_right_shape_is_refused_with_a_line(text: str, line: int) -> None:
    assert any(fault.startswith(f"services.yaml:{line}:") for fault in faults_of(text))


def test_a_file_without_end_is_refused() -> None:
    assert "split it" in faults_of("#" * (LARGEST + 1))[0]


def test_an_empty_file_describes_no_services() -> None:
    assert read_catalogue("").services == {}


def test_a_circle_of_dependencies_is_allowed_but_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    text = "services:\n  - {name: a, depends_on: [b]}\n  - {name: b, depends_on: [c]}\n  - {name: c, depends_on: [a]}\n"
    with caplog.at_level(logging.WARNING):
        catalogue = read_catalogue(text)
    assert loops(catalogue) == (("a", "b", "c", "a"),)
    assert "a → b → c → a" in caplog.text


def test_a_missing_file_is_an_empty_catalogue_and_appears_when_it_is_written(tmp_path: Path) -> None:
    ticks = Ticks()
    path = tmp_path / "services.yaml"
    file = RuleFile(path, read_catalogue, absent=lambda: read_catalogue(""), ticks=ticks)
    assert file.current.services == {}
    path.write_text(SHOP)
    ticks.now = 2
    assert "payments" in file.current.services


def test_a_bad_file_is_refused_at_start_with_all_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "services.yaml"
    path.write_text("services:\n  - name: a\n    tier: 0\n    x: 1\n")
    with pytest.raises(BadRules, match=r"services\.yaml:3(.|\n)*services\.yaml:4"):
        catalogue_file(path)


def test_after_a_bad_edit_the_last_good_version_stays_and_the_fault_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ticks, path = Ticks(), tmp_path / "services.yaml"
    path.write_text(SHOP)
    file = RuleFile(path, read_catalogue, ticks=ticks)
    path.write_text("services: {}")
    for second in (2, 4, 6):
        ticks.now = second
        assert "payments" in file.current.services
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 1
    assert file.faults[0].line == 1
    path.write_text("services: [{name: only}]")
    ticks.now = 8
    assert list(file.current.services) == ["only"]
    assert file.faults == ()


def test_a_deleted_file_leaves_the_last_good_version_in_force(tmp_path: Path) -> None:
    ticks, path = Ticks(), tmp_path / "services.yaml"
    path.write_text(SHOP)
    file = RuleFile(path, read_catalogue, ticks=ticks)
    path.unlink()
    ticks.now = 2
    assert "payments" in file.current.services
    assert "there is no file" in file.faults[0].message


def test_the_file_is_looked_at_once_a_second_at_most(tmp_path: Path) -> None:
    ticks, path = Ticks(), tmp_path / "services.yaml"
    path.write_text(SHOP)
    file = RuleFile(path, read_catalogue, ticks=ticks)
    path.write_text("services: [{name: only}]")
    ticks.now = 0.5
    assert "payments" in file.current.services
    ticks.now = 1.0
    assert list(file.current.services) == ["only"]
