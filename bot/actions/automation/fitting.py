"""Does a step fit an incident? Typed conditions on what the rules found, never a model's words and never free text."""

from dataclasses import dataclass

from bot.domain.automation import ALERTING, CONVICTED, TypedStep
from bot.domain.document import Document, Tier
from bot.domain.evidence import Diagnosis, Verdict
from bot.domain.incident import Incident
from bot.domain.service import Catalogue
from bot.knowledge.query import normal

SURE = (Tier.CONFIRMED, Tier.LINKED, Tier.NAMED)  # tiers of pages that were named; what a search found is none of them


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a step fits, on which service, and how its page was found; `why_not` is "" where it fits."""

    service: str = ""
    tier: str = ""
    why_not: str = ""


def page_tier(page: Document, incident: Incident, diagnosis: Diagnosis) -> str:
    """How a page was named for this incident: by people, by the alert's link or by the alert's name; "" if it was not."""
    told = next((book.tier for book in diagnosis.runbooks if book.id == page.id and book.tier in SURE), "")
    if told:
        return told
    names = {normal(alert) for alert in page.alerts} - {""}
    about = not page.services or set(page.services) & set(incident.services)
    return Tier.NAMED.value if about and any(normal(m.name) in names for m in incident.members) else ""


def fit(step: TypedStep, tier: str, incident: Incident, diagnosis: Diagnosis, catalogue: Catalogue) -> Fit:
    """Each condition in turn; the first that does not hold says so."""
    wanted = {normal(alert) for alert in step.when.alerts} - {""}
    if not incident.live:
        return Fit(why_not=f"{incident.key} is over")
    if not tier:
        return Fit(why_not=f"neither people, nor an alert's link, nor an alert's name lead from {incident.key} to {step.path}")
    if not any(normal(m.name) in wanted for m in incident.members):
        return Fit(why_not=f"no alert of {incident.key} is one of {', '.join(step.when.alerts[:5])}")
    if diagnosis.verdict is not step.when.verdict:
        return Fit(why_not=f"the verdict is {diagnosis.verdict.value}, not {step.when.verdict.value}")
    if not step.when.sure_enough(diagnosis.confidence):
        return Fit(why_not=f"the diagnosis is {diagnosis.confidence.value}, not {step.when.confidence.value}")
    if diagnosis.remedy not in step.when.remedies:
        known = ", ".join(remedy.value for remedy in step.when.remedies)
        return Fit(why_not=f"the remedy that fits is {diagnosis.remedy.value}, not {known}")
    if step.environment not in ("", incident.environment):
        return Fit(why_not=f"it is for {step.environment}, and {incident.key} is in {incident.environment}")
    name = _service(step, incident, diagnosis)
    if not name:
        return Fit(why_not=f"it is about {step.service}, which {incident.key} does not concern")
    service = catalogue.resolve(name)
    if service is None or service.external or not service.deployer:
        return Fit(why_not=f"{name} is nothing that services.yaml has a deployer for")
    if incident.environment not in service.environments:
        return Fit(why_not=f"{service.name} has no {incident.environment}")
    return Fit(service.name, tier)


def _service(step: TypedStep, incident: Incident, diagnosis: Diagnosis) -> str:
    """What a placeholder stands for; a step about a service by name fits only where that service is concerned."""
    cause = diagnosis.cause.service if diagnosis.verdict is Verdict.CONVICTED and diagnosis.cause else ""
    if step.service == CONVICTED:
        return cause
    if step.service == ALERTING:
        return incident.service
    return step.service if step.service in (cause, *incident.services) else ""
