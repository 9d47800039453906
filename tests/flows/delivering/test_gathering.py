"""What the stores hold becomes deployments, causes, pages and deeds; repositories are asked for a while and no longer."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.action import Action, ActionKind, ActionStatus, Decision
from bot.domain.change import ChangeKind, ChangeStatus, Commit
from bot.domain.delivery import Failed, Kind
from bot.domain.evidence import Candidate, Confidence, Diagnosis, Verdict
from bot.domain.incident import Incident, Status
from bot.domain.service import Catalogue, Service
from bot.errors import Unavailable
from bot.flows.delivering.committing import commit_times
from bot.flows.delivering.gathering import Asked, gathered
from bot.flows.desk import Desk
from bot.flows.reaching.paging import NOT_NEEDED
from bot.incidents.delivery.failures import Known, failures
from bot.incidents.delivery.figures import Past
from bot.incidents.routing import read_routing
from bot.ports import Reached, Transaction
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock, an_incident
from tests.incidents.delivery.events import HOUR, made_of, shipped

ROUTING = read_routing("""
default: {channel: "#incidents"}
rotas:
  backend: {every: week, handover: "mon 09:00", timezone: Asia/Tokyo, start: 2026-01-05, people: [U0ONCALL]}
""")
UNTIL = NOON + timedelta(days=1)
CAUSE = Candidate("github:payments:v2:1", "payments", "Retry for ever", "v2")


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock, routing=ROUTING)


def judged(verdict: Verdict, *suspects: Candidate) -> Diagnosis:
    cause = CAUSE if verdict is Verdict.CONVICTED else None
    return Diagnosis(verdict, Confidence.STRONG, "so it is", NOON, cause=cause, suspects=suspects)


async def read(desk: Desk) -> Past:
    asked = Asked(NOON, UNTIL, "production", desk.routing(), {})
    past, _ = await desk.db.read(lambda tx: gathered(tx, desk, asked))
    return past


async def kept(desk: Desk, *incidents: tuple[Incident, Diagnosis | None]) -> None:
    def go(tx: Transaction) -> None:
        desk.changes.save(tx, [shipped("v1", 0), shipped("v2", 1)])
        for incident, diagnosis in incidents:
            desk.incidents.save(tx, replace(incident, version=0))
            if diagnosis is not None:
                desk.diagnoses.save(tx, incident.id, diagnosis)

    await desk.db.write(go)


def an_outage(number: int, **fields: object) -> Incident:
    told = {"id": f"i{number}", "number": number, "opened_at": NOON + 1.1 * HOUR, "confirmed_by": "U1" if fields else ""}
    return an_incident(**{**told, **fields})


async def test_causes_are_what_people_confirmed_or_the_diagnosis_says_unless_somebody_denied_it(desk: Desk) -> None:
    convicted = judged(Verdict.CONVICTED, CAUSE)
    await kept(
        desk,
        (an_outage(1), convicted),
        (an_outage(2, confirmed_cause="payments v2: Retry for ever"), convicted),
        (an_outage(3, confirmed_cause="a cable was cut by a digger"), convicted),
        (an_outage(4, merged_into="INC-1"), convicted),
        (an_outage(5), judged(Verdict.UNDETERMINED, CAUSE)),
        (an_outage(6, confirmed_cause="so it is"), judged(Verdict.UNDETERMINED, CAUSE)),
        (an_outage(7, environment="staging"), convicted),
        (an_outage(8), None),
    )
    past = await read(desk)
    assert sorted((b.incident_id, b.confirmed) for b in past.blames) == [("i1", False), ("i2", True)]
    assert list(failures(Known(past.deployments), past.blames, ()).values()) == [Failed.CONFIRMED]
    assert past.notes == ("1 incidents whose confirmed cause names no change that is clear",)


async def test_what_is_left_out_is_counted(desk: Desk) -> None:
    flag = shipped("", 2, id="flag", kind=ChangeKind.FLAG)
    lost = shipped("v3", 3, status=ChangeStatus.FAILED)
    await kept(desk, (an_outage(1), replace(judged(Verdict.CONVICTED), cause=replace(CAUSE, change_id="flag", version=""))))
    await desk.db.write(lambda tx: desk.changes.save(tx, [flag, lost]))
    asked = Asked(NOON - timedelta(days=1), UNTIL, "production", desk.routing(), {})
    past, _ = await desk.db.read(lambda tx: gathered(tx, desk, asked))
    assert past.notes == (
        "whatever was before 2026-11-22, when Tocsin first heard of a change",
        "1 changes of configuration, flags, infrastructure and the like, which are no deployments",
        "1 deployments that did not get through: nothing new ran",
        "1 incidents that other changes than deployments caused",
    )


async def test_pushes_of_what_was_deployed_are_found_and_no_others(desk: Desk) -> None:
    sha = shipped("v2", 1).commit
    mine = shipped("", 0.5, id="push", kind=ChangeKind.COMMIT, commit=sha)
    other = shipped("", 0.5, id="other", kind=ChangeKind.COMMIT, commit="f" * 40)
    build = shipped("", 0.6, id="build", kind=ChangeKind.BUILD, commit=sha)
    await kept(desk)
    await desk.db.write(lambda tx: desk.changes.save(tx, [mine, other, build]))
    asked = Asked(NOON, UNTIL, "production", desk.routing(), {})
    past, pushes = await desk.db.read(lambda tx: gathered(tx, desk, asked))
    assert [push.id for push in pushes] == ["push"]
    assert [d.version for d in past.deployments] == ["v1", "v2"]
    assert await commit_times(past.deployments, pushes, [], Catalogue({}), NOON, 1) == {past.deployments[1]: (mine.at,)}


async def test_pages_are_those_that_reached_somebody_and_deeds_are_those_of_people(desk: Desk) -> None:
    """12:30 UTC is 21:30 in Tokyo, 13:30 is 22:30; who is known by no zone is where the bot's digests are."""

    def go(tx: Transaction) -> None:
        for key, hours, how, target, state, detail in (
            ("a", 0.5, "rota", "backend", "done", "called"),
            ("b", 1.5, "rota", "backend", "done", "called"),
            ("c", 2.0, "person", "U0ONCALL", "done", "called"),
            ("d", 2.0, "pagerduty", "web", "done", NOT_NEEDED),
            ("e", 2.0, "channel", "#ops", "done", "told"),
            ("f", 2.0, "quiet", "#ops", "done", "2026"),
            ("g", 2.0, "opsgenie", "web", "failed", "no"),
        ):
            desk.reach.put(tx, Reached(key, f"i{key}", NOON + hours * HOUR, how, target, state, "", detail))
        desk.ledger.append(tx, NOON + 0.6 * HOUR, "U1", "acknowledged", "ia", {})
        desk.actions.add(tx, replace(AN_ACTION, incident_id="ib"))
        desk.incidents.save(tx, an_incident(id="ic", number=3, version=0, opened_at=NOON + 1 * HOUR, **ENDED))
        desk.incidents.save(tx, an_incident(id="ia", number=4, version=0, opened_at=NOON + 0.5 * HOUR))

    await desk.db.write(go)
    found = (await read(desk)).on_call
    assert [(w.name, w.days, w.pages, w.night) for w in found.watches] == [("U0ONCALL", 1, 1, 0), ("rota:backend", 7, 2, 1)]
    assert (found.acted, found.more) == (2, 1)  # nobody did anything about ic: its alerts cleared
    assert (found.acknowledge.count, found.unacknowledged) == (1, 1)


AN_ACTION = Action(
    "a1", ActionKind.ROLLBACK, "payments", "production", "v1", ActionStatus.APPROVED, "U1", NOON + 2 * HOUR, NOON + 2 * HOUR,
    decisions=(Decision("U2", True, NOON + 2.1 * HOUR),),
)  # fmt: skip
ENDED = {"resolved_at": NOON + 3 * HOUR, "resolved_by": "alerts cleared", "status": Status.RESOLVED}


class Repository:
    """A ports.ChangeSource that knows some commits; `slow` names those that it never answers about."""

    def __init__(self, between: dict[tuple[str, str], tuple[Commit, ...]], heads: dict[str, Commit], slow: str = "") -> None:
        self._between, self._heads, self._slow = between, heads, slow
        self.asked = 0

    async def commit(self, repository: str, sha: str) -> Commit | None:
        if not repository:
            raise Unavailable("no")
        return self._heads.get(sha)

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        self.asked += 1
        if head == self._slow:
            await asyncio.sleep(60)
        return self._between.get((base, head), ())


def a_commit(sha: str, hours: float, *files: str) -> Commit:
    return Commit(sha, "ines", NOON + hours * HOUR, "m", files)


async def test_commits_between_two_versions_are_asked_for_and_else_the_head_alone() -> None:
    changes = [shipped(f"v{n}", n) for n in range(1, 6)]
    v1, v2, v3, v4, v5 = made_of(*changes)
    mine, other = a_commit("m", 0.5, "payments/a.py"), a_commit("o", 0.7, "cart/b.py")
    source = Repository({(v1.commit, v2.commit): (mine, other)}, {v3.commit: a_commit("h", 2.5)}, slow=v5.commit)
    pushed = shipped("", 3.75, id="push", kind=ChangeKind.COMMIT, commit=v4.commit)
    catalogue = Catalogue({"payments": Service("payments", repository="demo/shop", paths=("payments",))})
    found = await commit_times((v1, v2, v3, v4, v5), [pushed], [source], catalogue, NOON + 1.5 * HOUR, 0.2)
    assert found == {v2: (mine.at,), v3: (NOON + 2.5 * HOUR,), v4: (NOON + 3.75 * HOUR,)}


async def test_a_repository_that_fails_and_none_at_all_leave_deployments_out() -> None:
    class Broken(Repository):
        async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
            raise Unavailable("down")

    v1, v2 = made_of(shipped("v1", 1), shipped("v2", 2))
    for sources in ([Broken({}, {})], []):
        assert await commit_times((v1, v2), [], sources, Catalogue({}), NOON, 0.2) == {}


async def test_at_most_sixty_deployments_are_asked_about_and_only_new_ones() -> None:
    every = tuple(replace(made_of(shipped("v1", 1))[0], at=NOON + n * HOUR, before="b") for n in range(70))
    source = Repository({}, {})
    await commit_times((*every, replace(every[0], kind=Kind.BACK)), [], [source], Catalogue({}), NOON, 5)
    assert source.asked == 60
