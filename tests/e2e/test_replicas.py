"""Two bots on one PostgreSQL: what happens once happens once, and what one began the other ends."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.e2e.house import APPROVER, INCIDENTS, ON_CALL, PAYMENTS, House, Seen, notification, two_replicas
from tests.e2e.slow_prometheus import SlowPrometheus, slow_prometheus
from tests.parcels import PARCELS
from tests.postgres import Postgres, Server, a_server

pytestmark = [pytest.mark.slow, pytest.mark.promise, pytest.mark.timeout(240)]
BOT, TEAM = "U0TOCSIN", "T0TOCSIN"
TAKEOVER = 30.0  # seconds within which the other replica has ended what one began


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.a_database() as url:
        yield url


@pytest.fixture
async def pair(tmp_path: Path, url: str) -> AsyncIterator[list[House]]:
    async with two_replicas(tmp_path, url) as houses:
        yield houses


async def deploying(houses: Sequence[House]) -> tuple[House, House]:
    """The bot whose deployer runs, and the other one."""

    async def look() -> tuple[House, House] | None:
        busy = [h for h in houses if h.deploys]
        return (busy[0], next(h for h in houses if h is not busy[0])) if busy else None

    return await houses[0].until(look, "a deployer at work")


async def evidence(house: House, card: Seen) -> list[Seen]:
    return [m for m in await house.read(card.channel, card.ts) if m.text.startswith("*Why:*")]


async def rolled_back_once(house: House, card: Seen) -> None:
    """The deployment happened once, was verified once, and the incident is over."""
    await house.alert(resolved=True)
    await house.in_thread(card, "Verified: v42 runs", TAKEOVER)
    await house.resolved_card()
    assert len(house.deployer["starts"]) == 1
    assert house.deployer["running"]["payments"] == "v42"
    began = [deed for (deed,) in house.rows("SELECT deed FROM ledger") if deed == "executing"]
    assert len(began) == 1


async def test_duplicates_at_both_doors_and_double_clicks_make_one_card_one_rollback_and_one_digest(
    tmp_path: Path, url: str
) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=110)).replace(second=0, microsecond=0)  # both have to be up by then
    async with two_replicas(tmp_path, url, top=f'digest_at = "{soon:%H:%M}"') as houses:
        one, doors = houses[0], itertools.cycle(houses)
        bodies = [
            notification("payments", one.began, resolved=False, name=f"Alert{n}", mark="same") for n in range(5) for _ in range(4)
        ]
        answers = await asyncio.gather(*(next(doors).alertmanager(body) for body in bodies))
        assert [a.status_code for a in answers] == [202] * 20
        assert sum(a.json()["accepted"] for a in answers) == 5
        card = await one.card("5 alerts folded")
        await one.in_thread(card, "Why:")
        plan = await one.plan(card)
        await asyncio.gather(*(one.press(APPROVER, plan, "Approve") for _ in range(4)))
        for n in range(5):
            await next(doors).alert(name=f"Alert{n}", resolved=True)
        await one.in_thread(card, "Verified: v42 runs")
        await one.resolved_card()
        assert len(one.deployer["starts"]) == 1
        assert len(await evidence(one, card)) == 1
        assert one.rows("SELECT count(*) FROM incidents") == [(1,)]
        decided = [deed for (deed,) in one.rows("SELECT deed FROM ledger ORDER BY seq") if deed in ("approved", "executing")]
        assert decided == ["approved", "executing"]

        async def digests() -> list[Seen]:
            return [m for m in await one.read(INCIDENTS, user=APPROVER) if "The last 24 hours" in m.text]

        await one.until(digests, "the digest", (soon - datetime.now(UTC)).total_seconds() + 60)
        await asyncio.sleep(3)
        assert len(await digests()) == 1
        assert one.rows("SELECT count(*) FROM work WHERE state = 'dead'") == [(0,)]
        assert await one.refusals() == []


async def test_kill_9_of_one_during_an_investigation_is_taken_over(tmp_path: Path, url: str) -> None:
    async with slow_prometheus(1.5) as source, two_replicas(tmp_path, url, more=source.toml) as (one, other):
        await investigating(one, other, source)
        await one.kill()
        other.thaw()
        began = time.monotonic()
        card = await other.card(seconds=TAKEOVER)
        await other.in_thread(card, "Why:", TAKEOVER)
        print(f"taken over after {time.monotonic() - began:.1f} s")
        assert time.monotonic() - began < TAKEOVER
        assert len(await evidence(other, card)) == 1


async def investigating(one: House, other: House, source: SlowPrometheus) -> None:
    """The first bot looks into an alert; the second stands still meanwhile, so that it does not get the work."""
    other.freeze()
    await one.alert()
    await asyncio.wait_for(source.first.wait(), 60)


async def test_kill_9_of_one_during_a_rollback_leaves_one_run_that_the_other_ends(pair: list[House]) -> None:
    card, plan = await planned(pair[0], seconds=4)
    await pair[0].press(APPROVER, plan, "Approve")
    dead, alive = await deploying(pair)
    await dead.kill()
    began = time.monotonic()
    await rolled_back_once(alive, card)
    print(f"taken over and ended after {time.monotonic() - began:.1f} s")


async def planned(house: House, seconds: float) -> tuple[Seen, Seen]:
    """A card with a plan that waits for approval; carrying it out takes so long."""
    house.deployments_take(seconds)
    await house.alert()
    card = await house.card()
    await house.in_thread(card, "Why:")
    return card, await house.plan(card)


async def test_one_that_stood_still_during_a_rollback_writes_nothing_when_it_wakes_up(pair: list[House]) -> None:
    card, plan = await planned(pair[0], seconds=2)
    await pair[0].press(APPROVER, plan, "Approve")
    zombie, alive = await deploying(pair)
    zombie.freeze()
    await rolled_back_once(alive, card)
    ledger = alive.rows("SELECT seq, deed FROM ledger ORDER BY seq")
    zombie.thaw()
    await alive.until(lambda: said(zombie, "its work is given up"), "the zombie noticing")
    await asyncio.sleep(3)
    assert alive.rows("SELECT seq, deed FROM ledger ORDER BY seq") == ledger
    assert len(alive.deployer["starts"]) == 1
    await zombie.alert("checkout", name="Other")  # it is of use again
    await alive.until(lambda: two_cards(alive), "a card for what came in by the woken one's door")


async def said(house: House, words: str) -> bool:
    return words in house.log()


async def two_cards(house: House) -> bool:
    return len(await house.cards()) == 2


async def test_one_that_stood_still_during_an_investigation_writes_nothing_when_it_wakes_up(tmp_path: Path, url: str) -> None:
    async with slow_prometheus(1.5) as source, two_replicas(tmp_path, url, more=source.toml) as (one, other):
        await investigating(one, other, source)
        one.freeze()
        other.thaw()
        card = await other.card(seconds=TAKEOVER)
        await other.in_thread(card, "Why:", TAKEOVER)
        told = other.rows("SELECT count(*) FROM timeline WHERE kind = 'diagnosis'")
        one.thaw()
        await other.until(lambda: said(one, "its work is given up"), "the zombie noticing")
        await asyncio.sleep(3)
        assert len(await evidence(other, card)) == 1
        assert len(await other.cards()) == 1
        assert other.rows("SELECT count(*) FROM timeline WHERE kind = 'diagnosis'") == told


async def test_a_question_that_slack_sends_to_both_is_answered_once(tmp_path: Path, url: str) -> None:
    async with two_replicas(tmp_path, url, retry_delays=(0.0, 1.0, 1.0, 1.0)) as (one, other):
        one.freeze()
        for n in (1, 2):  # sockets take turns: one of the two questions comes to the one that stands still first
            await one.say(ON_CALL, PAYMENTS, f"<@{BOT}> what changed today?")
            await other.until(partial(answered, other, n), "an answer by the other")
        sent_again = [e for e in (await one.workspace.see("transcript"))["entries"] if e["kind"] == "redelivered"]
        assert sent_again, "the one that stands still never had a question"
        one.thaw()
        await asyncio.sleep(4)
        assert await answered(other, 2)
        assert other.rows("SELECT count(*) FROM journal WHERE feature = 'question'") == [(2,)]


async def answered(house: House, questions: int) -> bool:
    """So many questions of the channel have exactly one answer each."""
    asked = [m for m in await house.read(PAYMENTS) if "what changed today" in m.text]
    replies = [[r for r in await house.read(PAYMENTS, m.ts) if r.ts != m.ts] for m in asked]
    assert all(len(r) <= 1 for r in replies), replies
    return [len(r) for r in replies] == [1] * questions and all("No change of any service" in r[0].text for r in replies)


async def test_what_comes_to_both_doors_by_signed_http_happens_once(tmp_path: Path, url: str) -> None:
    async with two_replicas(tmp_path, url, signed_http=True) as (one, other):
        await one.alert()
        card = await one.card()
        await one.in_thread(card, "Why:")
        ts = await one.say(ON_CALL, PAYMENTS, f"<@{BOT}> what changed today?")
        mention = {"type": "app_mention", "user": ON_CALL, "text": f"<@{BOT}> what changed today?", "ts": ts, "channel": PAYMENTS}
        event = json.dumps({"type": "event_callback", "event_id": "Ev1", "team_id": TEAM, "event": mention}).encode()
        command = {
            "command": "/rollback",
            "text": "payments v42",
            "channel_id": PAYMENTS,
            "user_id": ON_CALL,
            "trigger_id": "1.2.3",
        }
        typed = urlencode({**command, "team_id": TEAM}).encode()
        doors = [one, other] * 3
        answers = await asyncio.gather(
            *(d.slack(event, "application/json", n) for n, d in enumerate(doors)),
            *(d.slack(typed, "application/x-www-form-urlencoded") for d in doors),
        )
        assert [a.status_code for a in answers] == [200] * 12
        await one.until(lambda: answered(one, 1), "the answer")
        plan = await one.in_thread(card, "awaiting approval")
        await asyncio.sleep(3)
        assert await answered(one, 1)
        assert one.rows("SELECT count(*) FROM journal WHERE feature = 'question'") == [(1,)]
        assert one.rows("SELECT count(*) FROM actions") == [(1,)]
        assert (await one.in_thread(card, "awaiting approval")).ts == plan.ts


@pytest.fixture
def server() -> Iterator[Server]:
    with a_server() as server:
        yield server


async def test_nothing_acknowledged_is_lost_while_postgresql_is_away_for_five_seconds(tmp_path: Path, server: Server) -> None:
    async with two_replicas(tmp_path, server.url) as houses:
        accepted, refused = 0, 0
        ended = asyncio.Event()

        async def load(house: House) -> None:
            nonlocal accepted, refused
            for n in itertools.count():
                if ended.is_set():
                    return
                name = f"Alert{n % 4}"
                body = notification("payments", house.began, resolved=False, name=name, mark=f"{house.name}-{n}")
                answer = await house.alertmanager(body)
                accepted += answer.status_code == 202
                refused += answer.status_code == 503 and answer.headers["retry-after"] == "5"
                assert answer.status_code in (202, 503), answer.text
                await asyncio.sleep(0.05)

        loads = [asyncio.create_task(load(h)) for h in houses]
        card = await houses[0].card("alert")
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(2.5)
        assert [await ready(h) for h in houses] == [503, 503]
        await asyncio.sleep(2.5)
        await houses[0].until(more_than(lambda: refused, 20), "more than twenty being asked to come again")
        await asyncio.to_thread(server.start)
        back = time.monotonic()
        await houses[0].until(lambda: both_ready(houses), "both being ready again")
        print(f"ready again after {time.monotonic() - back:.1f} s")
        await asyncio.sleep(3)
        await houses[0].until(more_than(lambda: accepted, 50), "more than fifty being taken")
        ended.set()
        await asyncio.gather(*loads)

        async def all_done() -> bool:
            return houses[0].rows(f"SELECT state, count(*) FROM {PARCELS} GROUP BY state") == [("done", accepted)]

        await houses[0].until(all_done, f"all {accepted} being done")
        print(f"all {accepted} done {time.monotonic() - back:.1f} s after it was back; {refused} were asked to come again")
        events = houses[0].rows("SELECT sum(events) FROM problems")
        assert events == [(accepted,)]
        assert (await houses[0].card("alert")).ts == card.ts
        assert houses[0].rows("SELECT count(*) FROM work WHERE state = 'dead'") == [(0,)]


def more_than(count: Callable[[], int], few: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return count() > few

    return look


async def ready(house: House) -> int:
    return (await house.http.get(f"http://127.0.0.1:{house.port}/readyz")).status_code


async def both_ready(houses: Sequence[House]) -> bool:
    return [await ready(h) for h in houses] == [200, 200]
