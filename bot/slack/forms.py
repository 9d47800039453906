"""The form for an incident that a person opens, and menus of services. Pure: values in, a modal out."""

from bot.domain.alert import Severity
from bot.domain.request import Opening
from bot.slack.blocks import Block
from bot.slack.blocks.modal import OPTIONS, asked, modal, option, select, words
from bot.slack.vocabulary import (
    INPUT_ACTION,
    MODAL_OPEN,
    OPEN_SERVICE,
    SERVICE_BLOCK,
    SEVERITY_BLOCK,
    TITLE_BLOCK,
)

LONGEST_TITLE = 150
SEVERITIES = {
    Severity.SEV1: "SEV1 · everything is down",
    Severity.SEV2: "SEV2 · people notice",
    Severity.SEV3: "SEV3 · degraded",
    Severity.SEV4: "SEV4 · minor",
}


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
        asked(SERVICE_BLOCK, "Service", service_menu(OPEN_SERVICE, services, opening.service)),
        asked(SEVERITY_BLOCK, "How bad is it?", select(INPUT_ACTION, levels, chosen=opening.severity.value)),
    ]
    return modal(MODAL_OPEN, "Open an incident", "Open", carried, blocks)


def service_menu(action: str, services: tuple[str, ...], chosen: str) -> Block:
    """One of the services; a field for its name where none is known."""
    if not services:
        return words(action, given=chosen, most=100)
    return select(action, [(s, s) for s in services], chosen=chosen, prompt="Choose a service")


def suggestions(services: tuple[str, ...], typed: str) -> list[Block]:
    """The services that fit what a person has typed so far: those that begin so, then those that hold it."""
    low = typed.strip().lower()
    fitting = [s for s in services if low in s.lower()]
    return [option(s, s) for s in sorted(fitting, key=lambda s: (not s.lower().startswith(low), s))[:OPTIONS]]
