"""What is kept of an alert: remembering what was plain must never let a secret through."""

from dataclasses import fields, replace

import pytest

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
