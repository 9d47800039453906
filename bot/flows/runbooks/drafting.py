"""A runbook is drafted from what people did in an incident; it is no knowledge until a person approves it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import NAMESPACE_URL, uuid5

from bot.domain.care import Draft, DraftState, Proposal
from bot.domain.incident import Entry, EntryKind
from bot.domain.interaction import Feature, Interaction
from bot.domain.request import Deed, Press
from bot.domain.view import NoteView, Place, Shown
from bot.errors import BotError, NotFound, Unavailable
from bot.flows.announce import want
from bot.flows.asking.spending import allowance, switched_off
from bot.flows.desk import Desk
from bot.flows.runbooks.keeping_up import note_news
from bot.flows.runbooks.needs import lacks_runbook
from bot.flows.showing import goes_to
from bot.investigation import prompts
from bot.investigation.claims import sources, supported
from bot.investigation.dossier import message
from bot.investigation.journal import recorded
from bot.investigation.thought import refusal
from bot.knowledge import drafting
from bot.knowledge.drafting import WRITTEN, Facts
from bot.ports import ModelRequest, Scalar, Transaction
from bot.redact import redact

TOKENS = 900
SENTENCES = 6  # of one section
FORM: Mapping[str, object] = {
    "type": "object",
    "properties": {name: {"type": "array", "items": {"type": "string"}, "maxItems": SENTENCES} for name in WRITTEN},
    "required": list(WRITTEN),
    "additionalProperties": False,
}
NOTHING = "nothing that the model wrote stands in the evidence"
QUESTION = "Draft the runbook for the next time this happens."


async def on_draft(press: Press, desk: Desk) -> Shown | None:
    """*Draft a runbook*, *Approve* or *Discard* was pressed."""
    if press.action_id is Deed.DRAFT_RUNBOOK:
        return await desk.db.write(lambda tx: _ask(tx, press, desk))
    return await desk.db.write(lambda tx: _decide(tx, press, desk))


def _ask(tx: Transaction, press: Press, desk: Desk) -> NoteView:
    incident = desk.incidents.get(tx, press.value)
    if incident is None:
        raise NotFound("That incident is no longer kept; `/incident list all` shows those there are.")
    before = desk.drafts.of_incident(tx, incident.id)
    if any(d.state is DraftState.DRAFT for d in before):
        return NoteView(f"A draft from {incident.key} stands in its thread already: approve or discard it there.")
    if not lacks_runbook(tx, incident, desk):
        return NoteView(f"{incident.key} has no confirmed cause, or a runbook by now; there is nothing to draft.")
    id = str(uuid5(NAMESPACE_URL, f"tocsin:draft:{incident.id}:{len(before)}"))
    args: Mapping[str, Scalar] = {"incident_id": incident.id, "id": id, "by": press.person.id}
    desk.work.start(tx, "model", "draft_runbook", f"draft:{id}", args, partition=incident.id)
    return NoteView(f"A runbook is drafted from {incident.key}; it appears in the incident's thread.")


async def draft_runbook(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The draft stands in the thread of its incident, with a model's words where there is a model and evidence for them."""
    id = str(args["id"])
    facts = await desk.db.read(lambda tx: _facts(tx, str(args["incident_id"]), id, desk))
    if facts is None:
        return
    said = await _written(facts, id, str(args["by"]), desk)
    incident = facts.incident
    draft = Draft(
        id=id,
        incident_id=incident.id,
        title=drafting.title_of(incident),
        path=drafting.path_of(incident),
        text=drafting.markdown(facts, said.by_section),
        state=DraftState.DRAFT,
        at=desk.clock(),
        asked_by=str(args["by"]),
        engine=said.model if said.by_section else "rules",
        note=said.failure,
    )

    def keep(tx: Transaction) -> None:
        if desk.drafts.get(tx, id) is not None:
            return
        desk.drafts.put(tx, draft)
        if said.entry is not None:
            desk.journal.add(tx, said.entry)
        _tell(tx, draft, "drafted a runbook", draft.asked_by, desk)

    await desk.db.write(keep)


def _facts(tx: Transaction, incident_id: str, id: str, desk: Desk) -> Facts | None:
    """What a draft is made of; None where it was made already."""
    incident = desk.incidents.get(tx, incident_id)
    if incident is None or desk.drafts.get(tx, id) is not None:
        return None
    first = min(incident.members, key=lambda m: (m.joined_at, m.name), default=None)
    return Facts(
        incident=incident,
        diagnosis=desk.diagnoses.latest(tx, incident.id),
        entries=desk.timeline.of(tx, incident.id),
        actions=desk.actions.of_incident(tx, incident.id),
        owner=desk.catalogue().get(first.service if first else incident.service).owner,
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """What a model wrote, by section, as far as the evidence bears it."""

    by_section: Mapping[str, Sequence[str]]
    model: str = ""
    failure: str = ""
    entry: Interaction | None = None


async def _written(facts: Facts, id: str, by: str, desk: Desk) -> _Said:
    if desk.model is None:
        return _Said({})
    prompt, incident, began = prompts.load("runbook"), facts.incident, time.perf_counter()
    evidence = drafting.evidence_of(facts)
    allowed = await desk.db.read(lambda tx: allowance(tx, incident.id, desk))
    if allowed.failure is not None:
        return _Said({}, failure=f"no model: {allowed.why}")
    request = ModelRequest(
        prompt=prompt,
        text=message(evidence, {"incident": incident.key}, QUESTION),
        form=FORM,
        check=_fault,
        most_calls=allowed.most_calls,
        most_tokens_out=TOKENS,
        most_cost=allowed.most_cost,
        deadline=desk.limits.think,
        about={"interaction": id, "incident": incident.key},
        stopped=lambda: switched_off(desk),
    )
    reply = await desk.model.ask(request)
    proses = {name: supported("\n".join(_lines(reply.parsed, name)), sources(evidence)) for name in WRITTEN}
    kept = {name: prose.text.splitlines() for name, prose in proses.items() if not prose.empty}
    failure = refusal(reply) if reply.failure is not None else "" if kept else NOTHING
    entry = Interaction(
        id=id,
        at=desk.clock(),
        feature=Feature.RUNBOOK,
        engine="model",
        incident_id=incident.id,
        user=by,
        code_version=desk.code_version,
        corpus_version=desk.library.corpus_version,
        question=QUESTION,
        answer=redact("\n".join(sentence for lines in kept.values() for sentence in lines)),
        evidence={e.id: redact(e.text) for e in evidence},
        claims=sum(p.made for p in proses.values()),
        dropped=sum(len(p.dropped) for p in proses.values()),
        why_dropped=tuple(redact(why) for p in proses.values() for why in p.dropped),
        error=failure,
        latency_ms=1000 * (time.perf_counter() - began),
    )
    return _Said(kept, reply.model, failure, recorded(entry, reply, prompt))


def _lines(parsed: Mapping[str, object] | None, name: str) -> list[str]:
    """The sentences of one section, each on its own line."""
    said = parsed.get(name) if parsed else None
    return [" ".join(s.split()) for s in said[:SENTENCES] if isinstance(s, str)] if isinstance(said, list) else []


def _fault(parsed: Mapping[str, object]) -> str:
    wrong = [n for n in WRITTEN if not isinstance(parsed.get(n), list)]
    return f"{', '.join(wrong)} must be lists of sentences" if wrong else ""


def _decide(tx: Transaction, press: Press, desk: Desk) -> NoteView:
    desk.cards.hold(tx, f"draft:{press.value}")
    draft = desk.drafts.get(tx, press.value)
    if draft is None:
        raise NotFound("That draft is no longer kept.")
    if draft.state is not DraftState.DRAFT:
        return NoteView("Somebody decided on this draft already.")
    now, approve = desk.clock(), press.action_id is Deed.DRAFT_APPROVE
    state = DraftState.APPROVED if approve else DraftState.DISCARDED
    text = drafting.approved(draft.text, f"{now:%Y-%m-%d}") if approve else draft.text
    decided = replace(draft, state=state, text=text, decided_by=press.person.id, decided_at=now, note="")
    desk.drafts.put(tx, decided)
    _tell(tx, decided, f"{'approved' if approve else 'discarded'} the draft of a runbook", press.person.id, desk)
    if not approve:
        return NoteView("The draft is discarded.")
    work = f"keep_draft:{draft.id}:{now.isoformat()}"
    desk.work.start(tx, "housekeeping", "keep_draft", work, {"id": draft.id}, partition=f"draft:{draft.id}")
    return NoteView(f"Approved. It goes to {goes_to(desk)} as {draft.path}.")


async def keep_draft(args: Mapping[str, Scalar], desk: Desk) -> None:
    """An approved draft is a file of the runbook folder, a pull request, or a file in the thread where there is neither.

    Where that is refused it is a draft again.
    """
    draft = await desk.db.read(lambda tx: desk.drafts.get(tx, str(args["id"])))
    if draft is None or draft.state is not DraftState.APPROVED:
        return
    try:
        kept = await _put(draft, desk)
    except Unavailable:
        raise
    except BotError as error:
        kept = replace(draft, state=DraftState.DRAFT, note=f"It could not be kept: {error.for_people}")

    def record(tx: Transaction) -> None:
        desk.drafts.put(tx, kept)
        deed = f"was kept as {kept.where}" if kept.state is DraftState.KEPT else "could not be kept"
        _tell(tx, kept, f"the approved draft of a runbook {deed}", "tocsin", desk)
        note_news(tx, desk)

    await desk.db.write(record)
    if kept.state is DraftState.KEPT and desk.drafting.folder is not None and not kept.url:
        await desk.library.sync()


async def _put(draft: Draft, desk: Desk) -> Draft:
    goes = desk.drafting
    if goes.proposals is not None:
        path = f"{goes.path}/{draft.path}" if goes.path else draft.path
        body = f"Drafted by Tocsin from what people did in an incident, and approved in its thread.\n\nDraft: {draft.id}"
        title = f"Runbook: {draft.title}"
        proposal = Proposal(draft.id, goes.repository, path, draft.text, title, body, goes.branch)
        url = await goes.proposals.propose(proposal)
        return replace(draft, state=DraftState.KEPT, where=f"pull request for {path}", url=url)
    if goes.folder is None:
        return await _hand_over(draft, desk)
    where = await asyncio.to_thread(drafting.save, goes.folder, draft.path, draft.text)
    return replace(draft, state=DraftState.KEPT, where=where)


async def _hand_over(draft: Draft, desk: Desk) -> Draft:
    """A file in the incident's thread; a second one if the process dies between Slack's word and ours."""
    card = await desk.db.read(lambda tx: desk.cards.get(tx, f"card:{draft.incident_id}"))
    if card is None or not card.place.ts:
        raise NotFound("the incident has no thread to put the file into.")
    name, thread = draft.path.rpartition("/")[2], Place(card.place.channel, "", card.place.ts)
    await desk.channel.upload(name, draft.text.encode(), title=f"Runbook: {draft.title}", place=thread)
    return replace(draft, state=DraftState.KEPT, where=f"{name} in the incident's thread")


def _tell(tx: Transaction, draft: Draft, deed: str, by: str, desk: Desk) -> None:
    """It is in the audit and the timeline, and the messages show it."""
    detail = {"incident": draft.incident_id, "path": draft.path, "title": draft.title, "where": draft.where or draft.url}
    desk.ledger.append(tx, desk.clock(), by, deed, draft.id, {k: v for k, v in detail.items() if v})
    desk.timeline.add(tx, [Entry(draft.incident_id, desk.clock(), EntryKind.NOTE, f"{deed}: {draft.title}", by)])
    want(tx, f"draft:{draft.id}", desk)
    want(tx, f"confirm:{draft.incident_id}", desk)
