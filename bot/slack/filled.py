"""Forms as people filled them in, messages as people point at them: requests of ours, pure and total."""

from bot.domain.action import ActionKind, Claim
from bot.domain.alert import Severity
from bot.domain.request import ChangeRequest, Opening, Pin
from bot.domain.view import Place
from bot.redact import redact
from bot.slack.forms import LONGEST_TITLE
from bot.slack.orderform import about, belongs_to
from bot.slack.parse import carried, filled, person_of, readable, ticked
from bot.slack.payload import Record, record, records, text
from bot.slack.text import plain
from bot.slack.vocabulary import (
    CLAIM_BLOCK,
    DRY_BLOCK,
    ENVIRONMENT_BLOCK,
    FORM_SERVICE,
    PREVIOUS,
    REASON_BLOCK,
    SERVICE_BLOCK,
    SEVERITY_BLOCK,
    TITLE_BLOCK,
    TYPED_BLOCK,
    VERSION_BLOCK,
)

LONGEST = 1000


def change_request(body: Record) -> ChangeRequest | None:
    """What the form for a deploy or rollback holds, sent or not yet; None if it is none of ours.

    A version that was typed goes before one that was chosen.
    """
    view = record(body, "view")
    origin = carried(view)
    if text(origin, "kind") not in list(ActionKind):
        return None
    version = filled(view, block_of(view, TYPED_BLOCK)) or filled(view, block_of(view, VERSION_BLOCK))
    claim = filled(view, CLAIM_BLOCK)
    return ChangeRequest(
        person=person_of(body),
        channel=text(origin, "channel"),
        kind=ActionKind(text(origin, "kind")),
        service=filled(view, SERVICE_BLOCK) or _chosen(body),
        version="" if version == PREVIOUS else version,
        environment=filled(view, block_of(view, ENVIRONMENT_BLOCK)),
        reason=filled(view, REASON_BLOCK),
        id=f"view:{text(view, 'id')}",
        claim=Claim(claim) if claim in list(Claim) else Claim.NONE,
        dry=ticked(view, DRY_BLOCK),
    )


def _chosen(body: Record) -> str:
    action = next(iter(records(body, "actions")), {})
    return text(action, "selected_option", "value") if text(action, "action_id") == FORM_SERVICE else ""


def block_of(view: Record, field: str) -> str:
    """The id of the block that holds this field: it may name what it belongs to, "version:payments:production"."""
    blocks = (text(b, "block_id") for b in records(view, "blocks"))
    return next((b for b in blocks if b == field or b.startswith(f"{field}:")), field)


def other_list(view: Record) -> str:
    """What to say of versions that were listed for another service or environment than is chosen now; "" if they fit."""
    block = block_of(view, VERSION_BLOCK)
    service, environment = belongs_to(block)
    now = filled(view, SERVICE_BLOCK), filled(view, block_of(view, ENVIRONMENT_BLOCK))
    if not service or block == about(VERSION_BLOCK, *now):
        return ""
    return f"The versions below are those of {service} in {environment}. Wait a moment until they change, or choose again."


def opening(body: Record) -> Opening:
    """What the form for an incident holds."""
    view = record(body, "view")
    origin = carried(view)
    severity = filled(view, SEVERITY_BLOCK)
    return Opening(
        person=person_of(body),
        place=Place(text(origin, "channel"), text(origin, "ts"), text(origin, "thread")),
        service=filled(view, SERVICE_BLOCK),
        severity=Severity(severity) if severity in list(Severity) else Severity.SEV3,
        title=plain(filled(view, TITLE_BLOCK), LONGEST_TITLE),
        said_by=text(origin, "said_by"),
        text=text(origin, "text"),
        id=f"view:{text(view, 'id')}",
    )


def pointed_at(body: Record) -> Opening:
    """The message that a person chose a shortcut on, as the beginning of an incident: its first line is the title."""
    message = record(body, "message")
    said = redact(readable(words_of(message)))[:LONGEST]
    first = next((line for line in said.splitlines() if line.strip()), "")
    return Opening(
        person=person_of(body),
        place=_place(body),
        service="",
        severity=Severity.SEV3,
        title=plain(first, LONGEST_TITLE),
        said_by=text(message, "user") or text(message, "bot_id"),
        text=said,
        id=f"shortcut:{text(body, 'action_ts') or text(body, 'trigger_id')}",
    )


def shortcut_pin(body: Record) -> Pin:
    """A message that a person wants in the timeline, said so by a shortcut."""
    return Pin(person_of(body), _place(body), True, text(body, "action_ts") or text(body, "trigger_id"))


def reaction_pin(body: Record, emoji: str) -> Pin | None:
    """A message that a person marked with the pin's emoji; None for any other reaction."""
    event = record(body, "event")
    item = record(event, "item")
    channel, ts, user = text(item, "channel"), text(item, "ts"), text(event, "user")
    name = text(event, "reaction").partition("::")[0]  # what follows is a skin tone
    if text(item, "type") != "message" or name != emoji.strip(":") or not (channel and ts and user):
        return None
    person = person_of({"user": {"id": user}, "team": {"id": text(body, "team_id")}})
    return Pin(person, Place(channel, ts), False, text(body, "event_id") or text(event, "event_ts"))


def _place(body: Record) -> Place:
    ts, thread = text(body, "message_ts") or text(body, "message", "ts"), text(body, "message", "thread_ts")
    return Place(text(body, "channel", "id"), ts, "" if thread == ts else thread)


def words_of(message: Record) -> str:
    """What a message says; alerts that other bots post often hold their words in attachments."""
    attached = next(iter(records(message, "attachments")), {})
    parts = (text(message, "text"), text(attached, "title"), text(attached, "text"), text(attached, "fallback"))
    return next((p for p in parts if p.strip()), "")
