"""What people are shown: plain values, ready to be read; `slack` makes blocks of them.

Texts here are unescaped plain text unless a field says Markdown. Slack user ids stay ids; `slack` turns them into mentions.
"""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.action import Action
from bot.domain.attribution import ServiceMapping, Unmatched
from bot.domain.automation import Offer
from bot.domain.care import Draft
from bot.domain.change import Change
from bot.domain.chart import Drawn
from bot.domain.deployments import HistoryView, StatusView
from bot.domain.document import Found
from bot.domain.evidence import Diagnosis, Thought
from bot.domain.incident import Entry, Incident


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the chat: channel id and message ts; `thread` is the thread's first ts."""

    channel: str
    ts: str = ""
    thread: str = ""


@dataclass(frozen=True, slots=True)
class IncidentView:
    """All that the card of an incident tells, and nothing it does not."""

    incident: Incident
    diagnosis: Diagnosis | None
    action: Action | None  # the newest action of this incident
    may_propose: str  # the version that a rollback would bring back, or "" when none is offered
    as_of: datetime
    looking: bool = False  # the first look is still going on
    quiet_until: datetime | None = None  # nobody is mentioned before: quiet hours
    may_propose_with: tuple[str, ...] = ()  # other services that the same change shipped: they go back together
    notices: tuple[str, ...] = ()  # "rules only (no model configured)", "a new version is not indexed yet" ...
    steps: tuple[Offer, ...] = ()  # typed steps of runbooks that fit


@dataclass(frozen=True, slots=True)
class PointerView:
    """A pointer in another channel: where the card is and why this channel is told."""

    incident: Incident
    why: str
    card: Place
    permalink: str = ""


@dataclass(frozen=True, slots=True)
class ActionView:
    """The one message of an action, edited in place."""

    action: Action
    incident: Incident | None
    as_of: datetime
    approvers: tuple[str, ...] = ()  # who may still approve it: they are addressed by name
    groups: tuple[str, ...] = ()  # the chat's user groups whose people may approve it too, as policies.yaml names them
    cancels: bool = False  # it can be stopped still
    minutes: int = 0  # for how long it has been running, or been watched


@dataclass(frozen=True, slots=True)
class BatchView:
    """The one message of several actions that were asked for together, in the order in which they run.

    `note` says what the order rests on where the graph does not tell it, `standing` what stands now. `approvers` may still
    approve one of them at least; `cancels`: the run that is under way can be stopped.
    """

    batch: str
    parts: tuple[Action, ...]
    incident: Incident | None
    as_of: datetime
    note: str = ""
    standing: str = ""
    approvers: tuple[str, ...] = ()
    cancels: bool = False


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something worth asking: the words of its button, and the question."""

    title: str
    message: str


@dataclass(frozen=True, slots=True)
class Offered:
    """A document that an answer showed, so that people can say whether it was the right one."""

    id: str
    title: str
    tier: str = ""


@dataclass(frozen=True, slots=True)
class AnswerView:
    """An answer to a question: Markdown, with the evidence it cites, how it was made, and the journal's id for feedback."""

    markdown: str
    engine: str
    interaction_id: str = ""
    evidence: tuple[tuple[str, str, str], ...] = ()  # (E-id, text, link)
    offered: tuple[Offered, ...] = ()  # runbooks and past incidents that it showed


@dataclass(frozen=True, slots=True)
class ListView:
    """Incidents in short, for `/incident list` and digests."""

    title: str
    incidents: tuple[Incident, ...]
    empty: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class RegroupForm:
    """What a person may choose from to merge or split an incident: (id, words) of others, (id, words) of its problems."""

    incident_id: str
    key: str
    others: tuple[tuple[str, str], ...]
    problems: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TimelineView:
    """What happened in an incident, oldest first."""

    incident: Incident
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class CatchupView:
    """What a person who joins late needs to know, read alone."""

    view: IncidentView
    entries: tuple[Entry, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class RunbookView:
    """What a search for runbooks found; `note` tells of a search by words only, or that nothing fits."""

    question: str
    found: tuple[Found, ...]
    note: str = ""
    interaction_id: str = ""


@dataclass(frozen=True, slots=True)
class ConfirmView:
    """Asks the person on call what the cause really was; `quiet`: without mentioning anybody."""

    incident: Incident
    diagnosis: Diagnosis | None
    quiet: bool = False
    may_draft: bool = False  # no runbook is there for it, and one can be drafted from what people did


@dataclass(frozen=True, slots=True)
class DigestView:
    """The daily summary of one channel or of all."""

    title: str
    lines: tuple[str, ...]
    open_incidents: tuple[Incident, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class NoteView:
    """A short line to people: a refusal, a confirmation, a reminder. Plain text; `mention` are user ids to address.

    `named` are the user ids in the text, which are shown as those people.
    """

    text: str
    mention: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """The whole reasoning behind a card, for its thread: every piece of evidence, every score, what was ruled out."""

    incident: Incident
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class ThoughtView:
    """What a model made of the evidence of an incident: the one message of it in the thread, edited in place."""

    key: str  # "INC-42"
    thought: Thought


@dataclass(frozen=True, slots=True)
class ChartsView:
    """What is better looked at than read, in the thread of an incident or of a question: one message, edited in place."""

    about: str  # "INC-42", or what somebody asked to see
    charts: tuple[Drawn, ...]


@dataclass(frozen=True, slots=True)
class FiguresView:
    """Figures in parts (a heading and its lines), what they leave out, and the pictures that show them."""

    title: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]
    charts: tuple[Drawn, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class UnmatchedView:
    """Alerts that no service was found for, what people said of such, and the services that one can choose."""

    rows: tuple[Unmatched, ...]
    mappings: tuple[ServiceMapping, ...]
    services: tuple[str, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CareRow:
    """A runbook, or an alert without one, and what is to be said of it."""

    title: str
    owner: str
    lines: tuple[str, ...]
    link: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class CareView:
    """What of the runbooks needs somebody, the worst first; `count` are all there are, `empty` what is said of none."""

    title: str
    rows: tuple[CareRow, ...]
    count: int
    note: str
    empty: str


@dataclass(frozen=True, slots=True)
class DraftView:
    """A drafted runbook, for the thread of its incident; `to` says where it goes once somebody approves it."""

    draft: Draft
    key: str  # "INC-42"
    to: str


@dataclass(frozen=True, slots=True)
class HomeView:
    """A person's home page; never a message.

    `mine` are the live incidents that this person acknowledged, is on call for, or whose service the person's team owns;
    `incidents` are all live ones; `approvals` wait for this person; `under_way` are the actions that run.
    """

    mine: tuple[Incident, ...]
    incidents: tuple[Incident, ...]
    approvals: tuple[Action, ...]
    under_way: tuple[Action, ...]
    as_of: datetime
    automation: str = ""  # whether the bot may act by itself, in one line; "" where nothing is automated


@dataclass(frozen=True, slots=True)
class Said:
    """A message that stands in the chat: who said it (a user id, or a bot's), what, when, and in which thread."""

    place: Place
    by: str
    text: str
    at: datetime


Shown = (
    IncidentView
    | PointerView
    | ActionView
    | BatchView
    | AnswerView
    | ListView
    | TimelineView
    | CatchupView
    | RunbookView
    | ConfirmView
    | DigestView
    | NoteView
    | EvidenceView
    | ChartsView
    | FiguresView
    | ThoughtView
    | UnmatchedView
    | CareView
    | DraftView
    | StatusView
    | HistoryView
)
