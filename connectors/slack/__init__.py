"""What other apps post into a Slack channel: Alertmanager, Grafana, Datadog, PagerDuty, Sentry, and whoever says "[FIRING] ...".

Nothing comes in by HTTP here: `bot.slack.listen` keeps the events of channels that opted in, this reads them. The words for the
service vary between a message and its end, so they are no part of the alert's identity; who posts and the title's subject are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from bot.domain.alert import Alert, Severity
from bot.domain.handling import Deed, Handling
from bot.domain.payload import Node, read_json
from bot.domain.vocabulary import SEVERITIES, environment_of, first, line, link, service_of, severity_of
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Event, Ignored, Parsed
from connectors.slack.pieces import Piece, above, pieces
from connectors.slack.words import Headline, State, by_color, headline, name_of, pairs, said_later, word

NAME = "slack"
MONITORS = (
    "alertmanager", "prometheus", "grafana", "datadog", "pagerduty", "sentry", "opsgenie", "new relic", "newrelic", "cloudwatch",
    "zabbix", "uptime kuma", "checkly", "honeycomb", "dynatrace", "pingdom", "statuspage", "nagios", "icinga", "elastic",
)  # fmt: skip
ENVIRONMENTS = frozenset(
    ("production", "prod", "staging", "stage", "development", "dev", "test", "testing", "qa", "uat", "preprod")
)
_WORD_SEVERITY = frozenset(word for words in SEVERITIES.values() for word in words)
_NO_STATE = "a bot's message that does not say whether an alert fires or is over"


class SlackAlerts(BaseModel):
    """[connectors.slack]: the ids of channels in which other apps' alerts are heard, besides those switched on by command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SlackMessages:
    """Events of Slack in, alerts out. A person's words never become an alert."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:  # noqa: ARG002  the same shape as the others
        """Raise BadSignature: Slack's own door checks its events, none come in here."""
        raise BadSignature("Messages of Slack come in through the bot's Slack app, not through this door.")

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  the same shape as the others
        """`bot.slack.listen` makes the id."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The alerts that a message tells of; an edit is read as the same alerts, further on."""
        event = read_json(delivery.body).object()
        if event["type"].text() != "message":
            raise BadPayload("a message event is documented here", path="$.type")
        channel, subtype = event["channel"].needed(), event["subtype"].text()
        if subtype == "message_deleted":
            return (Ignored("a message was deleted"),)
        message = event["message"].object() if subtype == "message_changed" else event
        ts = message["ts"].needed()
        if not message["bot_id"].text():
            return (Ignored("a person wrote it"),)
        if message["thread_ts"].text() not in ("", ts):
            return (Ignored("a reply in a thread"),)
        before = event["previous_message"] if subtype == "message_changed" else Node(None)
        post = _Post(f"{channel}:{ts}", _app(message), _moment(ts, delivery.received_at), _now(event, ts, delivery.received_at))
        return _events(post, message, before) or (Ignored(_NO_STATE),)


@dataclass(frozen=True, slots=True)
class _Post:
    """A message: `ref` is where it stands, `at` when it was posted, `now` when it was posted or edited last."""

    ref: str
    app: str
    at: datetime
    now: datetime


def _events(post: _Post, message: Node, before: Node) -> Parsed:
    top = headline(above(message))
    old = pieces(before) if isinstance(before.value, dict) else ()
    events: list[Event] = []
    for number, piece in enumerate(pieces(message)):
        head = headline(piece.title)
        state = _state(piece, head, top, post.app)
        if state is None:
            continue
        if number < len(old):  # what it was called first is what it is called
            head = headline(old[number].title)
        if state is State.ACKNOWLEDGED:
            events.append(Handling(NAME, Deed.ACKNOWLEDGED, post.now, ref=post.ref, by=_by(piece)))
        else:
            events.append(_alert(post, piece, head, state))
    return tuple(events)


def _state(piece: Piece, head: Headline, top: Headline, app: str) -> State | None:
    """What the title says, a field, a later line, the message above; a known monitor's colour last. None: it says nothing."""
    fields = piece.fields or {}
    known = any(monitor in app.lower() for monitor in MONITORS)
    later = said_later(piece.text) if known else None
    field = word(fields.get("status", "") or fields.get("state", ""))
    told = (later if later and later is not head.state else None) or head.state or field or top.state
    if told is None and known and piece.link:
        told = by_color(piece.color) or (State.FIRING if "sentry" in app.lower() else None)
    return told


def _alert(post: _Post, piece: Piece, head: Headline, state: State) -> Alert:
    known = pairs(piece.text, piece.fields or {})
    service = service_of(known)[0]
    if service == "unknown":
        service = known.get("project", service)
    identity = {"app": post.app, "subject": head.subject[:200]}
    over = state is State.RESOLVED
    return Alert(
        connector=NAME,
        name=name_of(head, known)[:200] or "unnamed",
        service=service[:100],
        environment=_environment(known, head),
        severity=_severity(known, head),
        resolved=over,
        started_at=post.at if not over or post.at == post.now else min(post.at, post.now),
        ended_at=post.now if over else None,
        summary=known.get("summary", "") or head.told or line(piece.text),
        description=piece.text[:4000],
        labels=identity,
        group=identity,
        service_from=f"the message of {post.app}" if service != "unknown" else "the message names none",
        runbook_url=link(known.get("runbook_url", "") or known.get("runbook", "")),
        link=piece.link,
        ref="" if head.bracketed else post.ref,  # who writes so posts anew and never edits
        called=NAME,
    )


def _environment(known: Mapping[str, str], head: Headline) -> str:
    return environment_of(known) or next((word for word in head.extras if word.lower() in ENVIRONMENTS), "")


def _severity(known: Mapping[str, str], head: Headline) -> Severity:
    told = first(known, ("severity", "priority", "urgency", "level"))[1]
    words = (told, *head.extras, head.priority)
    return severity_of(next((w for w in words if w.strip().lower() in _WORD_SEVERITY), ""))


def _by(piece: Piece) -> str:
    return first(pairs(piece.text, piece.fields or {}), ("acknowledged_by", "assigned_to", "assigned"))[1]


def _app(message: Node) -> str:
    """Who posts: the name that people see, else the bot's id."""
    profile = message["bot_profile"]["name"].text()
    return (message["username"].text() or profile or message["bot_id"].text()).strip()[:80]


def _now(event: Node, ts: str, received: datetime) -> datetime:
    edited = event["message"]["edited"]["ts"].text() or event["event_ts"].text()
    return _moment(edited or ts, received)


def _moment(ts: str, received: datetime) -> datetime:
    """When a message was posted: its ts is seconds since 1970."""
    try:
        return Node(float(ts), "$.ts").time() or received
    except (ValueError, BadPayload):
        return received


CONNECTOR = Connector(
    name=NAME,
    title="Alerts that other apps post in Slack",
    settings=SlackAlerts,
    help='channels = ["C0123ABCD"] are ids of Slack channels; `/tocsin listen here on` does the same by command',
    webhook=SlackMessages(),
)
