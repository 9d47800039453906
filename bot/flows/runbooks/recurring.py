"""What comes back every week is said on Mondays: how often, how much time it took, whether a runbook is there, whose it is."""

from bot.domain.document import DocumentKind, Inquiry, Tier
from bot.domain.incident import Incident
from bot.flows.desk import Desk
from bot.flows.runbooks.knowing import Reader
from bot.incidents.recurring import Family, families
from bot.knowledge.past import lasted
from bot.ports import Transaction

LOOKED_AT = 2_000  # incidents
KEYS = 6  # incidents named of a family


async def recurring_lines(desk: Desk) -> tuple[str, ...]:
    """One line a family, the costliest first; none if nothing came back."""

    def read(tx: Transaction) -> tuple[Incident, ...]:
        return desk.incidents.recent(tx, LOOKED_AT)

    found = families(await desk.db.read(read), desk.clock())
    return tuple([await _line(family, desk) for family in found])


async def _line(family: Family, desk: Desk) -> str:
    latest = family.incidents[-1]
    inquiry = Inquiry(name=family.name, text=latest.title, services=(family.service,))
    books = await Reader(desk, channel=desk.routing().default.channel).find(inquiry, DocumentKind.RUNBOOK, 1)
    book = next((f.document.title for f in books.found if f.tier is not Tier.POSSIBLE), "")
    keys = [i.key for i in family.incidents]
    named = ", ".join(keys[-KEYS:]) + (f" and {len(keys) - KEYS} more" if len(keys) > KEYS else "")
    often = f"{len(keys)} times in 30 days, {lasted(family.lost)} in all ({named})"
    owner = desk.catalogue().get(family.service).owner
    return " · ".join(
        (
            f"comes back: {family.name} on {family.service}, {often}",
            f"cause: {family.cause[:120]}" if family.cause else "nobody has confirmed a cause",
            f"runbook: {book}" if book else "no runbook",
            f"owner: {owner}" if owner else "no owner",
        )
    )
