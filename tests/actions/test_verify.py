"""Did it help? Every answer there is, and the way back where it did not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.actions.verify import begun_since, judge, still_firing
from bot.domain.action import Action, ActionKind, ActionStatus, Plan
from bot.domain.change import Version
from tests.fakes import NOON, a_member, an_incident

LIMIT = timedelta(seconds=120)
ACTION = Action(
    id="a1",
    kind=ActionKind.ROLLBACK,
    service="payments",
    environment="production",
    target="v42",
    status=ActionStatus.VERIFYING,
    requested_by="U1",
    created_at=NOON,
    updated_at=NOON,
    plan=Plan("v43", "c43", "v42", "c42"),
    incident_id="i1",
)


@pytest.mark.parametrize(
    ("runs", "firing", "seconds", "watch", "status", "words"),
    [
        ("v42", (), 5, 0, ActionStatus.SUCCEEDED, "v42 runs and its alerts have cleared (5 s after)"),
        ("v42", (), 5, 60, None, ""),
        ("v42", (), 60, 60, ActionStatus.SUCCEEDED, "60 s after"),
        ("v42", ("A on payments",), 119, 0, None, ""),
        ("v42", ("A on payments",), 120, 0, ActionStatus.FAILED, "It did not help: v42 runs, but after 120 s still fires"),
        ("v42", ("A", "B", "C", "D"), 120, 0, ActionStatus.FAILED, "A, B, C and 1 more. The way back: /deploy payments v43"),
        ("v43", (), 30, 0, None, ""),
        ("v43", (), 120, 0, ActionStatus.FAILED, "v43 runs in place of v42 after 120 s"),
        ("", (), 30, 0, None, ""),
        ("", (), 120, 0, ActionStatus.UNCERTAIN, "cannot be asked what runs after 120 s"),
        ("v42", (), 120, 300, ActionStatus.SUCCEEDED, "nothing fires after 120 s"),
    ],
)
def test_the_verdict(
    runs: str, firing: tuple[str, ...], seconds: int, watch: int, status: ActionStatus | None, words: str
) -> None:
    current = Version(runs) if runs else None
    now = NOON + timedelta(seconds=seconds)
    step = judge(ACTION, current, firing, now, timedelta(seconds=watch), LIMIT)
    assert step.to is status
    assert words in step.text


def test_what_fires_since_the_action_and_did_not_before_makes_things_worse_and_people_hear_of_it_early() -> None:
    before = a_member(name="A", joined_at=NOON - timedelta(minutes=1))
    after = a_member(name="B", service="checkout", joined_at=NOON + timedelta(seconds=9))
    begun = begun_since(ACTION, replace(an_incident(), members=(before, after)))
    assert begun == ("B on checkout",)
    assert begun_since(ACTION, None) == ()
    both = ("A on payments", "B on checkout")
    early = judge(ACTION, Version("v42"), both, NOON + timedelta(seconds=29), timedelta(), LIMIT, begun)
    said = judge(ACTION, Version("v42"), both, NOON + timedelta(seconds=30), timedelta(), LIMIT, begun)
    assert early.to is None
    assert said.to is ActionStatus.FAILED
    assert said.text == (
        "It made things worse: v42 runs, and since then fires what did not before: B on checkout. "
        "The way back: /deploy payments v43 production"
    )


def test_the_way_back_of_a_deploy_is_a_rollback() -> None:
    deploy = replace(ACTION, kind=ActionKind.DEPLOY, target="v44")
    step = judge(deploy, Version("v44"), ("A",), NOON + LIMIT, timedelta(), LIMIT)
    assert step.text.endswith("The way back: /rollback payments v43 production")


def test_the_alerts_of_the_incident_count_else_those_on_the_service() -> None:
    checkout = a_member(fingerprint="g" * 16, service="checkout", name="Slow")
    incident = an_incident(members=(a_member(firing=0), checkout))
    assert still_firing(ACTION, incident, ()) == ("Slow on checkout",)
    assert still_firing(ACTION, None, (incident,)) == ()
    assert still_firing(ACTION, None, (an_incident(),)) == ("HighErrorRate on payments",)
    assert still_firing(ACTION, None, (an_incident(environment="staging"),)) == ()
