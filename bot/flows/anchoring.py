"""The record's chains are checked every day; their heads leave the database: into the log here, into Slack with the digest."""

import logging
from collections.abc import Mapping

from bot.domain.audit import Head, read_head
from bot.domain.view import NoteView, Place
from bot.flows.announce import post_once
from bot.flows.desk import Desk
from bot.ports import Scalar, Transaction

log = logging.getLogger(__name__)
SEEN = "head:audit"  # the switch that remembers the last head; whoever cuts only the chain does not think of it
KEPT, POSTED = 48, 32  # digits of a hash
WHAT_NEXT = "Keep the database as it is, and run `tocsin audit verify`: it says what to do (docs/audit.md)."


async def check_chains(args: Mapping[str, Scalar], desk: Desk) -> None:
    """Both chains are checked, and that the last head is still there; a line that does not fit is said loudly, once a day."""
    faults, heads = await desk.db.read(
        lambda tx: (_faults(tx, desk), {"audit": desk.ledger.head(tx), "journal": desk.journal.head(tx)})
    )
    for chain, (count, digest) in heads.items():
        log.info("chain=%s head=%s:%s", chain, count, digest)
    if not faults:
        await desk.db.write(lambda tx: _remember(tx, heads["audit"], desk))
        return
    for fault in faults:
        log.error("%s", fault)
    place = Place(await desk.channel.channel_id(desk.routing().health))
    said = "\n".join(("The record of this bot was changed from outside.", *faults, WHAT_NEXT))
    await post_once(f"chains:{args['slot']}", place, NoteView(said, desk.routing().default.on_call), desk)


def _faults(tx: Transaction, desk: Desk) -> list[str]:
    misfit, broken = desk.ledger.misfit(tx, _seen(tx, desk)), desk.journal.broken_at(tx)
    audit = [f"Audit: {misfit}."] if misfit else []
    journal = [f"Journal: line {broken} does not fit: it was changed, or a line is missing."] if broken is not None else []
    return audit + journal


def _seen(tx: Transaction, desk: Desk) -> tuple[Head, ...]:
    kept = desk.switches.get(tx, SEEN)
    return (read_head(kept),) if kept else ()


def _remember(tx: Transaction, head: tuple[int, str], desk: Desk) -> None:
    count, digest = head
    if count:
        desk.switches.turn(tx, SEEN, str(Head(count, digest[:KEPT])), "tocsin", desk.clock())


def posted(chain: str, head: tuple[int, str]) -> str:
    """A head as the digest posts it: "audit: 120 lines, head 120:3fa9…", to be given to `tocsin audit verify --head`."""
    count, digest = head
    return f"{chain}: {count} lines, head {Head(count, digest[:POSTED])}" if count else f"{chain}: no lines yet"
