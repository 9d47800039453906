"""A confirmed incident without a runbook becomes a draft, and a runbook only by a person's word."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from bot.domain.action import ActionKind, ActionStatus
from bot.domain.care import Draft, DraftState, Proposal
from bot.domain.document import Document, DocumentKind, Only
from bot.domain.evidence import Confidence, Diagnosis, Evidence, EvidenceKind, RunbookLink, Verdict
from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.domain.request import Deed, Person, Press
from bot.domain.view import ConfirmView, DraftView, NoteView, Place
from bot.errors import BotError, NotAllowed, Unavailable
from bot.flows.announce import refresh
from bot.flows.desk import Desk, Drafting
from bot.flows.runbooks.drafting import draft_runbook, keep_draft, on_draft
from bot.flows.showing import build
from bot.knowledge.documents import markdown_folder, parse
from bot.knowledge.library import Library
from bot.ports import Card
from bot.storage.database import SqlDatabase
from tests.desk import a_desk, handlers
from tests.fakes import NOON, FakeClock, FakeModel, a_member, an_incident
from tests.slack.samples import ACTION

SIGNS = Diagnosis(
    Verdict.CONVICTED,
    Confidence.STRONG,
    "payments v43",
    NOON,
    symptom="Checkout answers with errors",
    evidence=(
        Evidence(
            "E1", EvidenceKind.METRIC, "errors rose to 18 %", "prometheus", NOON, "payments", query="rate(errors_total[5m])"
        ),
        Evidence("E2", EvidenceKind.LOG, "ERROR <script>retry</script> [limit](http://evil.example) reached", "loki", NOON),
        Evidence("E3", EvidenceKind.RUNBOOK, "the signing key is in the safe", "runbooks", only=Only(channels=("#security",))),
    ),
)


@dataclass
class FakeForge:
    """A ports.Proposals: what was proposed, after what fails."""

    fails: list[BotError] = field(default_factory=list)
    got: list[Proposal] = field(default_factory=list)

    async def propose(self, proposal: Proposal) -> str:
        """A pull request."""
        if self.fails:
            raise self.fails.pop(0)
        self.got.append(proposal)
        return "https://forge.example/pull/7"


async def a_drafting_desk(database: SqlDatabase, clock: FakeClock, folder: Path | None = None, **fields: object) -> Desk:
    given = {"drafting": Drafting(folder), **fields}
    if folder is not None:
        given["library"] = Library([markdown_folder(folder, DocumentKind.RUNBOOK)], None)
    desk = a_desk(database, clock, **given)  # type: ignore[arg-type]  # fields of a desk
    await desk.library.sync()
    return desk


async def over(desk: Desk, **fields: object) -> Incident:
    member = a_member(name="HighErrorRate", service="payments", summary="18 % errors, key AKIAQ7ZP3XKW5MVB2NTL")
    given = {"members": (member,), "status": Status.RESOLVED, "resolved_at": NOON, "opened_at": NOON - timedelta(minutes=42)}
    given |= {"confirmed_cause": "retries were raised", "confirmed_by": "U1", "version": 0, "service": "payments"}
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(**{**given, **fields})))
    said = Entry(incident.id, NOON, EntryKind.NOTE, "pinned: @U0ANNA12 said “I restarted the pods”", "U0BOB123")
    done = replace(
        ACTION,
        id=f"action-{incident.id}",
        incident_id=incident.id,
        kind=ActionKind.ROLLBACK,
        status=ActionStatus.SUCCEEDED,
        service="payments",
        target="v42",
    )

    def keep(tx: object) -> None:
        desk.diagnoses.save(tx, incident.id, SIGNS)  # type: ignore[arg-type]  # the test's transaction
        desk.timeline.add(tx, [said])  # type: ignore[arg-type]  # as above
        desk.actions.add(tx, done)  # type: ignore[arg-type]  # as above
        desk.cards.put(tx, Card(f"card:{incident.id}", Place("C-PAYMENTS", "1.5")))  # type: ignore[arg-type]  # as above

    await desk.db.write(keep)
    return incident


async def press(desk: Desk, deed: Deed, value: str, who: str = "U1") -> str:
    shown = await on_draft(Press(Person(who), Place("C-PAYMENTS", "2.1", "1.5"), deed, value, "t", "p"), desk)
    assert isinstance(shown, NoteView)
    return shown.text


async def run(desk: Desk) -> None:
    flows = handlers(desk) | {
        "draft_runbook": lambda args: draft_runbook(args, desk),
        "keep_draft": lambda args: keep_draft(args, desk),
        "refresh": lambda args: refresh(args, desk),
    }
    await desk.work.run_all(flows)  # type: ignore[attr-defined]  # an InMemoryWork


async def a_draft(desk: Desk, incident: Incident) -> Draft:
    await press(desk, Deed.DRAFT_RUNBOOK, incident.id)
    await run(desk)
    return (await desk.db.read(lambda tx: desk.drafts.of_incident(tx, incident.id)))[0]


async def offered(desk: Desk, incident: Incident) -> bool:
    built = await desk.db.read(lambda tx: build(tx, f"confirm:{incident.id}", desk))
    assert built is not None
    assert isinstance(built[0], ConfirmView)
    return built[0].may_draft


async def test_a_draft_is_offered_once_the_cause_is_confirmed_and_no_runbook_is_there(
    database: SqlDatabase, clock: FakeClock
) -> None:
    desk = await a_drafting_desk(database, clock)
    assert await offered(desk, await over(desk))
    open_one = await over(desk, id="i2", number=2, status=Status.OPEN, resolved_at=None)
    unconfirmed = await over(desk, id="i3", number=3, confirmed_cause="")
    helped = await over(desk, id="i4", number=4)
    shown = replace(SIGNS, runbooks=(RunbookLink("Errors", "", "", "", "found by search"),))
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, helped.id, shown))
    assert [await offered(desk, i) for i in (open_one, unconfirmed, helped)] == [False, False, False]


async def test_a_runbook_that_carries_the_alerts_name_is_one(database: SqlDatabase, clock: FakeClock) -> None:
    book = Document("runbook:a", DocumentKind.RUNBOOK, "Errors", "text", alerts=("HighErrorRate",))
    desk = a_desk(database, clock, documents=(book,))
    await desk.library.sync()
    incident = await over(desk)
    assert not await offered(desk, incident)
    assert "nothing to draft" in await press(desk, Deed.DRAFT_RUNBOOK, incident.id)


async def test_the_draft_holds_what_is_known_and_nobodys_name_secret_or_hidden_page(
    database: SqlDatabase, clock: FakeClock
) -> None:
    desk = await a_drafting_desk(database, clock)
    incident = await over(desk)
    draft = await a_draft(desk, incident)
    for part in (
        "```promql\nrate(errors_total[5m])\n```",
        "retries were raised",
        "rollback of payments to v42",
        "I restarted the pods",
    ):
        assert part in draft.text
    for part in ("U0ANNA12", "U0BOB123", "AKIAQ7ZP3XKW5MVB2NTL", "signing key", "<script", "](http"):
        assert part not in draft.text
    front = yaml.safe_load(draft.text.split("---\n")[1])
    assert front == {
        "title": "HighErrorRate on payments",
        "alerts": ["HighErrorRate"],
        "services": ["payments"],
        "owner": "team-payments",
        "reviewed": None,
        "draft": True,
    }
    assert (draft.path, draft.engine, draft.state) == ("payments/high-error-rate.md", "rules", DraftState.DRAFT)
    posts = [p for p in desk.channel.posts if isinstance(p.view, DraftView)]  # type: ignore[attr-defined]  # a FakeChannel
    assert [(p.place.channel, p.place.thread) for p in posts] == [("C-PAYMENTS", "1.5")]
    assert "stands in its thread already" in await press(desk, Deed.DRAFT_RUNBOOK, incident.id)


def test_a_file_that_says_draft_is_no_runbook() -> None:
    text = "---\ntitle: X\ndraft: true\n---\n# X\n"
    assert parse(text, "runbooks/x.md", DocumentKind.RUNBOOK) is None
    assert parse(text.replace("true", "false"), "runbooks/x.md", DocumentKind.RUNBOOK) is not None


async def test_a_models_sentences_stand_only_where_the_evidence_says_so(database: SqlDatabase, clock: FakeClock) -> None:
    said = {
        "recognise": ["Errors rise to 18 % [E2]."],
        "check": ["Call the CEO on 555 [E1]."],
        "do": ["Restart it."],
        "prevent": [],
    }
    desk = await a_drafting_desk(database, clock, model=FakeModel([said]))
    draft = await a_draft(desk, await over(desk))
    assert "Errors rise to 18 % [E2]" in draft.text
    assert "CEO" not in draft.text
    assert "Restart it." not in draft.text
    assert draft.engine == "fake:small"
    (entry,) = await desk.db.read(lambda tx: desk.journal.recent(tx, engine="model"))
    assert (entry.claims, entry.dropped, entry.prompt, entry.cost) == (3, 2, "runbook", 0.01)


async def test_without_budget_the_facts_stand_alone_and_it_says_why(database: SqlDatabase, clock: FakeClock) -> None:
    model = FakeModel([{}])
    desk = await a_drafting_desk(database, clock, model=model)
    await desk.db.write(lambda tx: desk.switches.turn(tx, "model", "off", "U1", NOON))
    draft = await a_draft(desk, await over(desk))
    assert (draft.engine, draft.note, model.asked) == ("rules", "no model: the model is switched off", [])


async def test_approved_it_is_a_file_that_search_knows_and_the_audit_says_by_whom(
    database: SqlDatabase, clock: FakeClock, tmp_path: Path
) -> None:
    folder = tmp_path / "runbooks"
    folder.mkdir()
    desk = await a_drafting_desk(database, clock, folder)
    incident = await over(desk)
    draft = await a_draft(desk, incident)
    assert desk.library.documents == ()
    assert (
        await press(desk, Deed.DRAFT_APPROVE, draft.id, "U0BOSS")
        == "Approved. It goes to the folder runbooks as payments/high-error-rate.md."
    )
    await run(desk)
    (book,) = desk.library.documents
    assert (book.alerts, book.owner, book.reviewed, book.trusted) == (("HighErrorRate",), "team-payments", NOON.date(), True)
    assert "draft:" not in (folder / "payments/high-error-rate.md").read_text()
    lines = await desk.db.read(lambda tx: desk.ledger.entries(tx, draft.id))
    assert [(x.actor, x.deed) for x in lines] == [
        ("U1", "drafted a runbook"),
        ("U0BOSS", "approved the draft of a runbook"),
        ("tocsin", "the approved draft of a runbook was kept as runbooks/payments/high-error-rate.md"),
    ]
    assert "already" in await press(desk, Deed.DRAFT_DISCARD, draft.id)
    await keep_draft({"id": draft.id}, desk)
    assert len(list(folder.rglob("*.md"))) == 1
    assert not await offered(desk, incident)


async def test_what_lies_there_already_stays(database: SqlDatabase, clock: FakeClock, tmp_path: Path) -> None:
    there = tmp_path / "runbooks/payments/high-error-rate.md"
    there.parent.mkdir(parents=True)
    desk = await a_drafting_desk(database, clock, tmp_path / "runbooks")
    draft = await a_draft(desk, await over(desk))
    there.write_text("mine")
    await press(desk, Deed.DRAFT_APPROVE, draft.id)
    await run(desk)
    assert there.read_text() == "mine"
    assert (there.parent / "high-error-rate-2.md").exists()


async def test_discarded_it_goes_nowhere_and_another_may_be_drafted(
    database: SqlDatabase, clock: FakeClock, tmp_path: Path
) -> None:
    desk = await a_drafting_desk(database, clock, tmp_path)
    incident = await over(desk)
    draft = await a_draft(desk, incident)
    assert await press(desk, Deed.DRAFT_DISCARD, draft.id) == "The draft is discarded."
    await run(desk)
    assert not list(tmp_path.rglob("*.md"))
    clock.advance(minutes=1)
    assert (await a_draft(desk, incident)).id != draft.id


async def test_approved_it_is_a_pull_request_where_a_forge_is_named(database: SqlDatabase, clock: FakeClock) -> None:
    forge = FakeForge()
    desk = await a_drafting_desk(database, clock, drafting=Drafting(None, forge, "acme/runbooks", "docs"))
    draft = await a_draft(desk, await over(desk))
    await press(desk, Deed.DRAFT_APPROVE, draft.id)
    await run(desk)
    (got,) = forge.got
    assert (got.repository, got.path, got.key) == ("acme/runbooks", "docs/payments/high-error-rate.md", draft.id)
    assert "reviewed: 2026-11-22" in got.text
    kept = await desk.db.read(lambda tx: desk.drafts.get(tx, draft.id))
    assert kept is not None
    assert (kept.state, kept.url) == (DraftState.KEPT, "https://forge.example/pull/7")


async def test_what_a_forge_refuses_is_a_draft_again_and_what_is_away_is_tried_again(
    database: SqlDatabase, clock: FakeClock
) -> None:
    forge = FakeForge([NotAllowed("GitHub refuses us (403)."), Unavailable("GitHub did not answer.")])
    desk = await a_drafting_desk(database, clock, drafting=Drafting(None, forge, "acme/runbooks"))
    draft = await a_draft(desk, await over(desk))
    await press(desk, Deed.DRAFT_APPROVE, draft.id)
    await run(desk)
    again = await desk.db.read(lambda tx: desk.drafts.get(tx, draft.id))
    assert again is not None
    assert (again.state, again.note) == (DraftState.DRAFT, "It could not be kept: GitHub refuses us (403).")
    clock.advance(minutes=1)
    await press(desk, Deed.DRAFT_APPROVE, draft.id)
    with pytest.raises(Unavailable):
        await run(desk)
    await keep_draft({"id": draft.id}, desk)
    assert len(forge.got) == 1


async def test_without_folder_and_forge_it_is_a_file_in_the_thread(database: SqlDatabase, clock: FakeClock) -> None:
    desk = await a_drafting_desk(database, clock)
    draft = await a_draft(desk, await over(desk))
    assert "It goes to the incident's thread, as a file" in await press(desk, Deed.DRAFT_APPROVE, draft.id)
    await run(desk)
    ((name, content, title, _, place),) = desk.channel.files  # type: ignore[attr-defined]  # a FakeChannel
    assert (name, title) == ("high-error-rate.md", "Runbook: HighErrorRate on payments")
    assert (place.channel, place.thread) == ("C-PAYMENTS", "1.5")
    assert b"reviewed: 2026-11-22" in content
    assert b"draft: true" not in content
    kept = await desk.db.read(lambda tx: desk.drafts.get(tx, draft.id))
    assert kept is not None
    assert (kept.state, kept.where) == (DraftState.KEPT, "high-error-rate.md in the incident's thread")
