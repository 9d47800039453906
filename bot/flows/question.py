"""Somebody asked: the evidence is looked up, and the answer that cites it appears in the thread."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain.document import DocumentKind, Inquiry
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Incident
from bot.domain.interaction import Feature, Interaction
from bot.domain.request import Question
from bot.domain.view import AnswerView, Place
from bot.flows.announce import post_once
from bot.flows.desk import Desk
from bot.investigation import answers
from bot.investigation.answers import Answer, Topic
from bot.ports import Scalar, Transaction
from bot.redact import redact


async def on_question(question: Question, desk: Desk) -> None:
    """The question will be answered once, even if it is delivered twice or the bot dies meanwhile."""
    args: dict[str, Scalar] = {
        "id": question.id,
        "user": question.person.id,
        "channel": question.place.channel,
        "thread": question.place.thread or question.place.ts,
        "text": redact(question.text)[:2000],
        "hint": question.incident_hint,
    }
    await desk.db.write(
        lambda tx: desk.work.start(tx, "slack", "answer", f"answer:{question.id}", args, partition=question.place.channel)
    )


async def answer(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The answer is worked out and posted; a second run finds the first one's message."""
    began = time.perf_counter()
    place = Place(str(args["channel"]), "", str(args["thread"]))
    text = str(args["text"])
    incident, diagnosis = await desk.db.read(lambda tx: about(tx, place, str(args["hint"]), desk))
    zone = zone_of(await desk.channel.timezone(str(args["user"])))
    said = await reply(text, incident, diagnosis, zone, desk)
    interaction = Interaction(
        id=answer_id(str(args["id"])),
        at=desk.clock(),
        feature=Feature.QUESTION,
        engine="rules",
        incident_id=incident.id if incident else "",
        user=str(args["user"]),
        thread=place.thread,
        code_version=desk.code_version,
        corpus_version=desk.library.corpus_version,
        question=text,
        answer=redact(said.markdown),
        evidence={id: redact(what) for id, what, _ in said.evidence},
        latency_ms=1000 * (time.perf_counter() - began),
    )
    view = AnswerView(said.markdown, engine="rules", interaction_id=interaction.id, evidence=said.evidence)
    await post_once(f"answer:{args['id']}", place, view, desk)
    await desk.db.write(lambda tx: desk.journal.add(tx, interaction))


def answer_id(asked: str) -> str:
    """The journal's id of the answer to a question: the same at every try, so that the buttons of a first one stay true."""
    return str(uuid5(NAMESPACE_URL, f"tocsin:answer:{asked}"))


def about(tx: Transaction, place: Place, hint: str, desk: Desk) -> tuple[Incident | None, Diagnosis | None]:
    """The incident a question is about: the one it names, the thread's, the channel's newest live one, the newest live one."""
    live = desk.incidents.live(tx)
    card = desk.cards.at(tx, place.channel, place.thread) if place.thread else None
    here = [c for i in live if (c := desk.cards.get(tx, f"card:{i.id}")) and c.place.channel == place.channel]
    if hint:
        incident = desk.incidents.get(tx, hint)
    elif card is not None:
        incident = desk.incidents.get(tx, card.key.split(":")[1])
    elif here:
        incident = desk.incidents.get(tx, here[-1].key.split(":")[1])
    else:
        incident = live[-1] if live else None
    return incident, (desk.diagnoses.latest(tx, incident.id) if incident else None)


async def reply(text: str, incident: Incident | None, diagnosis: Diagnosis | None, zone: tzinfo, desk: Desk) -> Answer:
    """The answer by rules."""
    topic = answers.topic(text)
    services = mentioned(text, desk)
    if topic is Topic.CHANGES:
        since, words = span(text, desk.clock().astimezone(zone))
        changes = await desk.db.read(lambda tx: desk.changes.between(tx, since, desk.clock()))
        return answers.what_changed(changes, services, since, words)
    if topic is Topic.STATUS or (topic is Topic.CAUSE and incident is None):
        live = await desk.db.read(lambda tx: desk.incidents.live(tx))
        return answers.status(live, desk.clock())
    if topic is Topic.CAUSE and incident is not None:
        return answers.why(incident, diagnosis)
    inquiry = inquire(text, services, incident, topic)
    if topic is Topic.SEEN:
        past = await desk.library.find(inquiry, DocumentKind.INCIDENT)
        return answers.seen_before(past.found, past.note)
    books = await desk.library.find(inquiry, DocumentKind.RUNBOOK)
    if topic is Topic.NEXT:
        return answers.what_next(incident, diagnosis, books.found, books.note)
    return answers.from_runbooks(books.found, books.note)


def inquire(text: str, services: tuple[str, ...], incident: Incident | None, topic: Topic) -> Inquiry:
    """What to search for: the symptoms of the incident a question is about, else the question's own words."""
    if incident is None or topic is Topic.RUNBOOK:
        return Inquiry(text=text, services=services)
    first = incident.members[0] if incident.members else None
    symptoms = " ".join(dict.fromkeys(m.summary for m in incident.members[:10]))
    return Inquiry(name=first.name if first else "", text=symptoms or incident.title, services=services or incident.services)


def mentioned(text: str, desk: Desk) -> tuple[str, ...]:
    """The services of the catalogue that a text names."""
    words = {w.strip(".,;:!?\"'()`*").lower() for w in text.split()}
    return tuple(s.name for s in desk.catalogue().services.values() if words & {s.name.lower(), *(a.lower() for a in s.aliases)})


def span(text: str, now: datetime) -> tuple[datetime, str]:
    """The span of time that a question names, since when and in words; one day otherwise. `now` is in the asker's zone."""
    lowered = text.lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if "today" in lowered:
        return midnight, f"today ({now:%Z})"
    if "yesterday" in lowered:
        return midnight - timedelta(days=1), f"since yesterday ({now:%Z})"
    if "hour" in lowered:
        return now - timedelta(hours=1), "in the last hour"
    if "week" in lowered:
        return now - timedelta(days=7), "in the last week"
    return now - timedelta(hours=24), "in the last 24 hours"


def zone_of(name: str) -> tzinfo:
    """The time zone of this name; UTC if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
