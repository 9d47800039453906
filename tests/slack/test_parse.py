"""Slack's payloads become requests; whatever is missing is empty and whatever is not ours is nothing."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.request import Deed, More, Person
from bot.domain.view import Place
from bot.slack.parse import command_request, origin, press, press_behind, question, readable, words

COMMAND = {
    "command": "/incident",
    "text": "resolve INC-42 “it is over”",
    "user_id": "U1",
    "user_name": "olivia",
    "team_id": "T1",
    "channel_id": "C1",
    "trigger_id": "1.2.3",
}
EVENT = {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "17.2", "text": "<@U0BOT> what about inc-42?"}
PRESS = {
    "user": {"id": "U1", "username": "olivia", "team_id": "T1"},
    "channel": {"id": "C1"},
    "message": {"ts": "17.1"},
    "trigger_id": "1.2.3",
    "actions": [{"action_id": "action_approve", "value": "a1", "action_ts": "18.5"}],
}


def test_a_command_is_read_with_its_quoted_words_together() -> None:
    request = command_request(COMMAND)
    assert request.command == "incident"
    assert request.words == ("resolve", "INC-42", "it is over")
    assert (request.person, request.channel) == (Person("U1", "olivia", "T1"), "C1")
    assert request.id == request.trigger_id == "1.2.3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("payments v42", ("payments", "v42")),
        ("what's wrong with Bob's service", ("what's", "wrong", "with", "Bob's", "service")),
        ('an "open quote', ("an", '"open', "quote")),
        (r"a\b #c", (r"a\b", "#c")),
        ("", ()),
    ],
)
def test_words_are_split_as_people_mean_them(text: str, expected: tuple[str, ...]) -> None:
    assert words(text) == expected


def test_a_mention_is_a_question_for_its_own_thread() -> None:
    asked = question({"event": EVENT, "team_id": "T1"}, "U0BOT")
    assert asked is not None
    assert asked.text == "what about inc-42?"
    assert asked.incident_hint == "INC-42"
    assert asked.place == Place("C1", "17.2", "17.2")
    assert asked.person == Person("U1", "", "T1")


def test_a_mention_in_a_thread_is_answered_in_that_thread() -> None:
    asked = question({"event": {**EVENT, "thread_ts": "16.1"}}, "U0BOT")
    assert asked is not None
    assert asked.place.thread == "16.1"


def test_one_post_has_one_id_however_it_arrives() -> None:
    mention = question({"event": EVENT, "event_id": "Ev1"}, "U0BOT")
    message = question({"event": {**EVENT, "type": "message", "channel_type": "channel"}, "event_id": "Ev2"}, "U0BOT")
    assert mention is not None
    assert message is not None
    assert mention.id == message.id == "C1:17.2"


@pytest.mark.parametrize(
    "more", [{"bot_id": "B1"}, {"subtype": "message_changed"}, {"subtype": "bot_message"}, {"user": "U0BOT"}, {"user": ""}]
)
def test_what_no_person_said_is_no_question(more: dict[str, str]) -> None:
    assert question({"event": {**EVENT, **more}}, "U0BOT") is None


def test_references_and_entities_are_read_as_people_see_them() -> None:
    said = "<@U2|amir> see <#C2|payments> &amp; <https://a.example/x|the page> &lt;b&gt; <!here>"
    assert readable(said) == "@amir see #payments & https://a.example/x <b> @here"


def test_a_press_names_its_deed_its_id_and_its_place() -> None:
    pressed = press(PRESS)
    assert pressed is not None
    assert (pressed.action_id, pressed.value, pressed.place) == (Deed.ACTION_APPROVE, "a1", Place("C1", "17.1"))
    assert pressed.id == "U1:18.5"
    assert pressed.person == Person("U1", "olivia", "T1")


def test_the_same_press_delivered_twice_has_the_same_id() -> None:
    again = press({**PRESS, "trigger_id": "9.9.9"})
    first = press(PRESS)
    assert first is not None
    assert again is not None
    assert first.id == again.id


@pytest.mark.parametrize(
    ("chosen", "deed", "choice"),
    [
        ("timeline:i:1", Deed.INCIDENT_MORE, More.TIMELINE),
        ("explain:i:1", Deed.INCIDENT_MORE, More.EXPLAIN),
        ("resolve:i:1", Deed.INCIDENT_RESOLVE, None),
        ("silence:i:1", Deed.INCIDENT_SILENCE, None),
    ],
)
def test_a_menu_entry_is_its_own_deed_or_a_choice(chosen: str, deed: Deed, choice: More | None) -> None:
    action = {"action_id": "incident_more", "selected_option": {"value": chosen}, "action_ts": "1.1"}
    pressed = press({**PRESS, "actions": [action]})
    assert pressed is not None
    assert (pressed.action_id, pressed.choice, pressed.value) == (deed, choice, "i:1")


@pytest.mark.parametrize("actions", [[], [{"action_id": "else"}], [{"action_id": "incident_more"}], "x", [7]])
def test_a_button_that_is_not_ours_is_nothing(actions: object) -> None:
    assert press({**PRESS, "actions": actions}) is None


def test_a_modal_leads_back_to_the_press_that_opened_it() -> None:
    opened = press({**PRESS, "actions": [{"action_id": "cause_other", "value": "i1", "action_ts": "1.1"}]})
    assert opened is not None
    values = {"words": {"text": {"value": "  a bad certificate \n"}}}
    view = {"id": "V1", "private_metadata": json.dumps(origin(opened)), "state": {"values": values}}
    sent = press_behind({"user": {"id": "U1"}, "view": view})
    assert sent is not None
    assert (sent.action_id, sent.value, sent.place) == (Deed.CAUSE_OTHER, "i1", opened.place)
    assert (sent.text, sent.id) == ("a bad certificate", "view:V1")


@pytest.mark.parametrize("metadata", ["", "{", "[]", '{"deed": "else"}', '{"deed": 7}'])
def test_a_modal_that_remembers_nothing_is_nothing(metadata: str) -> None:
    assert press_behind({"view": {"private_metadata": metadata}}) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["event", "actions", "user", "view", "channel", "container", "message", "text", "command", "team"]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(KEYS), json_values))
def test_no_payload_is_an_error(body: dict[str, object]) -> None:
    command_request(body)
    question(body, "U0BOT")
    press(body)
    press_behind(body)


def test_a_service_chosen_for_a_label_carries_both() -> None:
    action = {
        "action_id": "service_map",
        "block_id": "unmatched:namespace=a=b",
        "type": "static_select",
        "selected_option": {"value": "payments"},
        "action_ts": "1.2",
    }
    chosen = press({"user": {"id": "U0ONCALL"}, "actions": [action], "channel": {"id": "C1"}})
    assert chosen is not None
    assert (chosen.action_id, chosen.value, chosen.text) == (Deed.SERVICE_MAP, "namespace=a=b", "payments")
