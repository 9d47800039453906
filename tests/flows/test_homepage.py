"""A person's home page: what is theirs, what waits for them; kept current while they look at it."""

from dataclasses import replace

import pytest

from bot.actions.policy import read_policies
from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.incident import Incident, Status
from bot.domain.request import Person
from bot.flows.announce import refresh, want
from bot.flows.desk import Desk
from bot.flows.homepage import ENOUGH, home, refresh_home, stir
from bot.storage.database import SqlDatabase
from tests.actions.estate import AMIR, OLIVIA, RULES, SAM, FakeDeployer, a_desk
from tests.fakes import NOON, FakeChannel, FakeClock, an_incident


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock, FakeDeployer())


async def kept(desk: Desk, **fields: object) -> Incident:
    return await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0, **fields)))


async def an_action(desk: Desk, id: str, status: ActionStatus, service: str = "payments") -> Action:
    action = Action(id, ActionKind.ROLLBACK, service, "production", "v42", status, OLIVIA, NOON, NOON)
    return await desk.db.write(lambda tx: desk.actions.add(tx, action))


async def refreshed(desk: Desk) -> int:
    """Every refresh that waits runs; how many there were."""
    waiting = [w for w in desk.work.named("refresh_home") if w.id not in desk.work.done]
    for item in waiting:
        desk.work.done.add(item.id)
        await refresh_home(item.args, desk)
    return len(waiting)


async def test_mine_is_what_i_acknowledged_or_am_on_call_for_or_what_my_team_owns(desk: Desk) -> None:
    await kept(desk, id="a", number=1, status=Status.ACKNOWLEDGED, acknowledged_by=SAM)
    await kept(desk, id="b", number=2, on_call=(OLIVIA,))
    await kept(desk, id="c", number=3, service="printer", members=())
    mine = {who: [i.id for i in (await home(Person(who), desk)).mine] for who in (SAM, OLIVIA, AMIR)}
    assert mine == {SAM: ["a"], OLIVIA: ["b"], AMIR: []}
    everything = (await home(Person(AMIR), desk)).incidents
    assert {i.id for i in everything} == {"a", "b", "c"}


async def test_a_group_of_the_policies_that_is_called_like_an_owner_is_that_team(desk: Desk) -> None:
    await kept(desk)
    catalogue = desk.catalogue()
    owned = replace(catalogue, services={**catalogue.services, "payments": replace(catalogue.get("payments"), owner="approvers")})
    team = replace(desk, catalogue=lambda: owned)
    assert len((await home(Person(AMIR), team)).mine) == 1
    assert (await home(Person(SAM), team)).mine == ()


async def test_only_who_may_approve_is_shown_what_waits_and_everybody_what_runs(desk: Desk) -> None:
    await an_action(desk, "waits", ActionStatus.AWAITING)
    await an_action(desk, "runs", ActionStatus.EXECUTING, "checkout")
    approver, on_call = await home(Person(AMIR), desk), await home(Person(OLIVIA), desk)
    assert ([a.id for a in approver.approvals], [a.id for a in on_call.approvals]) == (["waits"], [])
    assert [a.id for a in on_call.under_way] == ["runs"]


async def test_people_of_a_user_group_that_may_approve_see_what_waits_for_them(desk: Desk) -> None:
    policies = read_policies(RULES.replace("approvers: [U0APPROVER, U0CHIEF, U0ONCALL]", 'approvers: ["@release", S0CHIEFS]'))
    grouped = replace(desk, policies=lambda: policies)
    await an_action(desk, "waits", ActionStatus.AWAITING)
    assert isinstance(desk.channel, FakeChannel)
    desk.channel.memberships.update({AMIR: ("release",), "U0CHIEF": ("S0CHIEFS",)})
    shown = {who: len((await home(Person(who), grouped)).approvals) for who in (AMIR, "U0CHIEF", SAM)}
    assert shown == {AMIR: 1, "U0CHIEF": 1, SAM: 0}
    await refresh_home({"user": AMIR}, grouped)
    assert desk.channel.homes.get(AMIR) is None, "it is the same page still"


async def test_words_of_a_run_that_the_page_does_not_show_publish_nothing(desk: Desk) -> None:
    action = await an_action(desk, "runs", ActionStatus.EXECUTING)
    await home(Person(OLIVIA), desk)
    await desk.db.write(lambda tx: desk.actions.move(tx, action, replace(action, output=("step 1",))))
    await refresh_home({"user": OLIVIA}, desk)
    assert desk.channel.homes.get(OLIVIA) is None


async def test_a_page_is_published_again_once_what_it_shows_has_changed(desk: Desk, clock: FakeClock) -> None:
    await home(Person(OLIVIA), desk)
    incident = await kept(desk)
    await desk.db.write(lambda tx: want(tx, f"card:{incident.id}", desk))
    await refresh({"key": f"card:{incident.id}"}, desk)
    assert await refreshed(desk) == 1
    [view] = desk.channel.homes[OLIVIA]
    assert [i.key for i in view.incidents] == [incident.key]
    await desk.db.write(lambda tx: stir(tx, desk))
    clock.advance(seconds=5)
    assert await refreshed(desk) == 1
    assert len(desk.channel.homes[OLIVIA]) == 1, "nothing changed but the time"


async def test_many_changes_are_one_refresh_and_nobody_who_never_looked_gets_one(desk: Desk) -> None:
    await home(Person(OLIVIA), desk)
    for _ in range(5):
        await desk.db.write(lambda tx: stir(tx, desk))
    assert [w.args["user"] for w in desk.work.named("refresh_home")] == [OLIVIA]


async def test_a_page_that_nobody_opens_again_is_left_alone_in_the_end(desk: Desk) -> None:
    await home(Person(OLIVIA), desk)
    card = await desk.db.read(lambda tx: desk.cards.get(tx, f"home:{OLIVIA}"))
    assert card is not None
    await desk.db.write(lambda tx: desk.cards.put(tx, replace(card, posts=ENOUGH)))
    await desk.db.write(lambda tx: stir(tx, desk))
    assert await refreshed(desk) == 0
    await home(Person(OLIVIA), desk)
    await desk.db.write(lambda tx: stir(tx, desk))
    assert await refreshed(desk) == 1
