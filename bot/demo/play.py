"""Plays stories without a page, through the doors that people use: reads the card, presses the buttons, looks at the shop.

All that is known here of the bot is what its messages say.
"""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp

from bot.demo.director import Performance
from bot.demo.estate import Estate
from bot.demo.persona import WorkspaceRefused
from bot.demo.reading import Said, Seen, cause_said, folded, is_resolved, names
from bot.demo.scene import APPROVER, ON_CALL, OUTSIDER, Play, Say, TooLate
from bot.demo.shop import SERVICES
from bot.demo.stories import STORIES, Story, seeded
from bot.demo.table import Row, blames_newest
from bot.demo.way_back import take_back

ROLL_BACK, APPROVE, CONFIRM = "Roll back", "Approve", "Yes"
ALERT_WITHIN, CARD_WITHIN, VERDICT_WITHIN = 60.0, 20.0, 60.0
PLAN_WITHIN, RUN_WITHIN, HEALTHY_WITHIN, RESOLVED_WITHIN = 30.0, 40.0, 45.0, 60.0
__all__ = ["STORIES", "Outcome", "play_seed", "play_stories", "play_story"]


@dataclass(slots=True)
class Outcome:
    """How a story ended. It went as told if there are no `faults`."""

    story: str
    faults: list[str] = field(default_factory=list)
    alerts: int = 0
    cards: int = 0
    vendor_runs: int = 0
    seconds: float = 0.0
    card_after: float | None = None

    @property
    def ok(self) -> bool:
        return not self.faults


async def play_stories(workspace_url: str, estate: Estate, say: Say) -> list[Outcome]:
    """All stories, one after the other."""
    return [await play_story(workspace_url, estate, story, say) for story in STORIES.values()]


async def play_story(workspace_url: str, estate: Estate, story: Story, say: Say) -> Outcome:
    """One story to its end, with what a person on call and an approver do in it."""
    outcome = Outcome(story.name)
    runs, events = estate.grounds.deploys.vendor_runs, estate.grounds.alertmanager.events
    async with _played(workspace_url, estate, say) as play:
        try:
            performance = await play.begin(story)
            card = await _card(play, performance, outcome)
            card, said = await _verdict(play, card, story)
            if story.guilty:
                await _roll_back(play, performance, card, said, outcome)
            else:
                _check_no_blame(card, said, outcome)
            if story.needing:
                await take_back(play, performance, card)
            await _ends_well(play, card)
            if not story.guilty:
                _check_no_blame(await play.again(card), said, outcome)
        except (TooLate, WorkspaceRefused) as error:
            outcome.faults.append(str(error))
        outcome.seconds = play.elapsed
        outcome.cards = len(await play.cards())
        outcome.vendor_runs = estate.grounds.deploys.vendor_runs - runs
        outcome.alerts = estate.grounds.alertmanager.events - events
        _check_counts(outcome, (1 if story.guilty else 0) + (1 if story.needing else 0))
        play.tell(f"{outcome.alerts} alerts -> {outcome.cards} card{'' if outcome.cards == 1 else 's'}")
        play.tell(f"vendor runs: {outcome.vendor_runs}")
        play.tell("as told" if outcome.ok else "NOT as told: " + "; ".join(outcome.faults))
    return outcome


async def play_seed(workspace_url: str, estate: Estate, seed: int, say: Say) -> Row:
    """A story of the seed's choice up to the verdict on the card, compared with the truth; nothing is repaired."""
    story, said = seeded(seed), Said("", (), "")
    async with _played(workspace_url, estate, say) as play:
        performance = await play.begin(story)
        try:
            card = await _card(play, performance, Outcome(story.name))
            card, said = await _verdict(play, card, story)
        except TooLate as late:
            play.tell(str(late))
        return _row(seed, performance, said)


def _row(seed: int, performance: Performance, said: Said) -> Row:
    guilty = performance.guilty
    sha = guilty.sha if guilty else ""
    right = names(said, sha) if guilty else said.verdict == "operational"
    label = performance.story.guilty.key if performance.story.guilty else "no guilty change"
    return Row(seed, label, said.verdict, said.first, sha, right, blames_newest(performance))


@contextlib.asynccontextmanager
async def _played(workspace_url: str, estate: Estate, say: Say) -> AsyncIterator[Play]:
    async with aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield Play(session, workspace_url, estate, say)


async def _card(play: Play, performance: Performance, outcome: Outcome) -> Seen:
    async def alert() -> str | None:
        return performance.first_alert_service if performance.first_alert else None

    service = await play.until(alert, ALERT_WITHIN, "no alert fired")
    alerted = time.monotonic()
    play.tell(f"the first alert fires: {service}")

    async def card() -> Seen | None:
        return next(iter(await play.cards()), None)

    found = await play.until(card, CARD_WITHIN, "no card appeared")
    outcome.card_after = time.monotonic() - alerted
    play.tell(f"a card appears in #{(await play.on_call.channels())[found.channel]}: {found.key}")
    return found


async def _verdict(play: Play, card: Seen, story: Story) -> tuple[Seen, Said]:
    """The card with its verdict; an undetermined one is given time to become better."""
    wanted = "convicted" if story.guilty else "operational"
    latest = card

    async def decided() -> Seen | None:
        nonlocal latest
        latest = await play.again(card)
        return latest if cause_said(latest).verdict == wanted else None

    with contextlib.suppress(TooLate):
        await play.until(decided, VERDICT_WITHIN, "no verdict")
    said = cause_said(latest)
    play.tell(f"the card says ({folded(latest)} alerts folded so far):\n{latest.text}")
    return latest, said


async def _roll_back(play: Play, performance: Performance, card: Seen, said: Said, outcome: Outcome) -> None:
    guilty = performance.guilty
    if guilty is None or guilty.change.service is None:
        raise TooLate("the guilty change did not ship")
    if not names(said, guilty.sha):
        outcome.faults.append(f"the card names {said.first or 'no commit'}, the cause is {guilty.sha[:7]}")
    service, grounds = guilty.change.service, play.estate.grounds
    button = card.button(ROLL_BACK)
    if button is None:
        raise TooLate("the card offers no rollback")
    play.tell(f"{ON_CALL} presses {button.label!r}")
    await play.on_call.press(card, button)

    async def plan() -> Seen | None:
        return next((seen for seen in await play.around(card) if seen.button(APPROVE)), None)

    proposal = await play.until(plan, PLAN_WITHIN, "no plan to approve appeared")
    play.tell(f"the plan:\n{proposal.text}")
    approve = proposal.button(APPROVE)
    if approve is None:
        raise TooLate("the plan has no button to approve")
    await _outsider_is_refused(play, proposal, outcome)
    play.tell(f"{APPROVER} presses {approve.label!r}")
    await play.approver.press(proposal, approve)

    async def switched() -> str | None:
        current = grounds.deploys.current(service)
        return current.version if current and current.version != guilty.version else None

    version = await play.until(switched, RUN_WITHIN, f"{service} still runs {guilty.version}")
    play.tell(f"{service} runs {version} again")


async def _outsider_is_refused(play: Play, proposal: Seen, outcome: Outcome) -> None:
    button = proposal.button(APPROVE)
    before = len(await play.outsider.whispers())
    if button is None:
        return
    await play.outsider.press(proposal, button)

    async def refusal() -> str | None:
        whispers = await play.outsider.whispers()
        return whispers[-1] if len(whispers) > before else None

    try:
        words = await play.until(refusal, 5.0, "the outsider was not told why")
        play.tell(f"{OUTSIDER} presses {button.label!r} and is refused: {words}")
    except TooLate as late:
        outcome.faults.append(str(late))


def _check_no_blame(card: Seen, said: Said, outcome: Outcome) -> None:
    if said.verdict != "operational":
        outcome.faults.append(f"the card does not say that no change is to blame: {said.words or 'nothing'}")
    if card.button(ROLL_BACK):
        outcome.faults.append("the card offers a rollback although no change is guilty")


async def _ends_well(play: Play, card: Seen) -> None:
    async def healthy() -> bool | None:
        return True if is_healthy(play.estate) else None

    await play.until(healthy, HEALTHY_WITHIN, "the shop is not healthy")
    play.tell("the shop is healthy; the alerts have cleared")

    async def resolved() -> Seen | None:
        latest = await play.again(card)
        return latest if is_resolved(latest) else None

    ended = await play.until(resolved, RESOLVED_WITHIN, "the incident is not resolved")
    play.tell(f"the card ends:\n{ended.text}")

    async def question() -> Seen | None:
        return next((seen for seen in await play.around(card) if seen.button(CONFIRM)), None)

    asked = await play.until(question, PLAN_WITHIN, "nobody is asked for the actual cause")
    button = asked.button(CONFIRM)
    if button is None:
        raise TooLate("the question for the cause has no button")
    play.tell(f"{ON_CALL} is asked for the cause and presses {button.label!r}")
    await play.on_call.press(asked, button)

    async def confirmed() -> bool | None:
        seen = [await play.again(card), *await play.around(card)]
        return True if any("Cause, confirmed" in one.text for one in seen) else None

    await play.until(confirmed, PLAN_WITHIN, "the confirmed cause is not written down")
    play.tell("the cause is confirmed and kept as a past incident")


def _check_counts(outcome: Outcome, runs: int) -> None:
    if outcome.cards != 1:
        outcome.faults.append(f"{outcome.cards} cards appeared, expected 1")
    if outcome.vendor_runs != runs:
        outcome.faults.append(f"{outcome.vendor_runs} vendor runs, expected {runs}")


def is_healthy(estate: Estate) -> bool:
    """Whether no alert fires and no service answers with errors."""
    grounds = estate.grounds
    ratios = [grounds.telemetry.value("http_request_error_ratio", service) for service in SERVICES]
    return not grounds.prober.firing and all((ratio or 0.0) <= 0.05 for ratio in ratios)
