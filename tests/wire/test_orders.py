"""How an order is carried where a vendor keeps a title of it only, and what ran before as titles tell."""

from dataclasses import replace

import pytest

from bot.domain.change import Version
from bot.errors import BadSettings, NotFound
from bot.ports import Order, Run, RunState
from bot.wire.orders import Past, checked_order, current_of, enough, title_of, told_by, versions_of

ORDER = Order("payments", "production", "v43", "0193-key")


def past(version: str, state: RunState = RunState.SUCCEEDED, **more: str) -> Past:
    return Past(replace(ORDER, version=version, **more), Run("1", state))


def test_a_title_tells_its_order_again() -> None:
    assert title_of(ORDER) == "payments v43 to production (tocsin 0193-key)"
    assert told_by(title_of(ORDER)) == ORDER
    assert told_by(" payments v43 to production (tocsin ) ") == replace(ORDER, key="")


@pytest.mark.parametrize("title", ["", "Deploy", "payments v43 to production", "payments v43 to production (tocsin k) again"])
def test_another_title_tells_none(title: str) -> None:
    assert told_by(title) is None


@pytest.mark.parametrize("value", ["--help", "a b", "../x", "", "$HOME", "é", "v1\n"])
def test_what_could_be_more_than_a_name_is_no_order(value: str) -> None:
    for order in (replace(ORDER, version=value), replace(ORDER, environment=value)):
        with pytest.raises(BadSettings, match="cannot be handed to a deployer"):
            checked_order(order)


def test_a_version_counts_once_and_as_healthy_as_its_best_run() -> None:
    runs = (
        past("v44", RunState.RUNNING),
        past("v43", RunState.FAILED),
        past("v43"),
        past("v42", RunState.CANCELLED),
        past("v41"),
    )
    assert versions_of(runs, "payments", "production") == (Version("v43"), Version("v42", healthy=False), Version("v41"))
    assert current_of(runs, "payments", "production", "GitHub") == Version("v43")
    assert enough(runs, "payments", "production")
    assert not enough(runs[:4], "payments", "production")


def test_what_somebody_typed_by_hand_is_no_version_and_no_commit() -> None:
    runs = (past("<!channel>"), past("v43", commit="; rm -rf"), past("v9", service="checkout"))
    assert versions_of(runs, "payments", "production") == (Version("v43"),)
    with pytest.raises(NotFound, match="remembers no run that brought payments to production"):
        current_of(runs[:1], "payments", "production", "GitHub")
