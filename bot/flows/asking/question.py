"""Somebody asked: the evidence is looked up, and the answer that cites it appears in the thread."""

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, timedelta, tzinfo
from uuid import NAMESPACE_URL, uuid5

from bot.domain.document import DocumentKind, Inquiry
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Incident
from bot.domain.interaction import Feature, Interaction, Retrieved
from bot.domain.request import Person, Question
from bot.domain.view import AnswerView, Offered, Place
from bot.errors import Unavailable
from bot.flows.announce import post_once
from bot.flows.asking.answering import Heard, Said, ask, numbered
from bot.flows.asking.meaning import Meaning, meaning, span, zone_of
from bot.flows.charting.asked import chart_asked, show_charts
from bot.flows.desk import Desk
from bot.flows.mapping.asked import calls_asked
from bot.flows.runbooks.knowing import Reader, audience_of, private
from bot.investigation import answers
from bot.investigation.answers import Answer, Topic
from bot.investigation.journal import recorded
from bot.ports import Card, Scalar, Telling, Transaction
from bot.redact import redact


async def on_question(question: Question, desk: Desk) -> None:
    """The question will be answered once, even if it is delivered twice or the bot dies meanwhile."""
    thread = question.place.thread or question.place.ts
    args: dict[str, Scalar] = {
        "id": question.id,
        "user": question.person.id,
        "team": question.person.team_id,
        "channel": question.place.channel,
        "thread": thread,
        "text": redact(question.text)[:2000],
        "hint": question.incident_hint,
    }
    partition = f"{question.place.channel}:{thread}"
    await desk.db.write(lambda tx: desk.work.start(tx, "model", "answer", f"answer:{question.id}", args, partition=partition))


async def answer(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The answer is worked out once, kept in the journal, and shown; a second run shows what the first one kept."""
    id = answer_id(str(args["id"]))
    kept = await desk.db.read(lambda tx: desk.journal.get(tx, id))
    try:
        if kept is not None:
            await _show(args, replace(_again(kept), offered=offered(kept, desk)), None, desk)
        else:
            await _work_out(args, id, desk)
    except Unavailable as error:  # while the chat is away, what was worked out waits where patience is long
        if args.get("late"):
            raise
        after = desk.clock() + timedelta(seconds=error.retry_after or 1)
        later = {**args, "late": True}
        await desk.db.write(
            lambda tx: desk.work.start(
                tx, "slack", "answer", f"late:{args['id']}", later, partition=str(args["channel"]), not_before=after
            )
        )


async def _work_out(args: Mapping[str, Scalar], id: str, desk: Desk) -> None:
    began = time.perf_counter()
    place = Place(str(args["channel"]), "", str(args["thread"]))
    text = str(args["text"])
    earlier = await desk.db.read(lambda tx: desk.journal.of_thread(tx, place.thread, 8))
    meant = meaning(text, earlier, desk)
    incident, diagnosis = await desk.db.read(lambda tx: about(tx, place, str(args["hint"]), desk, meant.services))
    telling = None if args.get("late") else await _begin(args, place, desk)
    heard = Heard(telling, lambda t: _stands(args, t, desk)) if telling is not None else None
    title = looking_at(meant, incident, desk)
    if heard is not None:
        await heard.step(title, done=False)
    alone = str(args["user"]) if private(place.channel) else ""
    if diagnosis is not None:
        diagnosis = diagnosis.seen_by(await audience_of(place.channel, desk, alone))
    rules = await reply(meant, incident, diagnosis, await _zone(args, desk), desk, place.channel, alone)
    if heard is not None:
        await heard.step(title, done=True)
    facts = numbered(rules, diagnosis if incident else None)
    said = None if args.get("late") else await ask(text, facts, earlier, incident, diagnosis, heard, desk, interaction=id)
    plain = Interaction(
        id=id,
        at=desk.clock(),
        feature=Feature.QUESTION,
        engine="rules",
        incident_id=incident.id if incident else "",
        user=str(args["user"]),
        thread=place.thread,
        trace_id=id,
        code_version=desk.code_version,
        corpus_version=desk.library.corpus_version,
        question=text,
        retrieved=tuple(Retrieved(f.document.id, n, f.score, f.tier.value, True) for n, f in enumerate(rules.shown, 1)),
        latency_ms=1000 * (time.perf_counter() - began),
    )
    if rules.charts:
        rules = await show_charts(rules, str(args["id"]), place, desk)
    view, entries = outcome(plain, rules, said)
    view = replace(view, offered=offered(plain, desk))

    def keep(tx: Transaction) -> None:
        for entry in entries:
            desk.journal.add(tx, entry)

    await desk.db.write(keep)
    await _show(args, view, telling, desk)


def outcome(plain: Interaction, rules: Answer, said: Said | None) -> tuple[AnswerView, tuple[Interaction, ...]]:
    """What is shown, and what the journal keeps: the model's answer, or the rules' with the failure it stands in for."""
    if said is not None and not said.failure:
        mine = replace(
            plain,
            answer=redact(said.markdown),
            evidence={id: redact(what) for id, what, _ in said.evidence},
            claims=said.made,
            dropped=len(said.dropped),
            why_dropped=tuple(redact(why) for why in said.dropped),
            flags=said.flags,
        )
        view = AnswerView(said.markdown, said.reply.model, plain.id, said.evidence)
        return view, (recorded(mine, said.reply, said.prompt),)
    by_rules = replace(
        plain,
        answer=redact(rules.markdown),
        evidence={id: redact(what) for id, what, _ in rules.evidence},
        fallback_from=said.reply.model if said else "",
    )
    engine = f"rules: {said.failure}" if said else "rules"
    view = AnswerView(rules.markdown, engine, plain.id, rules.evidence)
    if said is None:
        return view, (by_rules,)
    tried = replace(
        plain,
        id=answer_id(f"{plain.id}:model"),
        error=said.failure,
        claims=said.made,
        dropped=len(said.dropped),
        why_dropped=tuple(redact(why) for why in said.dropped),
        flags=said.flags,
    )
    return view, (recorded(tried, said.reply, said.prompt), by_rules)


def offered(entry: Interaction, desk: Desk) -> tuple[Offered, ...]:
    """The documents that an answer showed, as far as the library still has them."""
    titles = {d.id: d.title for d in desk.library.documents} if entry.retrieved else {}
    return tuple(Offered(r.document, titles[r.document], r.tier) for r in entry.retrieved if r.document in titles)


def _again(entry: Interaction) -> AnswerView:
    """The view of an answer that the journal has already."""
    without = f"rules: the model {entry.fallback_from} gave no answer" if entry.fallback_from else "rules"
    engine = entry.model if entry.engine == "model" else without
    return AnswerView(entry.answer, engine, entry.id, tuple((id, text, "") for id, text in entry.evidence.items()))


async def _begin(args: Mapping[str, Scalar], place: Place, desk: Desk) -> Telling | None:
    """A telling for the first try; None where a model is not asked or an earlier try may have begun one."""
    key = f"answer:{args['id']}"
    if desk.model is None:
        return None

    def first(tx: Transaction) -> bool:
        if desk.cards.get(tx, key) is not None:
            return False
        desk.cards.put(tx, Card(key, place))
        return True

    if not await desk.db.write(first):
        return None
    person = Person(str(args["user"]), team_id=str(args.get("team", "")))
    try:
        return await desk.channel.tell(place, person, key=key)
    except Unavailable:
        return None  # the answer is posted once the chat is back


async def _stands(args: Mapping[str, Scalar], telling: Telling, desk: Desk) -> None:
    """Where the answer stands is kept as soon as it is known, so that a second run goes on there."""
    key = f"answer:{args['id']}"
    await desk.db.write(lambda tx: desk.cards.put(tx, Card(key, telling.place, posts=1)))


async def _show(args: Mapping[str, Scalar], view: AnswerView, telling: Telling | None, desk: Desk) -> None:
    """Exactly this view stands in the thread, once."""
    key = f"answer:{args['id']}"
    if telling is not None:
        place = await telling.end(view)
        await desk.db.write(lambda tx: desk.cards.put(tx, Card(key, place, posts=1)))
        return
    card = await desk.db.read(lambda tx: desk.cards.get(tx, key))
    if card is not None and card.place.ts:
        await desk.channel.edit(card.place, view)
        return
    await post_once(key, Place(str(args["channel"]), "", str(args["thread"])), view, desk)


async def _zone(args: Mapping[str, Scalar], desk: Desk) -> tzinfo:
    try:
        return zone_of(await desk.channel.timezone(str(args["user"])))
    except Unavailable:
        return UTC


def looking_at(meant: Meaning, incident: Incident | None, desk: Desk) -> str:
    """What is looked at first, for the person who waits."""
    topic = meant.topic
    if topic is Topic.CHANGES:
        return f"Looking at changes {span(meant.when, desk.clock())[1]}"
    if topic is Topic.CHART:
        return "Reading the numbers"
    if topic is Topic.CALLS:
        return "Looking at who calls whom"
    if topic is Topic.SEEN:
        return "Looking for past incidents like this"
    if topic is Topic.CAUSE and incident is not None:
        return f"Reading the evidence of {incident.key}"
    if topic is Topic.STATUS or topic is Topic.CAUSE:
        return "Looking at what is open"
    return "Searching the runbooks"


def answer_id(asked: str) -> str:
    """The journal's id of the answer to a question: the same at every try, so that the buttons of a first one stay true."""
    return str(uuid5(NAMESPACE_URL, f"tocsin:answer:{asked}"))


def about(
    tx: Transaction, place: Place, hint: str, desk: Desk, services: Collection[str] = ()
) -> tuple[Incident | None, Diagnosis | None]:
    """The incident a question is about: the one it names, the thread's, the channel's newest live one, the newest live one.

    Outside a thread of a card, one of the services that the question names goes before others.
    """
    live = sorted(desk.incidents.live(tx), key=lambda i: bool(set(i.services) & set(services)))
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


async def reply(
    meant: Meaning,
    incident: Incident | None,
    diagnosis: Diagnosis | None,
    zone: tzinfo,
    desk: Desk,
    channel: str = "",
    person: str = "",
) -> Answer:
    """The answer by rules, from what this channel may see; with a `person`, who alone reads it, from what they may see."""
    text, topic, services = meant.text, meant.topic, meant.services
    if topic is Topic.CHART:
        return await chart_asked(text, services, incident, diagnosis, desk)
    if topic is Topic.CALLS:
        return await calls_asked(text, services, incident, desk)
    if topic is Topic.CHANGES:
        since, words = span(meant.when, desk.clock().astimezone(zone))
        changes = await desk.db.read(lambda tx: desk.changes.between(tx, since, desk.clock()))
        return answers.what_changed(changes, services, since, words)
    if topic is Topic.STATUS or (topic is Topic.CAUSE and incident is None):
        live = await desk.db.read(lambda tx: desk.incidents.live(tx))
        return answers.status(live, desk.clock()) if live or topic is Topic.STATUS else answers.why_alone(services)
    if topic is Topic.CAUSE and incident is not None:
        return answers.why(incident, diagnosis, services)
    inquiry = inquire(text, services, incident, topic)
    reader = Reader(desk, None if topic is Topic.RUNBOOK else incident, channel, person)
    if topic is Topic.SEEN:
        past = await reader.find(inquiry, DocumentKind.INCIDENT)
        return replace(answers.seen_before(past.found, past.note), shown=past.found)
    books = await reader.find(inquiry, DocumentKind.RUNBOOK)
    if topic is Topic.NEXT:
        return replace(answers.what_next(incident, diagnosis, books.found, books.note), shown=books.found[:2])
    return replace(answers.from_runbooks(books.found, books.note, incident, diagnosis), shown=books.found[:2])


def inquire(text: str, services: tuple[str, ...], incident: Incident | None, topic: Topic) -> Inquiry:
    """What to search for: the symptoms of the incident a question is about, else the question's own words."""
    if incident is None or topic is Topic.RUNBOOK:
        return Inquiry(text=text, services=services)
    first = incident.members[0] if incident.members else None
    symptoms = " ".join(dict.fromkeys(m.summary for m in incident.members[:10]))
    return Inquiry(name=first.name if first else "", text=symptoms or incident.title, services=services or incident.services)
