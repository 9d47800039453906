"""Somebody judged a document that they were shown, or said which one is about a problem: it counts from the next search on."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.document import Audience, Document, DocumentKind, Inquiry, Only
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.interaction import Feature, Feedback, Opinion
from bot.domain.request import Deed, Press
from bot.domain.suggestion import Judgement, Subject, reference
from bot.domain.view import NoteView, Shown
from bot.errors import NotFound
from bot.flows.desk import Desk
from bot.flows.runbooks.knowing import Reader, asked, audience_of
from bot.investigation.answers import Topic, topic
from bot.knowledge.query import normal
from bot.ports import Transaction
from bot.redact import redact

OFFERED = 20  # documents in the menu of the form
_OPINIONS: Mapping[str, Opinion] = {"useful": Opinion.USEFUL, "not_useful": Opinion.NOT_USEFUL, "link": Opinion.LINKED}


@dataclass(frozen=True, slots=True)
class Context:
    """What a suggestion stood under: the problem, its incident if it has one, and the answer in the journal."""

    subject: Subject
    incident: Incident | None
    interaction: str


async def on_suggestion(press: Press, desk: Desk) -> Shown | None:
    """A judgement is kept once per person; a link may be taken back. `text` is "<verb>:<reference>", or what was chosen."""
    under = await desk.db.read(lambda tx: _context(tx, press.value, desk))
    if press.action_id is Deed.SUGGESTION_LINK:
        verb, document = "link", await _chosen(press, desk)
    else:
        verb, _, ref = press.text.partition(":")
        document = _referred(ref, await audience_of(press.place.channel, desk, press.person.id), desk)
    if verb == "unlink":
        return await desk.db.write(lambda tx: _unlink(tx, press, under, document, desk))
    if verb not in _OPINIONS:
        return None
    return await desk.db.write(lambda tx: _say(tx, press, under, document, _OPINIONS[verb], desk))


async def offered(typed: str, about: str, channel: str, desk: Desk) -> tuple[tuple[str, str], ...]:
    """The runbooks that fit what a person has typed so far, (reference, title); of those that their channel may see."""
    audience = await audience_of(channel, desk)
    seen = [d for d in desk.library.documents if d.kind is DocumentKind.RUNBOOK and d.visible_to(audience)]
    low = typed.strip().lower()
    if low:
        begins = [d for d in seen if d.title.lower().startswith(low)]
        holds = [d for d in seen if low in f"{d.title} {d.path} {' '.join(d.alerts)}".lower()]
        found = await Reader(desk, channel=channel).find(Inquiry(text=typed), DocumentKind.RUNBOOK, 5)
        ranked = [*sorted(begins, key=_title), *sorted(holds, key=_title), *(f.document for f in found.found)]
    else:
        under = await desk.db.read(lambda tx: _context(tx, about, desk))
        inquiry = Inquiry(name=under.subject.alert, text=under.subject.alert, services=(under.subject.service,))
        found = await Reader(desk, under.incident, channel).find(inquiry, DocumentKind.RUNBOOK, 5)
        ranked = [*(f.document for f in found.found), *sorted(seen, key=_title)]
    return tuple({reference(d.id): d.title for d in ranked}.items())[:OFFERED]


def _title(document: Document) -> str:
    return document.title.lower()


def _context(tx: Transaction, about: str, desk: Desk) -> Context:
    """What stands behind "incident:<id>" or "answer:<id>". Raises NotFound."""
    kind, _, id = about.partition(":")
    if kind == "answer":
        answer = desk.journal.get(tx, id)
        if answer is None or answer.erased:
            raise NotFound("That answer is no longer kept; ask again.")
        incident = desk.incidents.get(tx, answer.incident_id) if answer.incident_id else None
        if incident is None or topic(answer.question) is Topic.RUNBOOK:
            return Context(asked(answer.question), incident, answer.id)
        return Context(subject_of(incident), incident, answer.id)
    incident = desk.incidents.get(tx, id)
    if incident is None:
        raise NotFound("That incident is no longer kept; `/incident list all` shows those there are.")
    looks = desk.journal.recent(tx, 50, incident.id, engine="rules")
    newest = next((i.id for i in looks if i.feature is Feature.DIAGNOSIS), "")
    return Context(subject_of(incident), incident, newest)


def subject_of(incident: Incident) -> Subject:
    """The problem of an incident: the alert that came first, on its service; its title where no alert did."""
    first = min(incident.members, key=lambda m: (m.joined_at, m.name), default=None)
    if first is None:
        return Subject(normal(incident.title), incident.service, incident.title)
    return Subject(normal(first.name), first.service, first.name)


def _referred(ref: str, audience: Audience, desk: Desk) -> Document:
    """What a button stands under. Raises NotFound, also where it was kept to others meanwhile."""
    found = next((d for d in desk.library.documents if reference(d.id) == ref and d.visible_to(audience)), None)
    if found is None:
        raise NotFound("That document is no longer in the library; search again.")
    return found


async def _chosen(press: Press, desk: Desk) -> Document:
    """The runbook that was chosen in the form, or whose link or title was pasted there. Raises NotFound."""
    audience = await audience_of(press.place.channel, desk)
    seen = [d for d in desk.library.documents if d.kind is DocumentKind.RUNBOOK and d.visible_to(audience)]
    pasted = press.text.strip().strip("<>").partition("|")[0]
    if pasted:
        plain = pasted.partition("#")[0].rstrip("/").lower()
        fits = [d for d in seen if plain in (d.link.rstrip("/").lower(), d.path.lower(), d.title.lower())] if plain else []
        if len(fits) != 1:
            which = "no runbook" if not fits else f"{len(fits)} runbooks"
            raise NotFound(
                f"The library has {which} with the link or title {redact(pasted)[:120]!r} that this channel may see. "
                "Choose it from the menu; a page from elsewhere has to be in a source of [knowledge] first."
            )
        return fits[0]
    chosen = next((d for d in seen if reference(d.id) == press.choice_ref), None)
    if chosen is None:
        raise NotFound("Choose a runbook from the menu, or paste its link or title.")
    return chosen


def _say(tx: Transaction, press: Press, under: Context, document: Document, opinion: Opinion, desk: Desk) -> NoteView:
    now, subject = desk.clock(), under.subject
    judgement = Judgement(subject, document.id, opinion, press.person.id, now, under.incident.id if under.incident else "")
    if not desk.suggestions.say(tx, judgement):
        return NoteView("You said so already; thank you.")
    feedback = Feedback(
        id=desk.new_id(),
        at=now,
        user=press.person.id,
        opinion=opinion,
        interaction_id=under.interaction,
        incident_id=under.incident.id if under.incident else "",
        document=document.id,
    )
    desk.journal.judge(tx, feedback)
    if opinion is not Opinion.LINKED:
        return NoteView(f"Thank you, noted: {document.title} was {opinion.value} here.")
    _record(tx, press, under, document, "linked", desk)
    return NoteView(f"{document.title} is linked to {problem(subject)}. It comes first from now on.")


def _unlink(tx: Transaction, press: Press, under: Context, document: Document, desk: Desk) -> NoteView:
    if not desk.suggestions.unlink(tx, under.subject, document.id):
        return NoteView(f"{document.title} is not linked to {problem(under.subject)}.")
    _record(tx, press, under, document, "unlinked", desk)
    return NoteView(f"{document.title} is no longer linked to {problem(under.subject)}.")


def _record(tx: Transaction, press: Press, under: Context, document: Document, deed: str, desk: Desk) -> None:
    detail = {"document": document.id, "problem": problem(under.subject)}
    desk.ledger.append(tx, desk.clock(), press.person.id, f"{deed} a runbook", document.id, detail)
    if under.incident is not None:
        name = document.title if document.only == Only() else "a runbook that not everybody may see"
        text = f"{deed} {name} {'to' if deed == 'linked' else 'from'} {problem(under.subject)}"
        desk.timeline.add(tx, [Entry(under.incident.id, desk.clock(), EntryKind.NOTE, text, press.person.id)])


def problem(subject: Subject) -> str:
    """A problem as people name it."""
    name = subject.alert or subject.problem
    return f"{name} on {subject.service}" if subject.service else f"the question “{name}”"
