"""What the library says to somebody: with what people linked before what search finds, without what does not concern them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.document import Audience, DocumentKind, Found, Inquiry, Only, Tier
from bot.domain.evidence import Thought
from bot.domain.incident import Incident
from bot.domain.suggestion import Judgement, Subject, confirmed, unwanted
from bot.domain.view import CatchupView, ConfirmView, EvidenceView, IncidentView, Shown, ThoughtView
from bot.errors import NotFound, Unavailable
from bot.flows.desk import Desk
from bot.flows.runbooks.past import AROUND, neighbours
from bot.flows.showing import route_of
from bot.knowledge.kinship import explained, family
from bot.knowledge.library import Findings
from bot.knowledge.query import normal, shape
from bot.ports import Transaction

SPARE = 4  # asked for beyond what is shown, because some step back
LATEST = 200  # incidents among which those of the same trouble are looked for
WORDS = 12  # of a question, by which it is known again


@dataclass(frozen=True, slots=True)
class Reader:
    """The library as it is read for one incident, or for a person in a channel ("" for nobody in particular)."""

    desk: Desk
    incident: Incident | None = None
    channel: str = ""
    person: str = ""  # their groups count too: only where nobody else reads what is found

    async def find(self, inquiry: Inquiry, kind: DocumentKind, limit: int = 3) -> Findings:
        """What fits, the best first: links that people made count first, what they found useless steps back, likeness is told."""
        audience = await audience_of(self.channel or home_of(self.incident, self.desk), self.desk, self.person)
        asked, said, subjects = await self.desk.db.read(lambda tx: self._asked(tx, replace(inquiry, audience=audience)))
        findings = await self.desk.library.find(asked, kind, limit + SPARE)
        back = unwanted(said, subjects)
        ordered = _stepping_back(findings.found, back)[:limit]
        return replace(findings, found=tuple(explained(f, asked) for f in ordered))

    def _asked(self, tx: Transaction, inquiry: Inquiry) -> tuple[Inquiry, tuple[Judgement, ...], frozenset[Subject]]:
        desk = self.desk
        if self.incident is not None:
            inquiry = _of_incident(tx, inquiry, self.incident, desk)
        around = neighbours(inquiry.services, desk.catalogue().graph)
        subjects = subjects_of(inquiry, self.incident)
        said = {j.key: j for s in subjects for j in desk.suggestions.about(tx, s.problem, (s.service,))}
        linked = confirmed(said.values(), subjects, family)
        return replace(inquiry, neighbours=around, confirmed=linked), tuple(said.values()), subjects


def _of_incident(tx: Transaction, inquiry: Inquiry, incident: Incident, desk: Desk) -> Inquiry:
    """The inquiry with what its incident adds: its alerts, kinds of change around it, which incidents are the same trouble."""
    own = set(incident.services)
    shipped = desk.changes.between(tx, incident.opened_at - AROUND, incident.opened_at + timedelta(minutes=1))
    kinds = dict.fromkeys(c.kind.value for c in shipped if c.shipped and own & set(c.services))
    same = [i.key for i in desk.incidents.recent(tx, LATEST) if same_trouble(i, incident, desk.clock())]
    return replace(
        inquiry,
        alerts=tuple(dict.fromkeys(m.name for m in incident.members)),
        changes=tuple(kinds),
        without=tuple(f"{DocumentKind.INCIDENT.value}:{key}" for key in (incident.key, *same)),
    )


def same_trouble(other: Incident, incident: Incident, now: datetime) -> bool:
    """Both belong to one storm or merge group, or were open at the same time: then one is not the other's past."""
    if other.id == incident.id or incident.key == other.merged_into or other.key == incident.merged_into:
        return True
    if other.merged_into and other.merged_into == incident.merged_into:
        return True
    ended, mine = other.resolved_at or now, incident.resolved_at or now
    return other.opened_at <= mine and ended > incident.opened_at


def subjects_of(inquiry: Inquiry, incident: Incident | None = None) -> frozenset[Subject]:
    """The problems that an inquiry is about: its alert on its services, and every problem of its incident; else its words."""
    found = [Subject(normal(inquiry.name), s, inquiry.name) for s in inquiry.services or ("",)] if normal(inquiry.name) else []
    found += [Subject(normal(m.name), m.service, m.name) for m in incident.members] if incident else []
    return frozenset(found) or frozenset({asked(inquiry.text)})


def asked(question: str) -> Subject:
    """A question as a problem: its words without order, so that it is known again when it is asked in another order."""
    counts = Counter(shape(Inquiry(text=question)).text)
    return Subject(f"question: {' '.join(sorted(sorted(counts, key=lambda w: (-len(w), w))[:WORDS]))}", "", question[:200])


def _stepping_back(found: Iterable[Found], back: frozenset[str]) -> list[Found]:
    """What people found useless for this problem is a possible match at most, unless the alert itself names it."""
    shown, last = [], []
    for one in found:
        if one.document.id in back and one.tier is not Tier.LINKED:
            last.append(replace(one, tier=Tier.POSSIBLE))
        else:
            shown.append(one)
    return [*shown, *last]


def home_of(incident: Incident | None, desk: Desk) -> str:
    """Where an incident is shown, or will be as far as is known by now; what is shown elsewhere after all is looked at again."""
    if incident is None:
        return ""
    return incident.channel or route_of(incident, incident.service, desk).channel


async def audience_of(channel: str, desk: Desk, person: str = "") -> Audience:
    """Whoever reads this channel, by its id and by those of its names that documents are restricted to.

    With a `person`, who alone reads it, their user groups too. What cannot be asked at the moment is not shown.
    """
    documents = [d for d in desk.library.documents if d.channels or d.groups]
    here = {channel, channel.removeprefix("#")} - {""}
    id = await _id(channel, desk) if here and documents else ""
    if id:
        names = {c for d in documents for c in d.channels}
        here |= {id} | {name for name in names if await _id(f"#{name.removeprefix('#')}", desk) == id}
    mine = {g for d in documents for g in d.groups}
    groups = await desk.channel.groups(person) if person and mine else frozenset()
    return Audience(frozenset(here), frozenset(g for g in mine if g in groups or g.removeprefix("@") in groups))


async def fit_for(view: Shown, channel: str, desk: Desk, person: str = "") -> Shown:
    """The view without documents that whoever reads this channel, or this person alone, may not see."""
    if isinstance(view, CatchupView):
        inner = await fit_for(view.view, channel, desk, person)
        return replace(view, view=inner) if isinstance(inner, IncidentView) else view
    if isinstance(view, ThoughtView):
        return replace(view, thought=await _thought_for(view.thought, channel, desk))
    if not isinstance(view, IncidentView | EvidenceView | ConfirmView) or view.diagnosis is None:
        return view
    read = view.diagnosis.thought.evidence if view.diagnosis.thought else ()
    if all(e.only == Only() for e in (*view.diagnosis.evidence, *read)):
        return view
    return replace(view, diagnosis=view.diagnosis.seen_by(await audience_of(channel, desk, person)))


async def _thought_for(thought: Thought, channel: str, desk: Desk) -> Thought:
    """What a model thinks, unless it read what this channel may not see."""
    kept = [e.only for e in thought.evidence if e.only != Only()]
    audience = await audience_of(channel, desk) if kept else Audience()
    if all(only.lets(audience) for only in kept):
        return thought
    why = "it rests on documents that this channel may not see"
    return replace(thought, claims=(), evidence=(), reason="", why_dropped=(), failure=why)


def private(channel: str) -> bool:
    """Nobody but the person who writes there reads a direct message with the bot."""
    return channel.startswith("D")


async def _id(name: str, desk: Desk) -> str:
    try:
        return await desk.channel.channel_id(name)
    except (NotFound, Unavailable):  # nobody waits for the chat: an id is a name of itself
        return ""
