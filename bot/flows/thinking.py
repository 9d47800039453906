"""A model reads the ranked evidence after it was posted: what it says is checked, and one thread message tells it.

Nothing waits for this. Every failure leaves the verdict of the rules as it stands, and the card says so.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

from bot.domain.conversation import Failure, Prompt, Reply
from bot.domain.evidence import Diagnosis, Stance, Thought
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.interaction import Feature, Interaction
from bot.flows.announce import announce, want
from bot.flows.asking.spending import Allowance, allowance, switched_off
from bot.flows.desk import Desk
from bot.flows.investigation import collect
from bot.flows.runbooks.knowing import Reader
from bot.investigation.asking import is_small, question, second_question
from bot.investigation.exhibits import Exhibits
from bot.investigation.journal import recorded
from bot.investigation.seemly import seemly
from bot.investigation.signs import signs
from bot.investigation.thought import Asked, doubted, gave_up, unread, weigh, with_thought
from bot.investigation.tools import Looks
from bot.ports import Model, Scalar, Transaction
from bot.redact import redact


async def think(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The model's reading of the latest diagnosis, unless it has read the same finding already; `again`: or has failed at it."""
    id = str(args["incident_id"])
    incident, seen, allowed = await desk.db.read(
        lambda tx: (desk.incidents.get(tx, id), desk.diagnoses.latest(tx, id), allowance(tx, id, desk))
    )
    model = desk.model
    if incident is None or not incident.live or seen is None or model is None:
        return
    mine = _entry_id(str(args["id"]))
    again = bool(args.get("again")) and gave_up(seen) and seen.thought is not None and seen.thought.interaction_id != mine
    if not unread(seen) and not again:
        return
    about = {"interaction": mine, "incident": incident.key}
    asked, reply, prompt = await ask(model, incident, seen, allowed, desk, about)
    if reply.failure in (Failure.SLOW, Failure.UNREACHABLE):
        desk.vitals.failed("model", reply.why or reply.failure.value)
    elif reply.failure is None:
        desk.vitals.well("model")
    thought = weigh(asked, reply, desk.clock())
    second = await _second_reading(str(args["id"]), model, incident, asked, thought, reply, allowed, desk)
    if second is not None:
        thought = thought if second.verdict == Stance.OVERTURNS.value else doubted(thought)
    entry = _interaction(str(args["id"]), incident, asked, thought, reply, prompt, desk)
    entries = [entry] if second is None else [entry, second]
    await desk.db.write(lambda tx: _tell(tx, id, asked, replace(thought, interaction_id=entry.id), entries, desk))


async def ask(
    model: Model, incident: Incident, seen: Diagnosis, allowed: Allowance, desk: Desk, about: Mapping[str, str]
) -> tuple[Asked, Reply, Prompt]:
    """The question that fits what the model can do, and its reply; `about` is for traces."""
    if allowed.failure is not None:
        asked, request = question(seen, small=True)
        return asked, allowed.refused(model.name), request.prompt
    small = is_small(await model.abilities())
    asked, request = question(seen, small=small)
    request = replace(
        request,
        most_calls=allowed.most_calls,
        most_cost=allowed.most_cost,
        deadline=desk.limits.think,
        about=about,
        stopped=lambda: switched_off(desk),
    )
    if small:
        return asked, await model.ask(request), request.prompt
    looks = Looks(await collect(incident, desk), asked.suspects, Exhibits.of(seen.evidence), Reader(desk, incident))
    reply = await model.ask(replace(request, tools=looks.tools))
    whole = await asyncio.to_thread(seemly, replace(seen, evidence=looks.evidence))
    return replace(asked, evidence=whole.evidence), reply, request.prompt


async def _second_reading(
    work: str, model: Model, incident: Incident, asked: Asked, thought: Thought, reply: Reply, allowed: Allowance, desk: Desk
) -> Interaction | None:
    """What came of reading the measurements alone, where a conviction would be overturned; None elsewhere.

    Whoever planted words in an alert, a commit or a log speaks to the first reading only.
    """
    if thought.stance is not Stance.OVERTURNS:
        return None
    bare, request = second_question(asked)
    request = replace(
        request,
        most_calls=max(1, allowed.most_calls - reply.calls),
        most_cost=max(0.0, allowed.most_cost - reply.cost),
        deadline=desk.limits.think,
        about={"interaction": _entry_id(f"{work}:second"), "incident": incident.key},
        stopped=lambda: switched_off(desk),
    )
    again = await model.ask(request)
    return _interaction(f"{work}:second", incident, bare, weigh(bare, again, desk.clock()), again, request.prompt, desk)


def read_again(tx: Transaction, desk: Desk) -> int:
    """Live incidents that a model failed at are read once more; how many there are."""
    seen = {i.id: desk.diagnoses.latest(tx, i.id) for i in desk.incidents.live(tx)}
    failed = [id for id, latest in seen.items() if latest is not None and gave_up(latest)]
    for id in failed:
        work = f"think:{id}:{desk.new_id()}"
        desk.work.start(tx, "model", "think", work, {"incident_id": id, "id": work, "again": True}, partition=id)
    return len(failed)


def _entry_id(work: str) -> str:
    """The journal's id: the same at every try."""
    return str(uuid5(NAMESPACE_URL, f"tocsin:{work}"))


def _tell(tx: Transaction, id: str, asked: Asked, thought: Thought, entries: Sequence[Interaction], desk: Desk) -> None:
    """The thought is kept beside the latest diagnosis, which may be a newer one by now; the journal has it in any case."""
    for entry in entries:
        desk.journal.add(tx, entry)
    incident, latest = desk.incidents.get(tx, id), desk.diagnoses.latest(tx, id)
    if incident is None or latest is None:
        return
    if latest.at == asked.diagnosis.at:
        latest = replace(latest, evidence=asked.evidence)  # what its tools found is evidence for everybody
    desk.diagnoses.save(tx, id, with_thought(latest, thought))
    if not thought.failure:
        said = f"{thought.model} {thought.stance.value}: {thought.named}"
        desk.timeline.add(tx, [Entry(id, thought.at, EntryKind.DIAGNOSIS, redact(said))])
    announce(tx, incident, desk)
    want(tx, f"thought:{id}", desk)


def _interaction(
    work: str, incident: Incident, asked: Asked, thought: Thought, reply: Reply, prompt: Prompt, desk: Desk
) -> Interaction:
    said = "\n".join((thought.reason, *(f"{c.text} {' '.join(f'[{i}]' for i in c.cites)}" for c in thought.claims))).strip()
    kept = Interaction(
        id=_entry_id(work),
        at=thought.at,
        feature=Feature.DIAGNOSIS,
        engine="model",
        incident_id=incident.id,
        trace_id=asked.diagnosis.trace_id,
        code_version=desk.code_version,
        corpus_version=desk.library.corpus_version,
        question=redact(incident.title),
        answer=redact(said),
        verdict=thought.stance.value if not thought.failure else "",
        cause=next((c.change_id for c in asked.suspects.values() if c.key == thought.choice), thought.choice),
        evidence={e.id: redact(e.text) for e in thought.evidence},
        claims=len(thought.claims) + thought.dropped,
        dropped=thought.dropped,
        why_dropped=tuple(redact(why) for why in thought.why_dropped),
        flags=signs(asked.evidence),
        error=thought.failure,
    )
    return recorded(kept, reply, prompt)
