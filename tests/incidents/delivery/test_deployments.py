"""Reports become deployments: new versions, ways back, the same again; several reports of one are one."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.action import ActionKind, ActionStatus
from bot.domain.change import ChangeKind, ChangeStatus
from bot.domain.delivery import Kind
from bot.incidents.delivery.deployments import deployments, introduced
from tests.fakes import NOON
from tests.incidents.delivery.events import COMMITS, kinds, made_of, rolled, shipped

MINUTE = 1 / 60


def test_only_what_reached_production_as_a_deployment_counts() -> None:
    counted = shipped("v1", 0)
    others = (
        shipped("v2", 1, environment="staging"),
        shipped("v3", 2, status=ChangeStatus.FAILED),
        shipped("v4", 3, status=ChangeStatus.RUNNING),
        shipped("v5", 4, kind=ChangeKind.FLAG),
        shipped("v6", 5, kind=ChangeKind.COMMIT),
        shipped("v7", 6, services=()),
    )
    assert kinds(made_of(counted, *others)) == [("v1", "new")]


def test_a_way_back_is_no_new_version_and_the_same_again_is_neither() -> None:
    every = made_of(*(shipped(v, n) for n, v in enumerate(("v1", "v2", "v2", "v1", "v2", "v3"))))
    assert kinds(every) == [("v1", "new"), ("v2", "new"), ("v2", "again"), ("v1", "back"), ("v2", "again"), ("v3", "new")]
    assert introduced(every[3], every) == every[1]
    assert every[5].before == COMMITS["v2"]


def test_reports_of_several_vendors_of_one_deployment_are_one() -> None:
    every = made_of(
        shipped("v1", 0),
        shipped("", 2 * MINUTE, by="kubernetes", commit=""),  # close, though it names nothing
        shipped("v1", 0.6, by="argocd"),  # later, and the same version
        shipped("v1", 0.7, by="argocd"),  # the same vendor once more: the same again
    )
    assert [(d.kind, len(d.changes)) for d in every] == [(Kind.NEW, 3), (Kind.AGAIN, 1)]


def test_a_vendor_that_knows_only_the_commit_tells_of_the_version_of_another() -> None:
    every = made_of(shipped("v1", 0), shipped("main-17", 0.5, by="argocd", commit=COMMITS["v1"][:9]), shipped("v2", 3))
    assert kinds(every) == [("v1", "new"), ("v2", "new")]


def test_one_change_of_several_services_is_a_deployment_of_each() -> None:
    every = made_of(shipped("v1", 0, services=("cart", "payments", "cart")))
    assert [(d.service, d.version) for d in every] == [("cart", "v1"), ("payments", "v1")]
    assert every[0].changes == every[1].changes


def test_an_action_of_ours_marks_its_report_as_a_way_back() -> None:
    """The version it brings back ran longer ago than anybody remembers."""
    every = deployments([shipped("v5", 0), shipped("v2", 1)], [rolled("v2", 1)], "production")
    assert kinds(every) == [("v5", "new"), ("v2", "back")]


def test_an_action_that_no_vendor_reported_is_a_deployment_too() -> None:
    deploy = rolled("v6", 2, kind=ActionKind.DEPLOY)
    elsewhere = rolled("v7", 3, environment="staging")
    failed = rolled("v8", 4, status=ActionStatus.FAILED)
    every = deployments([shipped("v5", 0)], [rolled("v4", 1), deploy, elsewhere, failed], "production")
    assert kinds(every) == [("v5", "new"), ("v4", "back"), ("v6", "new")]


def test_what_a_second_vendor_tells_decides_what_a_deployment_brought() -> None:
    every = made_of(shipped("v1", 0), shipped("", 1), shipped("v1", 1.01, by="argocd"))
    assert kinds(every) == [("v1", "new"), ("v1", "again")]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from(["v1", "v2", "v3", ""]), st.integers(0, 300), st.sampled_from(["github", "argocd"])),
        max_size=12,
    ),
    st.randoms(),
)
def test_whatever_the_order_of_reports_each_is_in_one_deployment_and_no_version_is_new_twice(
    told: list[tuple[str, int, str]], random: object
) -> None:
    reports = [shipped(version, minutes * MINUTE, by=by, id=f"c{n}") for n, (version, minutes, by) in enumerate(told)]
    every = made_of(*reports)
    shuffled = list(reports)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands in a Random
    assert made_of(*shuffled) == every
    assert sorted(id for d in every for id in d.changes) == sorted(r.id for r in reports)
    new = [d.version for d in every if d.kind is Kind.NEW and d.version]
    assert len(new) == len(set(new))
    assert all(a.at <= b.at for a, b in pairwise(every))
    assert not every or every[0].at >= NOON - timedelta(minutes=1)
