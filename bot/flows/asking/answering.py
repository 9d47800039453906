"""A model answers a person's question from numbered evidence, in their thread, while they watch."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bot.domain.conversation import Prompt, Reply
from bot.domain.evidence import Diagnosis, Evidence, EvidenceKind
from bot.domain.incident import Incident
from bot.domain.interaction import Interaction
from bot.flows.asking.spending import allowance, switched_off
from bot.flows.desk import Desk
from bot.investigation import prompts
from bot.investigation.answers import Answer
from bot.investigation.claims import CITE, UNKNOWN, cited, sources, supported
from bot.investigation.dossier import message
from bot.investigation.signs import signs
from bot.investigation.thought import NOTHING_LEFT, refusal
from bot.ports import Listener, Model, ModelRequest, Telling

ANSWER_TOKENS = 700
EARLIER = 4  # questions and answers of the same thread that are shown again
OF_DIAGNOSIS = 30  # pieces of an incident's evidence that a question about it gets
NEEDED = "What would help: {}."
SMALL_CONTEXT, TEXT, LONG_TEXT = 8192, 400, 900


@dataclass(frozen=True, slots=True)
class Said:
    """What the model made of a question: the text that evidence supports, or why the rules answer."""

    reply: Reply
    prompt: Prompt
    markdown: str = ""
    evidence: tuple[tuple[str, str, str], ...] = ()
    failure: str = ""
    made: int = 0
    dropped: tuple[str, ...] = ()  # why each of these claims was dropped
    flags: tuple[str, ...] = ()  # see Interaction


class Heard:
    """ports.Listener that hands on to a telling, and tells once where the answer stands."""

    def __init__(self, telling: Telling, stands: Callable[[Telling], Awaitable[None]]) -> None:
        self._telling, self._stands, self._known = telling, stands, False

    async def step(self, title: str, *, done: bool) -> None:
        """A look has begun, or is done."""
        await self._telling.step(title, done=done)
        await self._note()

    async def words(self, more: str) -> None:
        """More of the answer's text."""
        await self._telling.words(more)
        await self._note()

    async def _note(self) -> None:
        if not self._known and self._telling.place.ts:
            self._known = True
            await self._stands(self._telling)


async def ask(
    question: str,
    facts: Sequence[Evidence],
    earlier: Sequence[Interaction],
    incident: Incident | None,
    seen: Diagnosis | None,
    listener: Listener | None,
    desk: Desk,
    *,
    interaction: str = "",
) -> Said | None:
    """The model's answer, its unsupported sentences gone; None where there is no model or nothing to read.

    `interaction` is the id that the journal will know it by.
    """
    model = desk.model
    if model is None or not facts:
        return None
    prompt = prompts.load("answer")
    id = incident.id if incident else ""
    allowed = await desk.db.read(lambda tx: allowance(tx, id, desk))
    if allowed.failure is not None:
        reply = allowed.refused(model.name)
        return Said(reply, prompt, failure=refusal(reply))
    request = ModelRequest(
        prompt=prompt,
        text=await _text(model, question, facts, earlier, incident),
        most_calls=allowed.most_calls,
        most_tokens_out=ANSWER_TOKENS,
        most_cost=allowed.most_cost,
        deadline=desk.limits.reply,
        about={"interaction": interaction, "incident": incident.key if incident else ""},
        stopped=lambda: switched_off(desk),
    )
    reply = await model.ask(request, listener)
    if reply.failure is not None:
        return Said(reply, prompt, failure=refusal(reply), flags=signs(facts))
    return replace(_checked(reply, prompt, facts, seen), flags=signs(facts))


def _checked(reply: Reply, prompt: Prompt, facts: Sequence[Evidence], seen: Diagnosis | None) -> Said:
    prose = supported(reply.text, sources(facts))
    if prose.empty:
        failure = f"the model {reply.model} {NOTHING_LEFT}"
        return Said(reply, prompt, failure=failure, made=prose.made, dropped=prose.dropped)
    text = prose.text
    if any(UNKNOWN.match(line) for line in text.splitlines()):
        wanted = ", ".join(seen.missing[:2]) if seen and seen.missing else "the name of a service, an alert or an incident"
        text += "\n" + NEEDED.format(wanted)
    shown = tuple((e.id, e.text, e.link) for e in facts if e.id in prose.cites)
    return Said(reply, prompt, text, shown, made=prose.made, dropped=prose.dropped)


async def _text(
    model: Model, question: str, facts: Sequence[Evidence], earlier: Sequence[Interaction], incident: Incident | None
) -> str:
    small = (await model.abilities()).context <= SMALL_CONTEXT
    talk = [{"trusted": False, "question": e.question[:300], "answer": CITE.sub("", e.answer)[:600]} for e in earlier[-EARLIER:]]
    body: dict[str, object] = {"incident": incident.key if incident else "", "earlier": talk}
    return message(facts, body, question, TEXT if small else LONG_TEXT)


def numbered(rules: Answer, seen: Diagnosis | None) -> tuple[Evidence, ...]:
    """What the rules found as evidence, each with the lines that cite it, then the evidence of the incident; E1, E2 ..."""
    told: dict[str, list[str]] = {}
    current: tuple[str, ...] = ()
    for line in rules.markdown.splitlines():
        ids = cited(line)
        current = ids or current
        for id in current:
            told.setdefault(id, []).append(CITE.sub("", line))
    found = [
        Evidence(id, EvidenceKind.SOURCE, _whole(text, told.get(id, ())), "what the rules found", link=link)
        for id, text, link in rules.evidence
    ]
    known = [e for e in seen.evidence if all(e.text != text for _, text, _ in rules.evidence)] if seen else []
    every = [*found, *known[:OF_DIAGNOSIS]]
    return tuple(replace(e, id=f"E{n}") for n, e in enumerate(every, 1))


def _whole(text: str, lines: Sequence[str]) -> str:
    plain = re.sub(r"\s+", " ", " ".join(lines).replace("**", ""))
    return f"{text} — {plain}"[:1200] if plain.strip() else text
