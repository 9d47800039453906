"""What people ask of the bot, freed of Slack's payloads: a command typed, a question asked, a button pressed.

`id` is the same for every delivery of the same deed; flows use it as the key of what they start, so that a
repeat is harmless.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.view import Place


class Deed(StrEnum):
    """What a button means; a fixed vocabulary, the `action_id` of every button that we show."""

    ROLLBACK_PROPOSE = "rollback_propose"
    INCIDENT_ACK = "incident_ack"
    INCIDENT_SILENCE = "incident_silence"
    INCIDENT_RESOLVE = "incident_resolve"
    INCIDENT_MORE = "incident_more"
    ACTION_APPROVE = "action_approve"
    ACTION_REJECT = "action_reject"
    CAUSE_CONFIRM = "cause_confirm"
    CAUSE_OTHER = "cause_other"
    ANSWER_USEFUL = "answer_useful"
    ANSWER_NOT_USEFUL = "answer_not_useful"


class More(StrEnum):
    """What the menu of a card offers. Resolve and silence reach the flows as their own deeds."""

    TIMELINE = "timeline"
    CATCHUP = "catchup"
    RESOLVE = "resolve"
    SILENCE = "silence"
    EXPLAIN = "explain"


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: the Slack user id, the name if the payload had one, and the workspace."""

    id: str
    name: str = ""
    team_id: str = ""


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A slash command. `command` has no slash; `words` are its arguments, quoted ones kept together; `text` is all."""

    person: Person
    channel: str
    command: str
    words: tuple[str, ...]
    text: str
    trigger_id: str
    id: str


@dataclass(frozen=True, slots=True)
class Question:
    """Words addressed to the bot. The answer belongs in `place.thread`.

    `incident_hint` is "INC-42" if the text names one, else "".
    """

    person: Person
    place: Place
    text: str
    incident_hint: str
    id: str


@dataclass(frozen=True, slots=True)
class Press:
    """A button pressed, or the modal behind it sent.

    `value` is the id the button carried: of an incident, an action or an interaction. `choice` is set for
    INCIDENT_MORE: TIMELINE, CATCHUP or EXPLAIN. `text` is what the person wrote in the modal (the other cause, the
    reason for resolving), plain text.
    """

    person: Person
    place: Place
    action_id: Deed
    value: str
    trigger_id: str
    id: str
    choice: More | None = None
    text: str = ""
