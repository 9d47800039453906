"""Whatever comes to whatever vendor: events that can be identified and stored, or a BadPayload; never another exception."""

import json
import string
from dataclasses import replace
from datetime import UTC

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.alert import Alert, fingerprint, instance_key
from bot.domain.change import Change
from bot.errors import BadPayload
from bot.ports import Delivery, Webhook
from tests.connectors.cases import Case, all_cases
from tests.connectors.fuzz import spoiled

by_case = pytest.mark.parametrize("case", all_cases(), ids=str)


def harmless(webhook: Webhook, delivery: Delivery) -> None:
    """Events that can be identified, stored and shown; or a BadPayload that names its path."""
    webhook.delivery_id(delivery).encode()
    try:
        events = webhook.parse(delivery)
    except BadPayload as error:
        refused: BadPayload | None = error
        events = ()
    else:
        refused = None
    assert refused is None or refused.path.startswith("$")
    for event in events:
        msgspec.json.encode(event)
        if isinstance(event, Alert):
            assert event.name
            assert event.service
            assert len(instance_key(event)) == len(fingerprint(event)) == 16
            assert event.started_at.tzinfo is UTC
            assert not event.link or event.link.startswith(("http://", "https://"))
        elif isinstance(event, Change):
            assert event.id.startswith(delivery.connector + ":")


@by_case
def test_spoiled_payloads_do_no_harm(case: Case) -> None:
    delivery = case.delivery
    for number in range(25):
        harmless(case.webhook, replace(delivery, body=spoiled(delivery.body, number)))


@by_case
def test_truncated_payloads_are_refused_and_flipped_ones_do_no_harm(case: Case) -> None:
    delivery = case.delivery
    body = delivery.body.rstrip()
    for cut in range(0, len(body), max(1, len(body) // 20)):
        with pytest.raises(BadPayload):
            case.webhook.parse(replace(delivery, body=body[:cut]))
        harmless(case.webhook, replace(delivery, body=body[:cut] + b"\x00\xff" + body[cut + 2 :]))


@pytest.mark.slow
@by_case
def test_payloads_spoiled_in_many_ways_do_no_harm(case: Case) -> None:
    delivery = case.delivery
    for number in range(1000, 1080):
        harmless(case.webhook, replace(delivery, body=spoiled(delivery.body, number)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.slow
@by_case
@given(data=st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_payloads_do_no_harm(case: Case, data: st.DataObject) -> None:
    payload = json.loads(case.delivery.body)
    here = payload
    while isinstance(here, dict | list) and here:
        keys = sorted(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], dict | list) or data.draw(st.booleans()):
            here[key] = data.draw(json_values)
            break
        here = here[key]
    harmless(case.webhook, replace(case.delivery, body=json.dumps(payload).encode()))
