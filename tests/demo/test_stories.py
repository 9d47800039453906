"""Stories are data: the same seed tells the same story, and the promises of story 1 hold."""

from datetime import UTC, datetime

import pytest

from bot.demo.decoys import DECOYS
from bot.demo.director import Performance, Shipped
from bot.demo.faults import FAULTS, KINDS
from bot.demo.load import LEVELS
from bot.demo.shop import SERVICES
from bot.demo.stories import REPAIR_3, STORY_1, STORY_2, STORY_3, SetLoad, SetProvider, Ship, Story, break_it, seeded

SEEDS = range(1, 201)
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def ships(story: Story) -> list[Ship]:
    return [step.deed for step in story.steps if isinstance(step.deed, Ship)]


def deployed(story: Story, on_alert: bool = False) -> list[str]:
    steps = sorted((step for step in story.steps if step.on_alert is on_alert), key=lambda step: step.after)
    return [step.deed.change.key for step in steps if isinstance(step.deed, Ship) and step.deed.change.service is not None]


def test_there_are_five_kinds_of_fault_and_every_service_has_some() -> None:
    assert len(KINDS) == 5
    assert {kind for kind, _ in FAULTS} == set(KINDS)
    for service in SERVICES:
        assert sum(found == service for _, found in FAULTS) >= 4


def test_story_1_hides_the_guilty_change_among_innocent_ones() -> None:
    shipped = [ship.change for ship in ships(STORY_1)]
    assert len(shipped) >= 6
    assert STORY_1.guilty in shipped
    assert STORY_1.guilty.service == "payments"
    order = deployed(STORY_1)
    assert order[-1] != STORY_1.guilty.key, "the guilty change is not the newest"
    assert DECOYS[order[-1]].service in ("storefront", "checkout"), "a newer innocent deploy is on an alerting service"
    assert any(change.service is None for change in shipped), "a documentation change"
    assert deployed(STORY_1, on_alert=True), "one ships after the onset"
    assert STORY_1.steps[-2].deed == SetLoad("busy"), "the fault needs load"


def test_story_1_raises_retries_from_two_to_ten_without_backoff() -> None:
    assert STORY_1.guilty is not None
    (edit,) = STORY_1.guilty.edits
    assert '"retries": 2' in edit.old
    assert '"retries": 10' in edit.new
    assert '"backoff_ms": 0' in edit.new


def test_story_2_has_innocent_deploys_and_no_guilty_one() -> None:
    assert STORY_2.guilty is None
    assert len(deployed(STORY_2)) >= 3
    assert not any(ship.change.guilty for ship in ships(STORY_2))
    modes = [step.deed.mode for step in STORY_2.steps if isinstance(step.deed, SetProvider)]
    assert modes == ["down", "ok"]


def test_story_3_ships_something_that_needs_the_guilty_change_right_after_it() -> None:
    assert STORY_3.guilty is not None
    assert STORY_3.guilty.service == "payments"
    (needing,) = STORY_3.needing
    order = deployed(STORY_3)
    assert order.index(needing.key) == order.index(STORY_3.guilty.key) + 1
    assert not needing.guilty
    added = " ".join(edit.new for edit in STORY_3.guilty.edits)
    assert "CHF" in added, "what the innocent change uses comes with the guilty one"
    assert "CHF" in needing.edits[0].new


def test_the_repair_of_story_3_takes_back_the_harm_and_leaves_what_is_needed() -> None:
    assert STORY_3.guilty is not None
    (edit,) = REPAIR_3.edits
    harm = next(e for e in STORY_3.guilty.edits if e.path == edit.path)
    assert (edit.old, edit.new) == (harm.new, harm.old)


def test_a_reset_takes_back_what_needs_the_guilty_change_before_it() -> None:
    assert STORY_3.guilty is not None
    performance = Performance(STORY_3, NOW)
    for change in (DECOYS["store-wording"], STORY_3.guilty, STORY_3.needing[0]):
        performance.shipped.append(Shipped(change, "s", "v2", NOW))
    assert [s.change for s in performance.to_take_back] == [STORY_3.needing[0], STORY_3.guilty]


def test_the_two_stories_share_no_change() -> None:
    assert not {ship.change.key for ship in ships(STORY_1)} & {ship.change.key for ship in ships(STORY_2)}


def test_a_seed_always_tells_the_same_story() -> None:
    assert all(seeded(seed) == seeded(seed) for seed in SEEDS)
    assert len({seeded(seed).steps for seed in SEEDS}) > 150


def test_seeds_cover_every_kind_and_service_and_no_guilty_change() -> None:
    guilty = [seeded(seed).guilty for seed in SEEDS]
    assert {change.key.partition("/")[0] for change in guilty if change} == set(KINDS)
    assert {change.service for change in guilty if change} == set(SERVICES)
    assert 20 <= guilty.count(None) <= 60


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seeded_story_makes_sense(seed: int) -> None:
    story = seeded(seed)
    keys = [ship.change.key for ship in ships(story)]
    assert len(keys) == len(set(keys)) >= 5
    guilty = [ship.change for ship in ships(story) if ship.change.guilty]
    assert guilty == ([story.guilty] if story.guilty else [])
    if story.guilty:
        order = deployed(story) + deployed(story, on_alert=True)
        later = order[order.index(story.guilty.key) + 1 :]
        services = [DECOYS[key].service for key in later]
        assert story.guilty.service not in services, "a rollback would meet the fault again"
        assert services, "something newer is always there to be blamed"
    else:
        assert any(isinstance(step.deed, SetProvider) and step.deed.mode != "ok" for step in story.steps)


def test_any_fault_can_be_chosen_and_an_impossible_one_is_refused() -> None:
    for kind, service in FAULTS:
        story = break_it(kind, service)
        assert story.guilty is FAULTS[kind, service].change
        assert story.steps[-1].deed == SetLoad("busy")
    with pytest.raises(KeyError):
        break_it("retry-storm", "store")


def test_more_customers_come_when_it_is_busy() -> None:
    assert LEVELS["busy"].orders > LEVELS["quiet"].orders
    assert sum((LEVELS["busy"].orders, LEVELS["busy"].browse)) <= 30
