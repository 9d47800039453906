"""Did it help? Every answer there is, and the way back where it did not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.actions.verify import begun_since, in_effect, judge, still_firing
from bot.domain.action import Action, ActionKind, ActionStatus, Decision, Plan
from bot.domain.change import Change, ChangeKind, ChangeStatus, Version
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
    begun = begun_since(replace(an_incident(), members=(before, after)), NOON)
    assert begun == ("B on checkout",)
    assert begun_since(None, NOON) == ()
    both = ("A on payments", "B on checkout")
    early = judge(ACTION, Version("v42"), both, NOON + timedelta(seconds=29), timedelta(), LIMIT, begun)
    said = judge(ACTION, Version("v42"), both, NOON + timedelta(seconds=30), timedelta(), LIMIT, begun)
    assert early.to is None
    assert said.to is ActionStatus.FAILED
    assert said.text == (
        "It made things worse: v42 runs, and since then fires what did not before: B on checkout. "
        "The way back: /deploy payments v43 production"
    )


def deployed(version: str, seconds: float) -> Change:
    change = Change(f"d{seconds}", "github", ChangeKind.DEPLOY, ChangeStatus.SUCCEEDED, NOON + timedelta(seconds=seconds), "")
    return replace(change, services=("payments",), environment="production", version=version)


def test_what_the_target_broke_before_the_bot_knew_that_it_ran_counts_as_its_doing() -> None:
    asked = replace(ACTION, created_at=NOON - timedelta(minutes=2))
    approved = replace(asked, decisions=(Decision("U2", approved=True, at=NOON - timedelta(seconds=19.5)),))
    assert in_effect(approved, [deployed("v42", -8)]) == NOON - timedelta(seconds=8)
    assert in_effect(approved, [deployed("v42", -20)]) == NOON - timedelta(seconds=20)  # the vendor cuts fractions
    assert in_effect(approved, [deployed("v42", 3)]) == NOON


def test_other_deployments_do_not_say_when_the_target_ran() -> None:
    action = replace(ACTION, created_at=NOON - timedelta(minutes=2))
    others = [
        deployed("v43", -8),
        deployed("v42", -600),
        replace(deployed("v42", -8), environment="staging"),
        replace(deployed("v42", -8), services=("checkout",)),
        replace(deployed("v42", -8), status=ChangeStatus.RUNNING),
    ]
    assert in_effect(action, others) == NOON


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


def test_that_the_deployment_which_was_taken_back_was_suspect_is_no_alert_that_fires_still() -> None:
    of_the_old, elsewhere = a_member(name="SuspectDeployment"), a_member(name="SuspectDeployment", service="storefront")
    of_the_new = a_member(name="SuspectDeployment", joined_at=NOON + timedelta(seconds=30))
    incident = an_incident(members=(of_the_old, elsewhere))
    assert still_firing(ACTION, incident, ()) == ("SuspectDeployment on storefront",)
    assert still_firing(ACTION, replace(incident, members=(of_the_old, of_the_new)), ()) == ("SuspectDeployment on payments",)
    assert still_firing(ACTION, None, (incident,)) == ()
