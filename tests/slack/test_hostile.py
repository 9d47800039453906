"""Whatever the outside writes into a view, Slack accepts the message and nothing in it can be pressed or pings anybody."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.action import ActionKind, Claim
from bot.domain.deployments import Offer, OrderForm
from bot.domain.view import HomeView, PointerView
from bot.slack.blocks import Block, Message, render, render_home
from bot.slack.filled import pointed_at
from bot.slack.forms import opening_modal
from bot.slack.modals import modal_for
from bot.slack.orderform import order_modal
from bot.slack.parse import press
from tests.slack.samples import HOME, HOSTS, NOW, VIEWS
from tests.slack.sizes import problems, sequences, view_problems

SCHEMA = Path(__file__).parents[3] / "shared" / "contracts" / "blockkit.schema.json"
NASTY = (
    "<!channel> <!here|here> <!everyone> @channel @here @everyone",
    "<@U0VICTIM> <#C0SECRET|x> <!subteam^S1>",
    "<https://evil.example|INC-42> https://evil.example/ www.evil.example",
    "&lt;!channel&gt; &amp;lt;!here&gt; & < > &",
    "*bold* _it_ ~no~ `code` ```fence``` > quote\n# head\n\n\n- list",
    "https://github.com@evil.example/ https://github.com\\@evil.example https://github.com.evil.example",
    "https://github.com/a|<!channel>",
    "javascript:alert(1)//https://github.com",
    "\u202egnp.exe\x00\x1b[31m\u2028\ufeff\ud800",
    "[a](https://evil.example) ![i](http://evil.example/x.png) <http://evil.example>\n[r]: http://evil.example",
    "🔥" * 50,
    "",
    "x" * 20_000,
    "&" * 9_000,
    "<!channel>" * 2_000,
    "line\n" * 3_000,
)
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=60), st.text(alphabet="<>&@!|`*[]()#\n:/ ahttps.", max_size=300))


def infect(value: Any, draw: Any, depth: int = 0, row: bool = False) -> Any:
    """The same value with texts of it replaced, and rows of things made longer; a tuple in a row is a record."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return draw(texts) if draw(st.booleans()) else value
    if isinstance(value, tuple):
        times = draw(st.sampled_from((1, 1, 1, 4, 40))) if depth < 3 and not row else 1
        return tuple(infect(v, draw, depth + 1, row=True) for v in value) * times
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: infect(getattr(value, f.name), draw, depth + 1) for f in fields(value)})
    return value


@pytest.mark.parametrize("name", VIEWS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_a_hostile_view_is_a_message_that_slack_takes_and_nobody_can_press(name: str, data: st.DataObject) -> None:
    view = infect(VIEWS[name], data.draw)
    if isinstance(view, PointerView):
        view = replace(view, permalink="https://example.slack.com/archives/C1/p1")  # Slack's own word, not the outside's
    message = render(view, HOSTS)
    hosts = (*HOSTS, "example.slack.com")
    assert problems(list(message.blocks), hosts) == []
    assert list(sequences(message.text, hosts)) == []
    assert 0 < len(message.text) <= 3000
    json.dumps(message.blocks).encode()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_a_hostile_home_page_is_a_view_that_slack_takes(data: st.DataObject) -> None:
    home: HomeView = infect(HOME, data.draw)
    assert view_problems(render_home(home), HOSTS) == []


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("name", VIEWS)
def test_every_text_of_a_view_can_be_the_same_nasty_one(name: str, text: str) -> None:
    def everywhere(value: Any, row: bool = False) -> Any:
        if isinstance(value, str) and not isinstance(value, Enum):
            return text
        if isinstance(value, tuple):
            return tuple(everywhere(v, row=True) for v in value) * (1 if row else 3)
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{f.name: everywhere(getattr(value, f.name)) for f in fields(value)})
        return value

    view = everywhere(VIEWS[name])
    message: Message = render(replace(view, permalink="") if isinstance(view, PointerView) else view, HOSTS)
    assert problems(list(message.blocks), HOSTS) == []


@pytest.mark.shared_data
def test_every_payload_has_the_shape_that_slacks_own_types_give() -> None:
    if not SCHEMA.exists():
        pytest.skip(f"{SCHEMA} is not there")
    from jsonschema import Draft7Validator

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = Draft7Validator(schema)
    for name, view in VIEWS.items():
        blocks = json.loads(json.dumps(render(view, HOSTS).blocks))
        metadata = {"event_type": "tocsin", "event_payload": {"key": "card:1"}}
        assert not list(validator.iter_errors({"blocks": blocks, "metadata": metadata})), name
    page = json.loads(json.dumps(render_home(HOME)))
    assert not list(validator.iter_errors({"view": page}))
    for modal in MODALS:
        assert not list(validator.iter_errors({"view": json.loads(json.dumps(modal))}))


def _behind(deed: str) -> Block:
    pressed = press({"actions": [{"action_id": deed, "value": "i1"}], "user": {"id": "U1"}})
    assert pressed is not None
    modal = modal_for(pressed)
    assert modal is not None
    return modal


STATES = tuple(itertools.product((None, False, True), (False, True)))


def _forms() -> Iterator[Block]:
    many = tuple(f"service-{n}" for n in range(200))
    offers = tuple(Offer(text, NOW, healthy, ran) for text, (healthy, ran) in zip(many, itertools.cycle(STATES), strict=False))
    nasty = tuple(Offer(text[:128] or "x", NOW) for text in NASTY)
    for kind, services, versions in itertools.product(ActionKind, (("payments",), many), ((), offers[:5], offers, nasty)):
        chosen = services[0]
        yield order_modal(OrderForm(kind, services, ("production",), "production", claims=tuple(Claim)), "C1")
        yield order_modal(OrderForm(kind, services, many, "production", chosen, versions, "service-2", tuple(Claim)), "C1")
    for text in NASTY:
        begun = pointed_at({"message": {"text": text * 40, "user": "U1"}, "channel": {"id": "C1"}, "message_ts": "1.1"})
        yield opening_modal(begun, many)
        yield opening_modal(begun, ())


MODALS = [*map(_behind, ("cause_other", "incident_resolve", "incident_silence")), *_forms()]


@pytest.mark.parametrize("modal", MODALS)
def test_a_modal_is_a_view_that_slack_takes(modal: Block) -> None:
    assert view_problems(modal, HOSTS) == []
    assert len(str(modal["private_metadata"])) <= 3000
    json.loads(str(modal["private_metadata"]))
    json.dumps(modal).encode()
