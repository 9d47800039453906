"""An incident is knowledge while it is over and its cause is confirmed; the card tells what is alike and why."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from bot.domain.action import ActionKind, ActionStatus
from bot.domain.document import Document, DocumentKind, Inquiry
from bot.domain.evidence import Candidate, Confidence, Diagnosis, Evidence, EvidenceKind, Verdict
from bot.domain.incident import Incident, Status, merged
from bot.domain.past import PastIncident
from bot.domain.service import Catalogue, Service
from bot.flows.announce import announce
from bot.flows.desk import Desk
from bot.flows.runbooks.knowing import Reader
from bot.flows.runbooks.past import is_knowledge, past_of
from bot.flows.runbooks.recurring import recurring_lines
from bot.incidents.recurring import families
from bot.storage.database import SqlDatabase
from bot.wiring import Stores, confirmed_incidents
from tests.desk import SHOP, a_desk, handlers
from tests.fakes import NOON, FakeClock, a_change, a_member, an_incident
from tests.slack.samples import ACTION

CAUSE = Candidate("github:1", "payments", "raise retries", version="v43", commit="3f2c1a9" + "0" * 33)
DIAGNOSIS = Diagnosis(
    Verdict.CONVICTED,
    Confidence.STRONG,
    "payments v43",
    NOON,
    symptom="Checkout answers with errors",
    cause=CAUSE,
    evidence=(Evidence("E1", EvidenceKind.LOG, "ERROR retry limit reached (0 before, 40 during)", "loki"),),
)


@pytest.fixture
async def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    stores = Stores()

    def source() -> list[Document]:
        return database.read_now(partial(confirmed_incidents, stores=stores, catalogue=lambda: SHOP))

    desk = a_desk(database, clock)
    desk.library._sources = (source,)  # its database is there before it
    await desk.library.sync()
    return desk


async def over(desk: Desk, **fields: object) -> Incident:
    members = (a_member(name="HighErrorRate", service="payments", summary="18 % errors"),)
    given = {"members": members, "status": Status.RESOLVED, "resolved_at": NOON, "opened_at": NOON - timedelta(minutes=42)}
    given |= {"confirmed_cause": "retries were raised", "confirmed_by": "U1", "version": 0, "service": "payments"}
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(**{**given, **fields})))
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, DIAGNOSIS))
    await desk.db.write(lambda tx: desk.changes.save(tx, [a_change(id="github:1", services=("payments",))]))
    return incident


async def changed(desk: Desk, incident: Incident) -> Incident:
    saved = await desk.db.write(lambda tx: desk.incidents.save(tx, incident))
    await desk.db.write(lambda tx: announce(tx, saved, desk))
    await desk.work.run_all(handlers(desk))  # type: ignore[attr-defined]  # an InMemoryWork
    kept = await desk.db.read(lambda tx: desk.incidents.get(tx, saved.id))
    assert kept is not None
    return kept


def known(desk: Desk) -> list[str]:
    return [d.name for d in desk.library.documents if d.kind is DocumentKind.INCIDENT]


async def test_the_document_holds_symptoms_cause_change_fix_and_how_long_it_took(desk: Desk) -> None:
    incident = await changed(desk, await over(desk))
    (document,) = desk.library.documents
    for part in ("18 % errors", "Checkout answers with errors", "retry limit reached", "retries were raised", "payments v43"):
        assert part in document.text
    facts = document.facts
    assert (facts["took"], facts["severity"], facts["confirmed_by"]) == ("42 min", incident.severity.value, "U1")
    assert (facts["neighbours"], facts["change_kind"]) == ("acmepay, checkout", "deploy")


async def test_what_lay_around_it_stays_as_it_was_when_the_catalogue_changes(desk: Desk, database: SqlDatabase) -> None:
    await changed(desk, await over(desk))
    later = Catalogue({"payments": Service("payments", depends_on=("elsewhere",))})
    (document,) = database.read_now(partial(confirmed_incidents, stores=Stores(), catalogue=lambda: later))
    assert document.facts["neighbours"] == "acmepay, checkout"


async def test_reopened_or_merged_it_is_no_knowledge_and_resolved_again_it_is(desk: Desk) -> None:
    incident = await changed(desk, await over(desk))
    assert known(desk) == [incident.key]
    incident = await changed(desk, incident.move(Status.OPEN, NOON))
    assert known(desk) == []
    incident = await changed(desk, incident.move(Status.RESOLVED, NOON, "U1"))
    incident = await changed(desk, replace(incident, confirmed_cause="the provider was down"))
    assert [d.facts["cause"] for d in desk.library.documents] == ["the provider was down"]
    await changed(desk, merged(incident, an_incident(number=99), NOON))
    assert known(desk) == []
    await desk.library.sync()
    assert known(desk) == []


async def test_the_bots_own_rollback_is_what_fixed_it_and_a_persons_id_is_not() -> None:
    done = replace(ACTION, kind=ActionKind.ROLLBACK, status=ActionStatus.SUCCEEDED, service="payments", target="v42")
    assert past_of(an_incident(), None, [done]).fix == "rolling back payments to v42"
    assert past_of(an_incident(resolved_by="U0ONCALL"), None, []).fix == ""
    assert past_of(an_incident(resolved_by="alerts cleared"), None, []).fix == ""
    assert not is_knowledge(an_incident(confirmed_cause="x"))


async def test_a_new_incident_finds_the_old_one_and_says_why_but_never_itself_nor_what_ran_beside_it(
    desk: Desk, clock: FakeClock
) -> None:
    clock.advance(hours=4)
    old = await over(desk)
    beside = await over(desk, id="i-b", number=7, opened_at=NOON + timedelta(hours=1), resolved_at=NOON + timedelta(hours=3))
    mine = an_incident(
        id="i-m", number=8, opened_at=NOON + timedelta(hours=2), members=old.members, service="payments", version=0
    )
    mine = await desk.db.write(lambda tx: desk.incidents.save(tx, mine))
    await desk.library.sync()
    assert set(known(desk)) == {old.key, beside.key}
    asked = Inquiry("HighErrorRate", "errors, retry limit reached", ("payments",))
    (found,) = (await Reader(desk, mine).find(asked, DocumentKind.INCIDENT)).found
    assert found.document.name == old.key
    assert found.likeness == "same as"
    assert found.why[:2] == ("HighErrorRate fired then too", "payments was hit then too")


async def test_an_imported_incident_is_found_too_and_says_where_it_is_from(desk: Desk) -> None:
    past = PastIncident(
        "PT1", "Payments errors", "pagerduty", NOON, services=("payments",), alerts=("HighErrorRate",), fix="a restart"
    )
    await desk.db.write(lambda tx: desk.past.keep(tx, [past], NOON))
    await desk.library.sync()
    asked = Inquiry("HighErrorRate", "payments answers with errors", ("payments",))
    (found,) = (await Reader(desk).find(asked, DocumentKind.INCIDENT)).found
    assert (found.document.name, found.document.facts["origin"], found.document.trusted) == ("pagerduty:PT1", "pagerduty", False)


def thrice(**fields: object) -> list[Incident]:
    return [
        an_incident(
            id=f"i{n}",
            number=n,
            opened_at=NOON - timedelta(days=n),
            resolved_at=NOON - timedelta(days=n) + timedelta(minutes=30),
            **fields,
        )
        for n in (1, 2, 3)
    ]


def test_three_of_one_problem_in_thirty_days_are_a_family_two_or_older_ones_are_none() -> None:
    (family,) = families(thrice(members=(a_member(fingerprint="f"),)), NOON)
    assert [i.key for i in family.incidents] == ["INC-3", "INC-2", "INC-1"]
    assert family.lost == timedelta(minutes=90)
    assert families(thrice(members=(a_member(fingerprint="f"),))[:2], NOON) == ()
    assert families(thrice(members=(a_member(fingerprint="f"),)), NOON + timedelta(days=29)) == ()


def test_one_confirmed_cause_makes_a_family_of_different_alerts_numbers_in_it_do_not_count() -> None:
    made = [
        replace(i, members=(a_member(fingerprint=i.id),), confirmed_cause=f"Payments v4{i.number}: disk full!") for i in thrice()
    ]
    (family,) = families(made, NOON)
    assert family.cause == "Payments v41: disk full!"
    assert families([replace(i, confirmed_cause="") for i in made], NOON) == ()
    assert families([replace(i, merged_into="INC-9") for i in made], NOON) == ()


async def test_monday_names_what_comes_back_with_its_runbook_and_owner(desk: Desk) -> None:
    for one in thrice(
        service="payments", members=(a_member(fingerprint="f", name="HighErrorRate", service="payments"),), version=0
    ):
        await desk.db.write(lambda tx, i=one: desk.incidents.save(tx, i))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    (line,) = await recurring_lines(desk)
    assert line == (
        "comes back: HighErrorRate on payments, 3 times in 30 days, 1 h 30 min in all (INC-3, INC-2, INC-1)"
        " · nobody has confirmed a cause · no runbook · owner: team-payments"
    )
