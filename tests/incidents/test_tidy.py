"""What is kept of an alert: remembering what was plain must never let a secret through."""

from dataclasses import fields, replace

import pytest

from bot.domain.alert import instance_key
from bot.incidents import tidy
from bot.incidents.tidy import tidied
from tests.fakes import an_alert

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"  # of the right shape, of nobody


def test_a_secret_is_found_in_an_alert_whose_other_fields_are_known() -> None:
    plain = an_alert(labels={"service": "checkout", "note": "all well"})
    assert tidied(plain, lambda _: None, "production").labels == plain.labels
    for _ in range(2):
        kept = tidied(replace(plain, labels={**plain.labels, "note": TOKEN}), lambda _: None, "production")
        assert TOKEN not in str(kept)
    assert not any(TOKEN in field for field in tidy._known)


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidy, "MOST_KNOWN", 100)
    for n in range(100):
        tidied(an_alert(summary=f"the {n}th", description="x" * 300), lambda _: None, "production")
    assert len(tidy._known) <= 100 + 20
    assert max(map(len, tidy._known)) <= tidy.LONGEST_KNOWN


def test_what_needs_no_tidying_is_kept_as_it_is() -> None:
    alert = an_alert(
        ended_at=an_alert().started_at, resolved=True, readable=False, ref="r-1", called="cart", runbook_url="https://a/b",
        link="https://a/c", group={"cluster": "eu"}, description="down", service_from="label app",
    )  # fmt: skip
    kept = tidied(alert, lambda _: None, "production")
    assert {f.name: getattr(kept, f.name) for f in fields(kept)} == {f.name: getattr(alert, f.name) for f in fields(alert)}


def test_of_too_many_labels_those_that_identify_an_alert_are_kept_and_it_says_so() -> None:
    many = {f"a{n:04d}": "x" for n in range(5000)}
    known = {"service": "checkout", "alertname": "Slow", "severity": "page", "pod": "checkout-7f"}
    first, again = (an_alert(labels=labels, description="p99 is high") for labels in (many | known, known | many))
    kept = tidied(first, lambda _: None, "production")
    assert kept.labels.items() >= known.items()
    assert len(kept.labels) == tidy.MOST_LABELS
    assert kept.description.startswith("64 of its 5004 labels are kept")
    assert kept.description.endswith("p99 is high")
    assert instance_key(kept) == instance_key(tidied(again, lambda _: None, "production"))


def test_the_usual_number_of_labels_is_nothing_to_speak_of() -> None:
    alert = an_alert(labels={f"a{n}": "x" for n in range(tidy.MOST_LABELS)}, description="p99 is high")
    kept = tidied(alert, lambda _: None, "production")
    assert (kept.labels, kept.description) == (alert.labels, alert.description)


@pytest.mark.parametrize("before", range(tidy.LONGEST_VALUE - len(TOKEN), tidy.LONGEST_VALUE, 7))
def test_half_a_secret_at_the_end_of_a_long_label_is_not_kept(before: int) -> None:
    labels = {"note": "-" * (before - 1) + " " + TOKEN}
    for alert in (an_alert(labels=labels), an_alert(group=labels)):
        kept = tidied(alert, lambda _: None, "production")
        assert TOKEN[:8] not in str(kept)
        assert max(len(v) for v in (*kept.labels.values(), *kept.group.values())) <= tidy.LONGEST_VALUE
