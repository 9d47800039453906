"""What people ask of the bot, freed of Slack's payloads: a command typed, a question asked, a button pressed.

`id` is the same for every delivery of the same deed; flows use it as the key of what they start, so that a
repeat is harmless.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.action import ActionKind, Claim
from bot.domain.alert import Severity
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
    ACTION_ASK = "action_ask"
    ACTION_RAN = "action_ran"
    ACTION_DID_NOT_RUN = "action_did_not_run"
    ACTION_BACK = "action_back"
    STEP_PROPOSE = "step_propose"
    STEP_RUN = "step_run"
    ACTION_CANCEL = "action_cancel"
    BATCH_APPROVE = "batch_approve"
    BATCH_REJECT = "batch_reject"
    BATCH_STOP = "batch_stop"
    HISTORY_OLDER = "history_older"
    HISTORY_NEWER = "history_newer"
    CAUSE_CONFIRM = "cause_confirm"
    CAUSE_OTHER = "cause_other"
    ANSWER_USEFUL = "answer_useful"
    ANSWER_NOT_USEFUL = "answer_not_useful"
    SERVICE_MAP = "service_map"
    SERVICE_UNMAP = "service_unmap"
    SUGGESTION_JUDGE = "suggestion_judge"
    SUGGESTION_LINK = "suggestion_link"
    DRAFT_RUNBOOK = "draft_runbook"
    DRAFT_APPROVE = "draft_approve"
    DRAFT_DISCARD = "draft_discard"


class More(StrEnum):
    """What the menu of a card offers. Resolve and silence reach the flows as their own deeds."""

    TIMELINE = "timeline"
    CATCHUP = "catchup"
    RESOLVE = "resolve"
    SILENCE = "silence"
    EXPLAIN = "explain"
    REGROUP = "regroup"
    UNDO = "undo"


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
    INCIDENT_MORE: TIMELINE, CATCHUP, EXPLAIN, REGROUP or UNDO. `text` is what the person wrote in the modal (the other
    cause, the reason for resolving or silencing) or chose (a service), plain text; `span` how long to be silent ("2h"),
    `cause` the cause that a person names while resolving. A suggestion's `value` is what it stood under ("incident:<id>" or
    "answer:<id>"), its `text` the verb and the document ("useful:<reference>"); of the form that links a runbook `choice_ref`
    is the document chosen, `text` a link or title that was pasted.
    """

    person: Person
    place: Place
    action_id: Deed
    value: str
    trigger_id: str
    id: str
    choice: More | None = None
    text: str = ""
    span: str = ""
    cause: str = ""
    choice_ref: str = ""


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A deploy or rollback that a person asks for; `version` "" means the one before, `environment` "" the default one."""

    person: Person
    channel: str
    kind: ActionKind
    service: str
    version: str
    environment: str
    reason: str
    id: str
    claim: Claim = Claim.NONE  # `reason` says why
    dry: bool = False  # the plan alone is wanted


@dataclass(frozen=True, slots=True)
class Opening:
    """A person wants an incident opened from the message at `place`. `said_by` is its author's user id, `text` its words."""

    person: Person
    place: Place
    service: str
    severity: Severity
    title: str
    said_by: str
    text: str
    id: str


@dataclass(frozen=True, slots=True)
class Regroup:
    """A person wants an incident merged, split or told apart. `deed` is merge, split, unrelated or undo.

    `other` is the id of another incident, `problem` a fingerprint or a service; "" where the deed needs none.
    """

    person: Person
    place: Place
    incident_id: str
    deed: str
    other: str
    problem: str
    id: str


@dataclass(frozen=True, slots=True)
class Pin:
    """A person wants the message at `place` in its incident's timeline; `asked` in words, by a shortcut, or by a reaction."""

    person: Person
    place: Place
    asked: bool
    id: str


@dataclass(frozen=True, slots=True)
class SeveralRequest:
    """Deploys or rollbacks of several services that a person asks for together: (service, version or "" for the one before)."""

    person: Person
    channel: str
    kind: ActionKind
    parts: tuple[tuple[str, str], ...]
    environment: str
    reason: str
    id: str
    claim: Claim = Claim.NONE
