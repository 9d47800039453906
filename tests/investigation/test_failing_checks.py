"""A change that shipped although its commit's checks had failed says so in what people read of it; it is no proof of guilt."""

from dataclasses import replace

from bot.investigation.diagnose import diagnose
from bot.slack.blocks.words import strongest
from tests.investigation.cases import alert, case, edit, rises, series, shipped

CHANGE, COMMIT = shipped(
    "a1", "billing", 9, edit("services/billing/settings.json", '"retries": 2', '"retries": 10'), "tune", "v43"
)
CHECKED = replace(CHANGE, checks={"lint": True, "unit tests": False})


def test_the_suspect_and_the_evidence_say_so_and_nothing_else_changes() -> None:
    told = {}
    for change in (CHANGE, CHECKED):
        numbers = [series("billing", "errors_ratio", rises(0.0, 0.4, 12), 40)]
        told[change is CHECKED] = diagnose(case(alerts=[alert("billing", 20)], changes=[(change, COMMIT)], numbers=numbers))
    before, after = told[False], told[True]
    assert "failing checks" not in repr(before)
    (suspect,) = [c for c in (after.cause, *after.suspects) if c and c.commit == COMMIT.sha][:1]
    assert "shipped with failing checks: unit tests" in [f.text for f in strongest(suspect.facts)]
    assert any(e.text.endswith("; shipped with failing checks: unit tests") for e in after.evidence)
    assert (after.verdict, [c.score for c in after.suspects]) == (before.verdict, [c.score for c in before.suspects])


def test_many_checks_are_named_in_short() -> None:
    many = replace(CHANGE, checks={f"check {n}": False for n in range(5)})
    assert many.failing_checks == "with failing checks: check 0, check 1, check 2 and 2 more"
    assert replace(CHANGE, checks={"lint": True}).failing_checks == ""
