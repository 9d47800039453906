"""Slack's payloads as requests of ours: pure, total, nothing looked up."""

import html
import json
import re
import shlex
from collections.abc import Mapping

from bot.domain.request import CommandRequest, Deed, More, Person, Press, Question
from bot.domain.view import Place
from bot.slack.payload import Record, record, records, text
from bot.slack.vocabulary import CAUSE_BLOCK, DOCUMENT_BLOCK, INPUT_BLOCK, JUDGED_BLOCK, MAPPED_BLOCK, SPAN_BLOCK

LONGEST = 3000
_INCIDENT = re.compile(r"\bINC-(\d{1,9})\b", re.IGNORECASE)
_REFERENCE = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "\u00a0": " "})
_SPOKEN = frozenset({"", "file_share", "thread_broadcast"})


def command_request(body: Record) -> CommandRequest:
    """A slash command as it was typed."""
    said = readable(text(body, "text"))
    return CommandRequest(
        person=Person(text(body, "user_id"), text(body, "user_name"), text(body, "team_id")),
        channel=text(body, "channel_id"),
        command=text(body, "command").lstrip("/").lower(),
        words=words(said),
        text=said,
        trigger_id=text(body, "trigger_id"),
        id=text(body, "trigger_id"),
    )


def question(body: Record, bot_user: str) -> Question | None:
    """Words for the bot, or None: its own messages, other bots', edits and notices are no questions.

    A mention arrives as `app_mention` and may arrive as `message` too; both have the same id.
    """
    event = record(body, "event")
    channel, ts, user = text(event, "channel"), text(event, "ts"), text(event, "user")
    if text(event, "subtype") not in _SPOKEN or event.get("bot_id") or not (user and channel and ts):
        return None
    if user == bot_user:
        return None
    said = readable(text(event, "text"), bot_user)
    named = _INCIDENT.search(said)
    return Question(
        person=Person(user, "", text(body, "team_id") or text(event, "team")),
        place=Place(channel, ts, text(event, "thread_ts") or ts),
        text=said,
        incident_hint=f"INC-{named[1]}" if named else "",
        id=f"{channel}:{ts}",
    )


def press(body: Record) -> Press | None:
    """The button or menu entry that was pressed, or None if it is none of ours."""
    action = next(iter(records(body, "actions")), {})
    name, value = text(action, "action_id"), text(action, "value")
    if name not in list(Deed):
        return None
    deed, choice = Deed(name), None
    if deed is Deed.INCIDENT_MORE:
        entry, _, value = text(action, "selected_option", "value").partition(":")
        if entry not in list(More):
            return None
        choice = More(entry)
        deed = {More.RESOLVE: Deed.INCIDENT_RESOLVE, More.SILENCE: Deed.INCIDENT_SILENCE}.get(choice, deed)
    chosen = ""
    if deed is Deed.SUGGESTION_JUDGE:
        chosen, place = text(action, "selected_option", "value"), text(action, "block_id").removeprefix(JUDGED_BLOCK)
        value = place.partition(":")[2]
    if deed is Deed.SERVICE_MAP:
        chosen, value = text(action, "selected_option", "value"), text(action, "block_id").removeprefix(MAPPED_BLOCK)
    person = person_of(body)
    return Press(
        person=person,
        place=_place(body),
        action_id=deed,
        value=value,
        trigger_id=text(body, "trigger_id"),
        id=f"{person.id}:{text(action, 'action_ts') or text(body, 'trigger_id')}",
        choice=choice if deed is Deed.INCIDENT_MORE else None,
        text=chosen,
    )


def press_behind(body: Record) -> Press | None:
    """The press that opened a modal, with the words that the person sent; None if the modal is none of ours."""
    view = record(body, "view")
    behind = carried(view)
    name = text(behind, "deed")
    if name not in list(Deed):
        return None
    return Press(
        person=person_of(body),
        place=Place(text(behind, "channel"), text(behind, "ts"), text(behind, "thread")),
        action_id=Deed(name),
        value=text(behind, "value"),
        trigger_id=text(body, "trigger_id"),
        id=f"view:{text(view, 'id')}",
        text=filled(view, INPUT_BLOCK),
        span=filled(view, SPAN_BLOCK),
        cause=filled(view, CAUSE_BLOCK),
        choice_ref=filled(view, DOCUMENT_BLOCK),
    )


def origin(asked: Press) -> dict[str, str]:
    """What a modal carries along, so that its answer finds the press it belongs to."""
    place = asked.place
    return {
        "deed": asked.action_id.value,
        "value": asked.value,
        "channel": place.channel,
        "ts": place.ts,
        "thread": place.thread,
    }


def filled(view: Record, block: str) -> str:
    """What a person entered or chose in this block of a modal; "" if nothing."""
    element = next((v for v in record(view, "state", "values", block).values() if isinstance(v, Mapping)), {})
    return (text(element, "value") or text(element, "selected_option", "value")).strip()[:LONGEST]


def ticked(view: Record, block: str) -> bool:
    """A person ticked a box of this block of a modal."""
    element = next((v for v in record(view, "state", "values", block).values() if isinstance(v, Mapping)), {})
    return bool(element.get("selected_options"))


def readable(said: str, bot_user: str = "") -> str:
    """Text as the person saw it: no entities, no <...> references, without the mention of the bot."""
    if bot_user:
        said = re.sub(rf"<@{re.escape(bot_user)}(?:\|[^<>]*)?>[,:]?", " ", said)
    plain = html.unescape(_REFERENCE.sub(_shown, said[: 4 * LONGEST])).translate(_QUOTES)
    return re.sub(r"[ \t]+", " ", plain).strip()[:LONGEST]


def words(said: str) -> tuple[str, ...]:
    """The words of a command; those in double quotes belong together."""
    lexer = shlex.shlex(said, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
    try:
        return tuple(lexer)
    except ValueError:  # a quote that nobody closed
        return tuple(said.split())


def _shown(found: re.Match[str]) -> str:
    sign, target, label = found[1], found[2], found[3]
    if sign in ("@", "#"):
        return f"{sign}{label or target}"
    if sign == "!":
        return label or f"@{target.partition('^')[0]}"
    return target.removeprefix("mailto:")


def person_of(body: Record) -> Person:
    """Who pressed, chose or sent."""
    user = record(body, "user")
    team = text(body, "team", "id") or text(user, "team_id")
    return Person(text(user, "id"), text(user, "name") or text(user, "username"), team)


def _place(body: Record) -> Place:
    ts = text(body, "message", "ts") or text(body, "container", "message_ts")
    thread = text(body, "message", "thread_ts") or text(body, "container", "thread_ts")
    channel = text(body, "channel", "id") or text(body, "container", "channel_id")
    return Place(channel, ts, "" if thread == ts else thread)


def carried(view: Record) -> Record:
    """What the modal carried along; empty if it is none of ours."""
    try:
        held = json.loads(text(view, "private_metadata") or "{}")
    except ValueError:
        return {}
    return held if isinstance(held, dict) else {}
