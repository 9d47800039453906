"""What a range of commits would reach and could break, told before it ships."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from bot.domain.change import Commit
from bot.domain.document import Document, DocumentKind
from bot.domain.incident import Incident
from bot.domain.service import Catalogue, Service, repository_name
from bot.flows.runbooks.past import MOST, is_knowledge
from bot.investigation.foresight import Gap, PastCause, Risk, SameKnob, gaps, risks, same_knobs
from bot.ports import DiagnosisStore, IncidentStore, Transaction
from bot.topology.impact import HOPS, Reach, reach

NAMED = 12  # dependants that are named of each number of hops


@dataclass(frozen=True, slots=True)
class Impact:
    """What is known of a range before it ships; `cut`: diffs were too long or missing, so that facts may be missing too."""

    repository: str
    range: str
    commits: int
    services: tuple[str, ...]
    reach: Reach
    risks: tuple[Risk, ...] = ()
    same: tuple[SameKnob, ...] = ()
    gaps: tuple[Gap, ...] = ()
    cut: bool = False

    @property
    def headline(self) -> str:
        """For people: "same knob as INC-42; 12 services within two hops, 3 of tier 1; no runbook for payments timeouts"."""
        parts = []
        if self.same:
            parts.append("same knob as " + ", ".join(dict.fromkeys(s.incident for s in self.same)))
        parts.append(self.reach.sentence if self.services else "no service of the catalogue ships these files")
        parts += [self.gaps[0].sentence + (f" and {len(self.gaps) - 1} more" if self.gaps[1:] else "")] if self.gaps else []
        return "; ".join(parts)


def impact_of(
    repository: str,
    range: str,
    commits: Sequence[Commit],
    catalogue: Catalogue,
    documents: Iterable[Document],
    past: Iterable[PastCause] = (),
    hops: int = HOPS,
) -> Impact:
    """The impact of a range; a pure function of what is known. `past` are incidents of which more is known than their text."""
    docs = list(documents)
    services = shipped(catalogue, repository, {f for c in commits for f in c.files})
    found = risks(commits)
    known = [*past]
    there = {p.name for p in known}
    known += [cause_of(d) for d in docs if d.kind is DocumentKind.INCIDENT and d.name not in there]
    books = [d for d in docs if d.kind is DocumentKind.RUNBOOK]
    return Impact(
        repository=repository,
        range=range,
        commits=len(commits),
        services=services,
        reach=reach(catalogue, services, hops),
        risks=found,
        same=same_knobs(commits, services, known),
        gaps=gaps(found, services, books, catalogue),
        cut=any(c.truncated or (c.files and not c.diff) for c in commits),
    )


def shipped(catalogue: Catalogue, repository: str, files: Collection[str]) -> tuple[str, ...]:
    """The services that ship these files of a repository; one without paths ships all of it."""
    own = catalogue.of_repository(repository_name(repository)) if repository else ()
    return tuple(sorted(s.name for s in own if files and _ships(s, files)))


def _ships(service: Service, files: Collection[str]) -> bool:
    if not service.paths:
        return True
    return any(f == p or f.startswith(p.rstrip("/") + "/") for f in files for p in service.paths)


def cause_of(document: Document) -> PastCause:
    """A past incident by its document: what was written of its cause and of the change."""
    told = "\n".join(document.facts.get(key, "") for key in ("cause", "change", "fix"))
    return PastCause(document.name, document.title, document.services, told, document.link)


def past_causes(tx: Transaction, incidents: IncidentStore, diagnoses: DiagnosisStore) -> tuple[PastCause, ...]:
    """Our own past incidents with what their cause's diff did, as the diagnosis wrote it down."""

    def told(incident: Incident) -> PastCause:
        diagnosis = diagnoses.latest(tx, incident.id)
        cause = diagnosis.cause if diagnosis else None
        facts = [cause.title, *(fact.text for fact in cause.facts)] if cause else []
        return PastCause(incident.key, incident.title, incident.services, "\n".join([incident.confirmed_cause, *facts]))

    return tuple(told(i) for i in incidents.recent(tx, MOST) if is_knowledge(i))


def lines(impact: Impact, mark: Callable[[str], str] = lambda text: text) -> list[str]:
    """The impact for people, a line each; `mark` escapes what comes from outside."""
    said = [mark(impact.headline)]
    count = f"{impact.commits} {'commit' if impact.commits == 1 else 'commits'}"
    said.append(mark(f"{count} ({impact.range}) ship with {', '.join(impact.services) or 'no service of the catalogue'}"))
    said += [mark(f"{r.text} ({r.path}, {r.commit}): {', '.join(r.troubles[:3])}") for r in impact.risks]
    said += [mark(f"same knob as {s.incident}, {s.title}: {s.edit} in {s.path}; {s.why}") for s in impact.same]
    for hops, there in impact.reach.by_hops:
        named = [f"{d.name} ({_tier(d.tier)}{'' if d.declared else ', seen only'})" for d in there[:NAMED]]
        more = f" and {len(there) - NAMED} more" if len(there) > NAMED else ""
        said.append(mark(f"{hops} {'hop' if hops == 1 else 'hops'} away: {', '.join(named)}{more}"))
    said += [mark(g.sentence) for g in impact.gaps]
    if impact.cut:
        said.append("not every diff could be read whole, so something may be missing here")
    return said


def _tier(tier: int) -> str:
    return f"tier {tier}" if tier else "not in the catalogue"
