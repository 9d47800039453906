"""Somebody typed about noise: a silence by matchers, what is armed, why something was held."""

from collections.abc import Callable
from datetime import timedelta

from bot.domain.request import CommandRequest, Person
from bot.domain.view import NoteView
from bot.errors import NotAllowed
from bot.flows.desk import Desk
from bot.flows.quiet import quieting
from bot.ports import Transaction

DAY = timedelta(days=1)
NOISE_USAGE = (
    "/tocsin noise status | list [word] | explain <fingerprint or alert> | arm <kind> for <team or all> | "
    "disarm <kind> for <team or all> | silences | unsilence SIL-n"
)


def by_matchers(words: tuple[str, ...]) -> bool:
    """The words of a silence ask for alerts that match, not for one incident."""
    return any("=" in word for word in words) and not any(word.upper().startswith("INC-") for word in words)


async def silence(words: tuple[str, ...], person: Person, span: Callable[[str], timedelta], desk: Desk) -> NoteView:
    """`/incident silence service=payments pod=~"web-.*" 2h [critical] [reason]`: kept from people until then."""
    wanted = quieting.asked(words)

    def go(tx: Transaction) -> str:
        now = desk.clock()
        made = quieting.silence(
            tx, desk, wanted.matchers, span(wanted.span), person.id, now, reason=wanted.reason, critical=wanted.critical
        )
        return quieting.one_line(made, now)

    said = await desk.db.write(go)
    return NoteView(f"{said}\n`/incident unsilence SIL-n` ends it; what still fires then is told at once.")


async def unsilence(id: str, person: Person, desk: Desk) -> NoteView:
    """A silence by matchers ends now."""
    ended = await desk.db.write(lambda tx: quieting.unsilence(tx, desk, desk.work, id, person.id, desk.clock()))
    return NoteView(f"{ended.id} has ended.")


async def silences(desk: Desk) -> NoteView:
    """The silences by matchers that are in force."""
    return NoteView("\n".join(await desk.db.read(lambda tx: quieting.silences(tx, desk, desk.clock()))))


async def on_noise(request: CommandRequest, desk: Desk) -> NoteView:
    """`/tocsin noise ...`."""
    verb, *rest = request.words[1:] or ("status",)
    now = desk.clock()
    if verb in ("arm", "disarm"):
        return await _arm(verb == "arm", [word for word in rest if word != "for"], request.person, desk)
    if verb == "unsilence" and rest:
        return await unsilence(rest[0], request.person, desk)
    asked: dict[str, Callable[[Transaction], list[str]]] = {
        "status": lambda tx: quieting.status(tx, desk, now, always=desk.quiet.armed),
        "list": lambda tx: quieting.listing(tx, desk, now - DAY, " ".join(rest), 20),
        "explain": lambda tx: quieting.explain(tx, desk, " ".join(rest), now, desk.quiet),
        "silences": lambda tx: quieting.silences(tx, desk, now),
    }
    if verb not in asked or (verb == "explain" and not rest):
        return NoteView(f"Usage: {NOISE_USAGE}")
    return NoteView("\n".join(await desk.db.read(asked[verb])))


async def _arm(armed: bool, words: list[str], person: Person, desk: Desk) -> NoteView:
    """Arming is for known people, since alerts are kept back from then on; disarming is for everybody."""
    ruling = desk.policies().may_switch_on(person.id)
    if armed and not ruling.allowed:
        raise NotAllowed(f"{ruling.reason}.")
    kind, team = (*words, "", "")[0], " ".join(words[1:])
    return NoteView(await desk.db.write(lambda tx: quieting.arm(tx, desk, kind, team, person.id, desk.clock(), armed=armed)))
