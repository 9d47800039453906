"""Somebody typed a command: it is done, and the answer is theirs alone."""

import difflib
import re
import time
from collections.abc import Awaitable, Callable

from bot.domain.action import ActionKind
from bot.domain.document import DocumentKind
from bot.domain.incident import Incident
from bot.domain.interaction import Feature, Interaction, Retrieved
from bot.domain.request import CommandRequest, Person
from bot.domain.view import ListView, NoteView, Place, RunbookView, Shown, TimelineView
from bot.errors import NotFound
from bot.flows import ticketing
from bot.flows.acting import sequencing, verbs
from bot.flows.acting.ordering import from_command, on_order
from bot.flows.asking.engine import budget, model_line, switch
from bot.flows.asking.meaning import mentioned
from bot.flows.asking.question import about, answer_id, inquire
from bot.flows.attribution import list_unmatched
from bot.flows.automating.switching import automation
from bot.flows.charting.asked import map_incident
from bot.flows.delivering.reporting import on_delivery
from bot.flows.desk import Desk
from bot.flows.grouping import regrouping
from bot.flows.listening import listen
from bot.flows.quiet import noise_command
from bot.flows.routes import route
from bot.flows.runbooks import care
from bot.flows.runbooks.knowing import Reader, fit_for
from bot.flows.showing import incident_view
from bot.flows.tending import acknowledge, catch_up, is_span, parse_span, resolve_by, silence, unsilence
from bot.investigation.answers import Topic
from bot.ports import Transaction
from bot.redact import redact

USAGE = {
    "incident": "/incident list | show | ack | resolve | silence | unsilence | catchup | timeline | map | ticket [INC-n] "
    "[reason or 30m, 2h, 1d] | unmatched | silence label=value [2h] [critical] [reason] | silences | unsilence SIL-n "
    "| automation off|on|status | merge INC-n into INC-m | split INC-n <alert or service> | unrelated INC-n INC-m | undo INC-n",
    "deploy": "/deploy <service> <version> [environment] [--dry-run] [--fix | --override | --break-glass reason]\n" + verbs.USAGE,
    "rollback": "/rollback <service> [version] [environment] [--dry-run] [--override | --break-glass reason]\n"
    "/rollback <service> + <service> + … [environment], callers first",
    "runbook": "/runbook <question> | stale | missing | unused",
    "tocsin": "/tocsin help | status | route <service> [SEVn] | model on|off|status | budget [INC-n] "
    "| noise status|list|explain|arm|disarm "
    "| listen here on|off | delivery [service] [28d]",
}


async def on_command(request: CommandRequest, desk: Desk) -> Shown:
    """The command is carried out; an unknown one is answered with how to use it."""
    deeds: dict[str, Callable[[CommandRequest, Desk], Awaitable[Shown]]] = {
        "incident": _incident,
        "deploy": _order,
        "rollback": _order,
        "runbook": _runbook,
        "tocsin": _tocsin,
    }
    deed = deeds.get(request.command)
    return await deed(request, desk) if deed else _usage(*USAGE)


def _usage(*commands: str) -> NoteView:
    return NoteView("Usage: " + "\n".join(USAGE[c] for c in commands))


async def _incident(request: CommandRequest, desk: Desk) -> Shown:
    verb, *rest = request.words or ("list",)
    if verb == "list":
        return await list_incidents("all" in rest, desk)
    if verb == "unmatched":
        return await list_unmatched(desk)
    if verb == "silence" and noise_command.by_matchers(tuple(rest)):
        return await noise_command.silence(tuple(rest), request.person, parse_span, desk)
    if verb == "silence" and rest and not re.match(r"(?i)inc-\d+$", rest[0]) and not is_span(rest[0]):
        said = f'{rest[0][:40]!r} is neither an incident (INC-4) nor a time (2h) nor a matcher (service=payments, pod=~"web-.*").'
        return NoteView(f"{said} Nothing is silenced.")
    if verb == "silences":
        return await noise_command.silences(desk)
    if verb == "unsilence" and rest and not re.fullmatch(r"(?i)inc-\d+", rest[0]):
        return await noise_command.unsilence(rest[0], request.person, desk)
    if verb == "automation":
        return await automation(request, desk)
    if verb in regrouping.VERBS:
        return await regrouping.by_words(verb, tuple(rest), request, desk)
    if verb == "map":
        named = next((w for w in rest if re.fullmatch(r"(?i)inc-\d+", w)), "")
        return await map_incident(await desk.db.read(lambda tx: find(tx, named, request.channel, desk)), desk)
    verbs: dict[str, Callable[[Transaction, Incident, Person, str, Desk], Shown]] = {
        "show": lambda tx, i, _p, _t, d: incident_view(tx, i, d),
        "ack": lambda tx, i, p, _t, d: acknowledge(tx, i, p, d),
        "resolve": lambda tx, i, p, t, d: resolve_by(tx, i, p, t, d),
        "silence": lambda tx, i, p, t, d: silence(tx, i, p, parse_span(t), d),
        "unsilence": lambda tx, i, p, _t, d: unsilence(tx, i, p, d),
        "timeline": lambda tx, i, _p, _t, d: TimelineView(i, d.timeline.of(tx, i.id)),
        "catchup": lambda tx, i, _p, _t, d: catch_up(tx, i, d),
        "ticket": lambda tx, i, p, t, d: ticketing.ask(tx, i, p, t, d),
    }
    if verb not in verbs:
        near = difflib.get_close_matches(verb, ["list", "map", "automation", "unmatched", *regrouping.VERBS, *verbs], n=1)
        hint = f" Did you mean `/incident {near[0]}`?" if near else ""
        return NoteView(f"I do not know `/incident {verb[:40]}`.{hint}\n{USAGE['incident']}")
    named = next((w for w in rest if re.fullmatch(r"(?i)inc-\d+", w)), "")
    text = " ".join(w for w in rest if w != named)

    def go(tx: Transaction) -> Shown:
        return verbs[verb](tx, find(tx, named, request.channel, desk), request.person, redact(text), desk)

    return await fit_for(await desk.db.write(go), request.channel, desk, request.person.id)


def find(tx: Transaction, named: str, channel: str, desk: Desk) -> Incident:
    """The incident that is named, else the one this channel or the bot is busy with. Raises NotFound."""
    if named:
        incident = desk.incidents.get(tx, named.upper())
    else:
        incident, _ = about(tx, Place(channel), "", desk)
    if incident is None:
        which = f"There is no {named.upper()}." if named else "No incident is open."
        raise NotFound(f"{which} `/incident list all` shows the newest ones.")
    return incident


async def list_incidents(everything: bool, desk: Desk) -> ListView:
    """The open incidents, or the newest of any status."""

    def go(tx: Transaction) -> tuple[Incident, ...]:
        return desk.incidents.recent(tx, 20) if everything else desk.incidents.live(tx)

    title = "The newest incidents" if everything else "Open incidents"
    return ListView(title, await desk.db.read(go), empty="No incident is open. All quiet.", as_of=desk.clock())


async def _order(request: CommandRequest, desk: Desk) -> Shown:
    if verbs.is_verb(request, desk):
        return await verbs.on_words(request, parse_span, desk)
    usage = USAGE[request.command]
    if (said := verbs.mistyped(request, usage, desk)) is not None:
        return said
    if sequencing.several(request.words):
        together = sequencing.from_words(request, ActionKind(request.command), desk)
        return await sequencing.on_several(together, desk) if together else NoteView(sequencing.usage(request.command))
    asked = from_command(request, ActionKind(request.command), desk)
    return await on_order(asked, desk) if asked else verbs.unclear(request, usage, desk)


async def _runbook(request: CommandRequest, desk: Desk) -> Shown:
    if not request.text.strip():
        return _usage("runbook")
    if len(request.words) == 1 and request.words[0] in care.WHICH:
        return await care.on_care(request, desk)
    began = time.perf_counter()
    text = redact(request.text)
    reader = Reader(desk, channel=request.channel, person=request.person.id)
    found = await reader.find(inquire(text, mentioned(text, desk), None, Topic.RUNBOOK), DocumentKind.RUNBOOK)
    said = "; ".join(f"{f.document.title} › {f.section}" if f.section else f.document.title for f in found.found)
    interaction = Interaction(
        id=answer_id(request.id),
        at=desk.clock(),
        feature=Feature.RUNBOOK,
        engine="rules",
        user=request.person.id,
        code_version=desk.code_version,
        corpus_version=desk.library.corpus_version,
        question=text,
        answer=redact(said or found.note),
        retrieved=tuple(Retrieved(f.document.id, n, f.score, f.tier.value, True) for n, f in enumerate(found.found, 1)),
        latency_ms=1000 * (time.perf_counter() - began),
    )
    await desk.db.write(lambda tx: desk.journal.add(tx, interaction))
    return RunbookView(text, found.found, found.note, interaction.id)


async def _tocsin(request: CommandRequest, desk: Desk) -> Shown:
    if request.words[:1] == ("route",):
        return await route(request, desk)
    if request.words[:1] == ("status",):
        return NoteView(await status(desk))
    if request.words[:1] == ("model",):
        return await switch(request, desk)
    if request.words[:1] == ("noise",):
        return await noise_command.on_noise(request, desk)
    if request.words[:1] == ("silence",) and noise_command.by_matchers(request.words):
        return await noise_command.silence(request.words[1:], request.person, parse_span, desk)
    if request.words[:1] == ("listen",):
        return await listen(request, desk)
    if request.words[:1] == ("delivery",):
        return await on_delivery(request, desk)
    if request.words[:1] == ("budget",):
        return await budget(request, desk)
    return NoteView(
        "\n".join(USAGE.values()) + "\nOr ask me: what changed today? have we seen this before? what should I check next?"
    )


async def status(desk: Desk) -> str:
    """The bot's own state in a few lines."""

    def go(tx: Transaction) -> tuple[int, int, int, str]:
        return len(desk.incidents.live(tx)), len(desk.actions.unfinished(tx)), desk.inbox.waiting(tx), model_line(tx, desk)

    incidents, actions, waiting, model = await desk.db.read(go)
    return "\n".join(
        (
            f"Tocsin {desk.code_version}: {incidents} open incidents, {actions} actions under way, {waiting} deliveries waiting.",
            " ".join(part for part in (f"Knowledge: {desk.library.state}", desk.sources.trouble) if part),
            f"Catalogue: {len(desk.catalogue().services)} services. {model}",
        )
    )
