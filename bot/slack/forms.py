"""The forms that a person fills in from nothing: a deploy, a rollback, an incident. Pure: values in, a modal out."""

from bot.domain.action import ActionKind
from bot.domain.alert import Severity
from bot.domain.request import Opening
from bot.domain.view import OrderForm
from bot.slack.blocks import Block
from bot.slack.blocks.modal import OPTIONS, asked, modal, option, select, words
from bot.slack.vocabulary import (
    ENVIRONMENT_BLOCK,
    FORM_SERVICE,
    INPUT_ACTION,
    MODAL_DEPLOY,
    MODAL_OPEN,
    MODAL_ROLLBACK,
    OPEN_SERVICE,
    PREVIOUS,
    REASON_BLOCK,
    SERVICE_BLOCK,
    SEVERITY_BLOCK,
    TITLE_BLOCK,
    VERSION_BLOCK,
)

LONGEST_TITLE = 150
CALLBACKS = {ActionKind.DEPLOY: MODAL_DEPLOY, ActionKind.ROLLBACK: MODAL_ROLLBACK}
SEVERITIES = {
    Severity.SEV1: "SEV1 · everything is down",
    Severity.SEV2: "SEV2 · people notice",
    Severity.SEV3: "SEV3 · degraded",
    Severity.SEV4: "SEV4 · minor",
}


def order_modal(form: OrderForm, channel: str) -> Block:
    """The form for a deploy or rollback as far as it can be offered; choosing a service has it made again."""
    service = asked(SERVICE_BLOCK, "Service", _service(FORM_SERVICE, form.services, form.service), dispatch=bool(form.services))
    places = [(e, e) for e in form.environments[:OPTIONS]]
    chosen = form.environment if form.environment in form.environments else ""
    environment = asked(ENVIRONMENT_BLOCK, "Environment", select(INPUT_ACTION, places, chosen=chosen))
    reason = asked(REASON_BLOCK, "Why?", words(INPUT_ACTION, multiline=True), hint="Shown to whoever approves.", optional=True)
    title = form.kind.value.capitalize()
    blocks = [service, environment, _version(form), reason]
    return modal(CALLBACKS[form.kind], title, "Make the plan", {"channel": channel, "kind": form.kind.value}, blocks)


def _version(form: OrderForm) -> Block:
    """A choice among what ran before where that is known, else a field; its id changes with the service, so it starts empty."""
    block = f"{VERSION_BLOCK}:{form.service}"[:255]
    now = f"{form.current} runs now. " if form.current else ""
    if form.kind is ActionKind.DEPLOY:
        ran = f"Ran before: {', '.join(form.versions[:5])}." if form.versions else ""
        return asked(block, "Version", words(INPUT_ACTION, most=128), hint=f"{now}{ran}".strip())
    before = [v for v in form.versions if v != form.current]
    if not before:
        hint = f"{now}Leave it empty for the newest healthy version before the current one."
        return asked(block, "Back to version", words(INPUT_ACTION, most=128), hint=hint, optional=True)
    choices = [(PREVIOUS, "the newest healthy one before"), *((v, v) for v in before[: OPTIONS - 1])]
    return asked(block, "Back to version", select(INPUT_ACTION, choices, chosen=PREVIOUS), hint=now.strip())


def opening_modal(opening: Opening, services: tuple[str, ...]) -> Block:
    """The form for an incident that a person opens from a message; its title is prefilled."""
    place = opening.place
    carried = {
        "channel": place.channel,
        "ts": place.ts,
        "thread": place.thread,
        "said_by": opening.said_by,
        "text": opening.text[:1000],  # JSON may make two characters of one, and 3,000 is all that a modal carries
    }
    levels = [(s.value, text) for s, text in SEVERITIES.items()]
    blocks = [
        asked(TITLE_BLOCK, "What is wrong?", words(INPUT_ACTION, given=opening.title, most=LONGEST_TITLE)),
        asked(SERVICE_BLOCK, "Service", _service(OPEN_SERVICE, services, opening.service)),
        asked(SEVERITY_BLOCK, "How bad is it?", select(INPUT_ACTION, levels, chosen=opening.severity.value)),
    ]
    return modal(MODAL_OPEN, "Open an incident", "Open", carried, blocks)


def _service(action: str, services: tuple[str, ...], chosen: str) -> Block:
    if not services:
        return words(action, given=chosen, most=100)
    return select(action, [(s, s) for s in services], chosen=chosen, prompt="Choose a service")


def suggestions(services: tuple[str, ...], typed: str) -> list[Block]:
    """The services that fit what a person has typed so far: those that begin so, then those that hold it."""
    low = typed.strip().lower()
    fitting = [s for s in services if low in s.lower()]
    return [option(s, s) for s in sorted(fitting, key=lambda s: (not s.lower().startswith(low), s))[:OPTIONS]]
