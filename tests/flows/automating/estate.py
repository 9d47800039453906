"""The shop of tests/actions with a runbook that carries a typed step, and incidents in which people confirmed it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.actions.automation import read_page
from bot.actions.policy import Policies, read_policies
from bot.domain.action import Action, ActionKind, ActionStatus, Decision
from bot.domain.automation import Offer, TypedStep
from bot.domain.document import Document, DocumentKind
from bot.domain.evidence import Diagnosis, Remedy, named_cause
from bot.domain.incident import Incident, Status
from bot.flows.automating.starting import automate, automate_soon
from bot.flows.automating.telling import tell_automatic, tell_switched
from bot.flows.automating.weighing import offers
from bot.flows.desk import Desk
from bot.knowledge.documents import parse
from bot.knowledge.library import Library
from bot.ports import Handler, Transaction
from bot.storage.database import SqlDatabase
from tests.actions.estate import AMIR, OLIVIA, RULES, FakeDeployer
from tests.actions.estate import a_desk as plain_desk
from tests.actions.estate import convicted as guilty
from tests.actions.estate import handlers as plain_handlers
from tests.fakes import NOON, FakeClock, an_incident

LABEL = "runbooks/payments/errors.md#roll-back"
PAGE = """---
title: Payments answers with errors
services: [payments]
alerts: [HighErrorRate]
actions:
  - name: roll-back
    kind: rollback
    service: the convicted service
---
Look at the provider first. Then `/deploy payments v666` and `kubectl delete everything`.
"""
AUTOMATIC = f"""
automation:
  tier_1: 1
  degrees:
    - {{name: by itself, steps: ["{LABEL}"], services: [payments], environments: [production], degree: automatic}}
"""
ONE_CLICK = f"""
automation:
  degrees:
    - {{name: by one press, steps: ["{LABEL}"], degree: one click}}
"""
ONE_PRESS = RULES.replace("self_approval: false", "one_click: true")


def page(text: str = PAGE, path: str = "runbooks/payments/errors.md", **fields: Any) -> Document:
    found = parse(text, path, DocumentKind.RUNBOOK)
    assert found is not None
    return replace(found, **fields)


def the_step(document: Document | None = None) -> TypedStep:
    [step] = read_page(document or page()).steps
    return step


def rules(automation: str = AUTOMATIC, people: str = RULES) -> Policies:
    return read_policies(people + automation)


async def a_desk(
    database: SqlDatabase,
    clock: FakeClock,
    vendor: FakeDeployer,
    policies: Policies | None = None,
    documents: tuple[Document, ...] = (),
    **fields: Any,
) -> Desk:
    library = Library([lambda: documents or (page(),)], None)
    await library.sync()
    return replace(plain_desk(database, clock, vendor, policies=policies or rules(), **fields), library=library)


def convicted(**fields: Any) -> Diagnosis:
    return replace(guilty(), remedy=Remedy.ROLLBACK, **fields)


def handlers(desk: Desk) -> dict[str, Handler]:
    return {
        **plain_handlers(desk),
        "automate": lambda args: automate(args, desk),
        "tell_automatic": lambda args: tell_automatic(args, desk),
        "tell_switched": lambda args: tell_switched(args, desk),
    }


async def open_incident(desk: Desk, diagnosis: Diagnosis | None = None, **fields: Any) -> Incident:
    """An incident whose diagnosis was just told: what may be automatic is worked on."""
    incident = an_incident(channel="#payments", on_call=(OLIVIA,), **fields)

    def go(tx: Transaction) -> Incident:
        kept = desk.incidents.save(tx, incident)
        told = diagnosis or convicted()
        desk.diagnoses.save(tx, kept.id, told)
        automate_soon(tx, kept, told, desk)
        return kept

    return await desk.db.write(go)


async def offered(desk: Desk, id: str = "0193-incident") -> tuple[Offer, ...]:
    def go(tx: Transaction) -> tuple[Offer, ...]:
        incident = desk.incidents.get(tx, id)
        assert incident is not None
        return offers(tx, incident, desk.diagnoses.latest(tx, id), desk)

    return await desk.db.read(go)


async def confirmed_before(desk: Desk, times: int, *, first: int = 1, step: str = "", **fields: Any) -> None:
    """Incidents of the days before in which people approved the step, it helped, and somebody confirmed the cause."""
    diagnosis = convicted()
    for number in range(first, first + times):
        at = NOON - timedelta(days=number)
        incident = an_incident(
            id=f"past-{number}",
            number=number,
            status=Status.RESOLVED,
            opened_at=at,
            waiting_since=at,
            resolved_at=at + timedelta(hours=1),
            resolved_by="verified after rollback to v42",
            confirmed_by=OLIVIA,
            confirmed_cause=named_cause(diagnosis),
            members=(),
        )
        action = Action(
            id=f"past-action-{number}",
            kind=ActionKind.ROLLBACK,
            service="payments",
            environment="production",
            target="v42",
            status=ActionStatus.SUCCEEDED,
            requested_by=OLIVIA,
            created_at=at,
            updated_at=at + timedelta(minutes=30),
            incident_id=incident.id,
            decisions=(Decision(AMIR, True, at),),
            step=step or the_step().id,
            run="run-0",
        )
        incident = replace(incident, **fields.get("incident", {}))
        action = replace(action, **fields.get("action", {}))

        def go(tx: Transaction, incident: Incident = incident, action: Action = action) -> None:
            desk.incidents.save(tx, incident)
            desk.diagnoses.save(tx, incident.id, diagnosis)
            desk.actions.add(tx, action)

        await desk.db.write(go)
