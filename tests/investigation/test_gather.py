"""Gathering: in parallel, under a deadline, and a source that fails is a value."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.domain.alert import Severity
from bot.domain.change import ChangeKind, Commit
from bot.domain.document import Document, DocumentKind, Found, Inquiry, Tier
from bot.domain.incident import Incident, Status
from bot.domain.service import Catalogue, Service
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.investigation.case import Case
from bot.investigation.diagnose import diagnose
from bot.investigation.gather import gather
from bot.ports import ChangeSource, EvidenceSource
from tests.investigation.cases import START, alert, at, edit, shipped

CATALOGUE = Catalogue(
    {
        "web": Service("web", depends_on=("orders",), repository="acme/books", paths=("services/web",)),
        "orders": Service("orders", depends_on=("billing",), repository="acme/books", paths=("services/orders", "lib")),
        "billing": Service("billing", depends_on=("cardco",), repository="acme/books", paths=("services/billing",)),
        "cardco": Service("cardco", external=True),
    }
)
INCIDENT = Incident("i", 1, "orders", "orders", "production", Severity.SEV2, Status.OPEN, at(22), at(22))


@dataclass
class Numbers:
    """Answers each question with one series of as many points as the window has minutes."""

    name: str = "numbers"
    asked: list[tuple[tuple[str, ...], Window]] = field(default_factory=list)

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        self.asked.append((tuple(services), window))
        count = int((window.end - window.start).total_seconds() // 60) + 1
        points = tuple((window.start + timedelta(minutes=n), 1.0) for n in range(count))
        return (Readings("numbers", "q", window, SourceStatus.OK, series=(Series("orders", "error_ratio", points),)),)


class Slow:
    name = "slowpoke"

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        await asyncio.sleep(60)
        return ()


class Broken:
    name = "broken"

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        raise RuntimeError("boom")


@dataclass
class Commits:
    known: dict[str, Commit]
    chain: tuple[str, ...] = ()

    async def commit(self, repository: str, sha: str) -> Commit | None:
        return self.known.get(sha)

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        if base not in self.chain or head not in self.chain:
            return ()
        return tuple(self.known[s] for s in reversed(self.chain[self.chain.index(base) + 1 : self.chain.index(head) + 1]))


@dataclass(frozen=True)
class Hits:
    found: tuple[Found, ...]


class Shelf:
    async def find(self, inquiry: Inquiry, kind: DocumentKind, limit: int = 3) -> Hits:
        document = Document(f"{kind}-1", kind, f"about {inquiry.name}", "text", facts={"cause": "retries", "confirmed_by": "ada"})
        return Hits((Found(document, "Steps", "steps", "do this", Tier.SEARCH, 0.8),))


async def look(
    sources: Sequence[EvidenceSource] = (),
    changes: Sequence = (),
    commits: Sequence[ChangeSource] = (),
    deadline: float = 0.3,  # type: ignore[type-arg]  # changes
    library: Shelf | None = None,
) -> Case:
    now = at(60)
    return await gather(
        incident=INCIDENT, alerts=[alert("orders", 22)], changes=changes, catalogue=CATALOGUE, sources=sources,
        change_sources=commits, library=library or Shelf(), window=Window(now - timedelta(hours=2), now), now=now,
        deadline=timedelta(seconds=deadline),
    )  # fmt: skip


async def test_the_services_asked_are_those_that_alert_and_what_they_depend_on() -> None:
    numbers = Numbers()
    await look([numbers])
    assert {services for services, _ in numbers.asked} == {("orders", "billing")}


async def test_the_recent_past_is_read_finely_and_stitched_to_the_rest() -> None:
    numbers = Numbers()
    case = await look([numbers])
    near, far = sorted((w for _, w in numbers.asked), key=lambda w: w.start, reverse=True)
    assert near.start == far.end == at(22) - timedelta(minutes=10)
    (only,) = case.series
    times = [t for t, _ in only.points]
    assert times == sorted(set(times))
    assert times[0] == far.start


async def test_a_slow_and_a_broken_source_become_evidence_and_a_missing_entry() -> None:
    case = await look([Slow(), Broken(), Numbers()], deadline=0.1)
    failed = {r.source: r.reason for r in case.failed_readings}
    assert failed["slowpoke"] == "did not answer within 0.1 s"
    assert "boom" in failed["broken"]
    found = diagnose(case)
    assert any(e.kind.value == "source" and "slowpoke did not answer" in e.text for e in found.evidence)
    assert any(m.startswith("slowpoke") for m in found.missing)


async def test_a_deployment_brings_the_commits_since_the_version_before_it_that_touch_its_service() -> None:
    before, first = shipped("a1", "billing", -900, edit("services/billing/a.py", "x = 1", "x = 2"), version="v1")
    deploy, last = shipped("a4", "billing", 10, edit("services/billing/a.py", "x = 2", "x = 3"), version="v2")
    mine = shipped("a2", "billing", -500, edit("services/billing/b.py", "y = 1", "y = 2"))[1]
    other = shipped("a3", "web", -400, edit("services/web/c.py", "z = 1", "z = 2"))[1]
    source = Commits({c.sha: c for c in (first, mine, other, last)}, (first.sha, mine.sha, other.sha, last.sha))
    case = await look(changes=[before, deploy], commits=[source])
    assert case.carries[deploy.id] == (last.sha, mine.sha)
    assert case.carries[before.id] == (first.sha,)


async def test_a_push_without_a_diff_is_kept_with_its_files() -> None:
    change = replace(shipped("b1", "web", 5, "")[0], kind=ChangeKind.COMMIT, files=("docs/a.md",), services=())
    case = await look(changes=[change])
    assert case.commits[change.commit].files == ("docs/a.md",)
    assert [c.ruled_out for c in diagnose(case).ruled_out] == ["documentation only"]


async def test_changes_of_another_environment_are_left_out() -> None:
    change = replace(shipped("c1", "billing", 5, "")[0], environment="staging")
    assert (await look(changes=[change])).changes == ()


class NoShelf(Shelf):
    async def find(self, inquiry: Inquiry, kind: DocumentKind, limit: int = 3) -> Hits:
        await asyncio.sleep(60)
        return await super().find(inquiry, kind, limit)


async def test_a_search_that_does_not_answer_is_no_search_without_a_find() -> None:
    found = diagnose(await look(library=NoShelf(), deadline=0.01))
    assert (found.runbooks, found.past, found.searched) == ((), (), False)
    assert diagnose(await look()).searched


async def test_runbooks_and_past_incidents_are_linked_and_cited() -> None:
    found = diagnose(await look())
    assert found.runbooks[0].title == "about HighErrorRatio"
    assert found.past[0].cause == "retries"
    assert found.past[0].confirmed
    assert found.cited(found.runbooks[0].evidence)
    assert found.cited(found.past[0].evidence)
    assert found.at > START
