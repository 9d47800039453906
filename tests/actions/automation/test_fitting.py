"""A step fits by typed conditions alone; each of them says why it does not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.actions.automation import fit, page_tier, read_page
from bot.domain.automation import ALERTING, TypedStep
from bot.domain.document import DocumentKind, Tier
from bot.domain.evidence import Confidence, Diagnosis, Remedy, RunbookLink, Verdict
from bot.domain.incident import Status
from bot.knowledge.documents import markdown_folder
from tests.actions.estate import CATALOGUE
from tests.fakes import NOON, a_member, an_incident
from tests.flows.automating.estate import convicted, page, the_step

STEP = the_step()
NAMED = Tier.NAMED.value


def test_it_fits_the_convicted_service_by_the_alerts_name() -> None:
    found = fit(STEP, page_tier(page(), an_incident(), convicted()), an_incident(), convicted(), CATALOGUE)
    assert (found.service, found.tier, found.why_not) == ("payments", "same alert name", "")


@pytest.mark.parametrize(
    ("step", "incident", "diagnosis", "why"),
    [
        ({}, {"status": Status.RESOLVED}, {}, "INC-42 is over"),
        ({}, {"members": (a_member(name="Other"),)}, {}, "no alert of INC-42 is one of HighErrorRate"),
        ({}, {"members": ()}, {}, "no alert of INC-42 is one of HighErrorRate"),
        ({}, {}, {"verdict": Verdict.OPERATIONAL}, "the verdict is operational, not convicted"),
        ({}, {}, {"verdict": Verdict.UNDETERMINED}, "the verdict is undetermined, not convicted"),
        ({}, {}, {"confidence": Confidence.LIKELY}, "the diagnosis is likely, not strong"),
        ({}, {}, {"remedy": Remedy.SCALE}, "the remedy that fits is scale, not rollback"),
        ({"environment": "staging"}, {}, {}, "it is for staging, and INC-42 is in production"),
        ({"service": "checkout"}, {}, {}, "it is about checkout, which INC-42 does not concern"),
        ({"service": ALERTING}, {"service": "printer"}, {}, "printer is nothing that services.yaml has a deployer for"),
        ({"service": ALERTING}, {"service": "acmepay"}, {}, "acmepay is nothing that services.yaml has a deployer for"),
        ({}, {"environment": "moon"}, {}, "payments has no moon"),
        ({}, {}, {"cause": None}, "it is about the convicted service, which INC-42 does not concern"),
    ],
)
def test_each_condition_alone_keeps_it_away(
    step: dict[str, Any], incident: dict[str, Any], diagnosis: dict[str, Any], why: str
) -> None:
    found = fit(replace(STEP, **step), NAMED, an_incident(**incident), replace(convicted(), **diagnosis), CATALOGUE)
    assert (found.service, found.why_not) == ("", why)


def test_a_page_that_was_not_named_leads_nowhere() -> None:
    found = fit(STEP, "", an_incident(), convicted(), CATALOGUE)
    assert found.why_not.startswith("neither people, nor an alert's link, nor an alert's name lead from INC-42")


@pytest.mark.parametrize(
    ("fields", "links", "tier"),
    [
        ({}, (), NAMED),
        ({"services": ("checkout",)}, (), ""),
        ({"alerts": ("high_error_rate",)}, (), NAMED),
        ({"alerts": ()}, (), ""),
        ({"alerts": ()}, (Tier.LINKED,), Tier.LINKED.value),
        ({"alerts": ()}, (Tier.CONFIRMED,), Tier.CONFIRMED.value),
        ({"alerts": ()}, (Tier.SEARCH, Tier.WORDS, Tier.POSSIBLE), ""),
    ],
)
def test_how_a_page_was_named(fields: dict[str, Any], links: tuple[Tier, ...], tier: str) -> None:
    found = replace(page(), **fields)
    books = tuple(RunbookLink("t", "", found.path, "", t.value, id=found.id) for t in links)
    assert page_tier(found, an_incident(), replace(convicted(), runbooks=books)) == tier


def test_the_repositorys_own_step_is_read_and_fits_a_bad_deploy() -> None:
    folder = Path(__file__).parents[3] / "runbooks"
    [own] = [d for d in markdown_folder(folder, DocumentKind.RUNBOOK)() if d.path.endswith("bad-deploy-rollback.md")]
    read = read_page(own)
    assert read.faults == ()
    step: TypedStep = read.steps[0]
    assert step.label == "runbooks/deploy/bad-deploy-rollback.md#roll-back"
    incident = an_incident(members=(a_member(name="ErrorsAfterDeploy", joined_at=NOON),))
    told: Diagnosis = convicted()
    assert fit(step, page_tier(own, incident, told), incident, told, CATALOGUE).service == "payments"
