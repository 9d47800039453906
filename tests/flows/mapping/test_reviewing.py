"""A proposal is looked at once per state of its commits and gets one comment, in which nothing from outside is markup."""

import json
from dataclasses import replace

from bot.domain.change import Commit
from bot.domain.document import Document, DocumentKind
from bot.domain.service import Catalogue, Service
from bot.errors import NotAllowed
from bot.flows.desk import Desk
from bot.flows.mapping.impacting import impact_of
from bot.flows.mapping.reviewing import comment_impact, on_proposed, text
from bot.intake.inbox import Drain
from bot.knowledge.library import Library
from bot.ports import Delivery, Proposed
from bot.storage.database import SqlDatabase
from bot.wiring import told
from connectors.github import CONNECTOR, GitHubWebhook
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock, InMemoryWork

SHOP = Catalogue(
    {
        "payments": Service("payments", repository="acme/shop", paths=("payments",)),
        "web": Service("web", tier=1, depends_on=("payments",)),
    }
)
DIFF = """diff --git a/payments/client.yaml b/payments/client.yaml
--- a/payments/client.yaml
+++ b/payments/client.yaml
@@ -1 +1 @@
-max_retries: 2
+max_retries: 8
"""
COMMIT = Commit("c" * 40, "ann", NOON, "More patience", ("payments/client.yaml",), DIFF)
PROPOSED = Proposed("why", "github", "acme/shop", 7, "b" * 40, "c" * 40)
PAST = Document(
    "incident:INC-42", DocumentKind.INCIDENT, "Slow", "", services=("payments",), facts={"cause": "max_retries was raised"}
)
SECRET = replace(PAST, id="incident:INC-43", channels=("#board",))


class FakeReviews:
    """Keeps what is said where."""

    def __init__(self, error: Exception | None = None) -> None:
        self.said: list[tuple[str, int, str, str]] = []
        self._error = error

    async def remark(self, repository: str, number: int, text: str, topic: str) -> None:
        if self._error:
            raise self._error
        self.said.append((repository, number, text, topic))


class FakeCommits:
    """Has one range."""

    async def commit(self, repository: str, sha: str) -> Commit | None:
        return None

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        return (COMMIT,) if (repository, base, head) == ("acme/shop", "b" * 40, "c" * 40) else ()


async def a_ready_desk(database: SqlDatabase, clock: FakeClock, reviews: FakeReviews) -> Desk:
    library = Library([lambda: [PAST, SECRET]], None)
    await library.sync()
    return a_desk(database, clock, catalogue=SHOP, reviews={"github": reviews}, change_sources=(FakeCommits(),), library=library)


async def test_a_proposal_gets_one_comment_that_names_only_what_everybody_may_see(
    database: SqlDatabase, clock: FakeClock
) -> None:
    reviews = FakeReviews()
    desk = await a_ready_desk(database, clock, reviews)
    elsewhere = replace(PROPOSED, connector="gitlab")
    for batch in ([PROPOSED, elsewhere], [PROPOSED]):
        database.write_now(lambda tx, batch=batch: on_proposed(tx, batch, desk))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    assert isinstance(desk.work, InMemoryWork)
    await desk.work.run_all({"comment_impact": lambda args: comment_impact(args, desk)})
    ((repository, number, said, topic),) = reviews.said
    assert (repository, number, topic) == ("acme/shop", 7, "impact")
    assert said.startswith("**Impact**: same knob as INC-42; 1 service within two hops, 1 of tier 1; no runbook for payments ")
    assert "- 1 hop away: web \\(tier 1\\)" in said
    assert "INC-43" not in said


async def test_commits_that_nobody_has_and_a_forge_that_refuses_end_quietly(database: SqlDatabase, clock: FakeClock) -> None:
    reviews = FakeReviews(NotAllowed("The token may do too little."))
    desk = await a_ready_desk(database, clock, reviews)
    args = {"connector": "github", "repository": "acme/shop", "number": 7, "base": "b" * 40, "head": "c" * 40}
    await comment_impact(args, desk)
    await comment_impact({**args, "head": "d" * 40}, desk)
    assert reviews.said == []


def test_nothing_from_outside_is_markup_or_calls_anybody() -> None:
    rude = replace(
        PAST,
        title="@everyone [click](http://evil.example) <img src=x> `x` &commat;all \u202e www.evil.example AKIA3QZ7X2LMNB5TR4WD",
    )
    said = text(impact_of("acme/shop", "a..b", [COMMIT], SHOP, [rude]))
    assert "@everyone" not in said
    assert "](http" not in said
    assert "<img" not in said
    assert "://" not in said
    assert "&commat;" not in said
    assert "www.evil" not in said
    assert "\u202e" not in said
    assert "AKIA3QZ7X2LMNB5TR4WD" not in said


async def test_what_the_inbox_holds_of_a_pull_request_leads_there(database: SqlDatabase, clock: FakeClock) -> None:
    pull = {"number": 7, "state": "open", "base": {"sha": "b" * 40}, "head": {"sha": "c" * 40}}
    body = {"action": "opened", "pull_request": pull, "repository": {"full_name": "acme/shop"}}
    delivery = Delivery("github", {"x-github-event": "pull_request"}, json.dumps(body).encode(), NOON, {})
    desk = await a_ready_desk(database, clock, FakeReviews())
    database.keep_now(lambda tx: desk.inbox.add(tx, [(delivery, "d1")]))
    drain = Drain(desk, {"github": replace(CONNECTOR, webhook=GitHubWebhook(impact=True))}, told())
    assert await drain.once() == 1
    assert isinstance(desk.work, InMemoryWork)
    (started,) = desk.work.named("comment_impact")
    assert started.args["head"] == "c" * 40
    (parcel,) = database.read_now(lambda tx: desk.inbox.recent(tx, state=None, limit=5))
    assert parcel.outcome == "ignored: pull_request: acme/shop#7 opened, whose impact is told there"
