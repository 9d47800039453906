"""A rollback broke what needs the guilty change: the bot says so, one button plans the way back, its owner repairs forward."""

from bot.demo.director import Performance
from bot.demo.reading import Seen
from bot.demo.scene import APPROVER, ON_CALL, Play, TooLate
from bot.demo.stories import REPAIR_3

TAKE_BACK, APPROVE = "Take it back", "Approve"
WORSE, WORSE_WITHIN = "It made things worse", 90.0
PLAN_WITHIN, RUN_WITHIN = 30.0, 40.0


async def take_back(play: Play, performance: Performance, card: Seen) -> None:
    """From the verification that says so to the repair. Raises TooLate if something of it does not happen."""
    guilty = performance.guilty
    if guilty is None or guilty.change.service is None:
        raise TooLate("the guilty change did not ship")
    service, grounds = guilty.change.service, play.estate.grounds

    async def worse() -> Seen | None:
        return next((seen for seen in await play.around(card) if WORSE in seen.text and seen.button(TAKE_BACK)), None)

    said = await play.until(worse, WORSE_WITHIN, "nobody is told that the rollback made things worse")
    play.tell(f"the rollback's message says:\n{said.text}")
    button = said.button(TAKE_BACK)
    if button is None:
        raise TooLate("the message has no button for the way back")
    play.tell(f"{ON_CALL} presses {button.label!r}")
    await play.on_call.press(said, button)
    await _approve(play, card)

    async def back() -> bool | None:
        current = grounds.deploys.current(service)
        return True if current and current.version == guilty.version else None

    await play.until(back, RUN_WITHIN, f"{service} {guilty.version} is not back")
    play.tell(f"{service} runs {guilty.version} again; its owner repairs forward")
    await grounds.ship(REPAIR_3)


async def _approve(play: Play, card: Seen) -> None:
    async def plan() -> Seen | None:
        return next((seen for seen in await play.around(card) if seen.button(APPROVE)), None)

    proposal = await play.until(plan, PLAN_WITHIN, "no plan to approve appeared")
    approve = proposal.button(APPROVE)
    if approve is None:
        raise TooLate("the plan has no button to approve")
    play.tell(f"{APPROVER} presses {approve.label!r}")
    await play.approver.press(proposal, approve)
