"""The charts of an incident: drawn after news, handed to the chat, shown in one message of the thread."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from bot.charts import draw
from bot.domain.chart import Chart, Drawn, DrawnSet
from bot.errors import NotAllowed, Unavailable
from bot.flows.announce import want
from bot.flows.desk import Desk
from bot.flows.investigation import collect
from bot.investigation.charts import charts
from bot.investigation.picture import paint
from bot.ports import Scalar, Transaction

log = logging.getLogger(__name__)
MOST_TRIES = 4
PAUSE = timedelta(minutes=1)


async def draw_incident(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The thread shows the charts of what is known now; what looks as before is left as it is."""
    id = str(args["incident_id"])
    incident = await desk.db.read(lambda tx: desk.incidents.get(tx, id))
    diagnosis = await desk.db.read(lambda tx: desk.diagnoses.latest(tx, id))
    if incident is None or diagnosis is None:
        return
    case = await collect(incident, desk)
    made = await asyncio.to_thread(lambda: charts(case, paint(case), diagnosis))
    before = await desk.db.read(lambda tx: desk.charts.get(tx, id))
    looks = hashlib.sha256(repr(made).encode()).hexdigest()[:24]
    if not made or (before is not None and before.looks == looks):
        return
    try:
        drawn = DrawnSet(await hand_over(made, incident.key, desk), looks)
    except NotAllowed as error:
        log.warning("charts are not shown: %s", error)
        return
    except Unavailable as error:
        await _try_again(args, error, desk)
        return

    def keep(tx: Transaction) -> None:
        desk.charts.put(tx, id, drawn, desk.clock())
        want(tx, f"charts:{id}", desk)

    await desk.db.write(keep)


async def _try_again(args: Mapping[str, Scalar], error: Unavailable, desk: Desk) -> None:
    """A courtesy is tried a few times, not until it succeeds: each try asks the sources again."""
    tries = int(args.get("tries") or 1)
    if tries >= MOST_TRIES:
        log.warning("charts are not shown after %s tries: %s", tries, error)
        return
    id = str(args["incident_id"])
    due = desk.clock() + timedelta(seconds=max(error.retry_after or 0, PAUSE.total_seconds()))
    more: dict[str, Scalar] = {**args, "tries": tries + 1}
    await desk.db.write(
        lambda tx: desk.work.start(tx, "investigate", "draw", f"draw:{id}:{desk.new_id()}", more, partition=id, not_before=due)
    )


async def hand_over(made: Sequence[Chart], about: str, desk: Desk) -> tuple[Drawn, ...]:
    """The charts as the chat keeps them. Raises Unavailable, and NotAllowed where the bot may hand over no files."""
    drawn = []
    for chart in made:
        png = await asyncio.to_thread(draw, chart)
        name = f"{about.lower()}-{type(chart).__name__.removesuffix('Chart').lower()}.png"
        drawn.append(Drawn(await desk.channel.upload(name, png, title=chart.title, alt=chart.alt), chart.title, chart.alt))
    return tuple(drawn)
