"""A model reads the ranked evidence after it was posted: what it says is checked, and one thread message tells it.

Nothing waits for this. Every failure leaves the verdict of the rules as it stands, and the card says so.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

from bot.domain.conversation import Prompt, Reply
from bot.domain.evidence import Diagnosis, Thought
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.interaction import Feature, Interaction
from bot.flows.announce import announce, want
from bot.flows.desk import Desk
from bot.flows.investigation import collect
from bot.flows.spending import Allowance, allowance
from bot.investigation import prompts
from bot.investigation.dossier import AGENT_SUSPECTS, SMALL_SUSPECTS, dossier, labelled
from bot.investigation.exhibits import Exhibits
from bot.investigation.journal import recorded
from bot.investigation.seemly import seemly
from bot.investigation.thought import Asked, form, unread, weigh, with_thought, wrong
from bot.investigation.tools import Looks
from bot.ports import Model, ModelRequest, Scalar, Transaction
from bot.redact import redact

ANSWER_TOKENS, AGENT_TOKENS = 1000, 3000


async def think(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The model's reading of the latest diagnosis, unless it has read the same finding already."""
    id = str(args["incident_id"])
    incident, seen, allowed = await desk.db.read(
        lambda tx: (desk.incidents.get(tx, id), desk.diagnoses.latest(tx, id), allowance(tx, id, desk))
    )
    model = desk.model
    if incident is None or not incident.live or seen is None or model is None or not unread(seen):
        return
    asked, reply, prompt = await ask(model, incident, seen, allowed, desk)
    thought = weigh(asked, reply, desk.clock())
    entry = _interaction(str(args["id"]), incident, asked, thought, reply, prompt, desk)
    await desk.db.write(lambda tx: _tell(tx, id, asked, replace(thought, interaction_id=entry.id), entry, desk))


async def ask(model: Model, incident: Incident, seen: Diagnosis, allowed: Allowance, desk: Desk) -> tuple[Asked, Reply, Prompt]:
    """The question that fits what the model can do, and its reply."""
    if allowed.failure is not None:
        asked = Asked(seen, labelled(seen, SMALL_SUSPECTS), seen.evidence, small=True)
        return asked, allowed.refused(model.name), prompts.load("diagnosis")
    abilities = await model.abilities()
    small = abilities.small or not abilities.tools
    suspects = labelled(seen, SMALL_SUSPECTS if small else AGENT_SUSPECTS)
    prompt = prompts.load("diagnosis" if small else "diagnosis-agent")
    request = ModelRequest(
        prompt=prompt,
        text=dossier(seen, suspects, small=small),
        form=form(tuple(suspects), small=small),
        check=lambda parsed: wrong(parsed, tuple(suspects)),
        most_calls=allowed.most_calls,
        most_tokens_out=ANSWER_TOKENS if small else AGENT_TOKENS,
        most_cost=allowed.most_cost,
        deadline=desk.limits.think,
    )
    if small:
        return Asked(seen, suspects, seen.evidence, small=True), await model.ask(request), prompt
    looks = Looks(await collect(incident, desk), suspects, Exhibits.of(seen.evidence), desk.library)
    reply = await model.ask(replace(request, tools=looks.tools))
    whole = await asyncio.to_thread(seemly, replace(seen, evidence=looks.evidence))
    return Asked(seen, suspects, whole.evidence, small=False), reply, prompt


def _tell(tx: Transaction, id: str, asked: Asked, thought: Thought, entry: Interaction, desk: Desk) -> None:
    """The thought is kept beside the latest diagnosis, which may be a newer one by now; the journal has it in any case."""
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
        id=str(uuid5(NAMESPACE_URL, f"tocsin:{work}")),
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
        cause=thought.choice,
        evidence={e.id: redact(e.text) for e in thought.evidence},
        claims=len(thought.claims) + thought.dropped,
        dropped=thought.dropped,
        error=thought.failure,
    )
    return recorded(kept, reply, prompt)
