"""What every vendor promises; a new vendor or a new payload file is tested without a line here."""

import json
import string
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.alert import Alert, fingerprint, instance_key
from bot.domain.change import Change, ChangeKind
from bot.domain.handling import Handling
from bot.domain.ticket import Ticket
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Ignored
from connectors import CONNECTORS
from tests.connectors.cases import COVERS_BODY, FOLDER, RECEIVED, SECRET, SIGNERS, Case, all_cases, outcome, signed

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY.parent / "shared" / "data" / "webhooks"
CASES = all_cases()
WEBHOOKS = [connector for connector in CONNECTORS if connector.webhook is not None]
by_case = pytest.mark.parametrize("case", CASES, ids=str)
by_vendor = pytest.mark.parametrize("connector", WEBHOOKS, ids=lambda c: c.name)


def first_case(connector: Connector) -> Case:
    """A payload that the vendor's parser understands."""
    return next(c for c in CASES if c.connector is connector and isinstance(outcome(c.webhook, c.delivery), list))


def test_the_registry_is_sorted_and_names_each_vendor_once() -> None:
    names = [connector.name for connector in CONNECTORS]
    assert names == sorted(set(names))
    modules = [p for p in (REPOSITORY / "connectors").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    assert set(names) == {p.stem for p in modules} - {"__init__"}


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda c: c.name)
def test_every_vendor_has_a_setup_page_and_can_do_something(connector: Connector) -> None:
    page = REPOSITORY / "docs" / "connectors" / f"{connector.name}.md"
    assert page.exists(), f"write {page.relative_to(REPOSITORY)}: how it is set up, what of it was tested"
    assert connector.title in page.read_text()
    assert any((connector.webhook, connector.evidence, connector.changes, connector.deployer, connector.pager))


@by_vendor
def test_every_vendor_with_a_webhook_has_payloads_and_a_proof(connector: Connector) -> None:
    assert len([c for c in CASES if c.connector is connector]) >= 2
    assert connector.name in SIGNERS


def test_no_payload_belongs_to_a_vendor_that_is_not_there() -> None:
    assert {p.name for p in FOLDER.iterdir()} <= {connector.name for connector in WEBHOOKS}


@by_case
def test_it_parses_to_what_is_written_beside_it(case: Case) -> None:
    assert outcome(case.webhook, case.delivery) == json.loads(case.expected_file.read_text())


@by_case
def test_parsing_changes_nothing_and_gives_the_same_again(case: Case) -> None:
    delivery = case.delivery
    before = replace(delivery, headers=dict(delivery.headers))
    once = outcome(case.webhook, delivery)
    assert outcome(case.webhook, delivery) == once
    assert delivery == before
    if isinstance(once, list):
        prints = [[(fingerprint(e), instance_key(e)) for e in case.webhook.parse(delivery) if isinstance(e, Alert)] for _ in "ab"]
        assert prints[0] == prints[1]


@by_case
def test_events_carry_their_vendor_and_times_with_a_zone(case: Case) -> None:
    if isinstance(outcome(case.webhook, case.delivery), dict):
        return
    for event in case.webhook.parse(case.delivery):
        assert isinstance(event, Alert | Change | Handling | Ignored | Ticket)
        if not isinstance(event, Ignored):
            assert event.connector == case.connector.name
            assert (event.started_at if isinstance(event, Alert) else event.at).tzinfo is not None


@by_vendor
def test_the_right_secret_is_accepted_and_so_is_the_one_before_it(connector: Connector) -> None:
    case = first_case(connector)
    case.webhook.verify(signed(case.delivery), [SECRET])
    case.webhook.verify(signed(case.delivery, "the-old-one"), [SECRET, "the-old-one"])


@by_vendor
def test_without_proof_or_with_a_wrong_one_it_is_refused_and_the_secret_is_not_told(connector: Connector) -> None:
    case = first_case(connector)
    good = signed(case.delivery)
    forged = [case.delivery, signed(case.delivery, "wrong"), signed(case.delivery, "")]
    proofs = SIGNERS[connector.name](case.delivery, SECRET)
    for name, proof in proofs.items():
        forged += [
            replace(good, headers={**good.headers, name: odd}) for odd in ("", "=", proof[:-1], proof + "0", "é\udc80", "Bearer ")
        ]
    if connector.name in COVERS_BODY:
        forged.append(replace(good, body=good.body + b" "))
    for delivery in forged:
        with pytest.raises(BadSignature) as refused:
            case.webhook.verify(delivery, [SECRET])
        assert SECRET not in str(refused.value) + repr(refused.value)
    with pytest.raises(BadSignature):
        case.webhook.verify(good, [])


@by_vendor
@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"7", b'"x"', b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5_000])
def test_what_is_no_payload_of_the_vendor_is_refused_with_its_path(connector: Connector, body: bytes) -> None:
    case = first_case(connector)
    with pytest.raises(BadPayload) as refused:
        case.webhook.parse(replace(case.delivery, body=body))
    assert refused.value.path.startswith("$")
    assert SECRET not in str(refused.value)


def harmless(case: Case, body: bytes) -> None:
    """Whatever comes: events that can be identified, or a BadPayload."""
    try:
        events = case.webhook.parse(replace(case.delivery, body=body))
    except BadPayload:
        return
    for event in events:
        if isinstance(event, Alert):
            assert len(instance_key(event)) == 16
        elif isinstance(event, Change):
            assert event.id.startswith(case.connector.name + ":")
            event.id.encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@by_case
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
    harmless(case, json.dumps(payload).encode())


@by_case
def test_truncated_payloads_are_refused_and_flipped_ones_do_no_harm(case: Case) -> None:
    body = case.delivery.body.rstrip()
    for cut in range(0, len(body), max(1, len(body) // 40)):
        with pytest.raises(BadPayload):
            case.webhook.parse(replace(case.delivery, body=body[:cut]))
        harmless(case, body[:cut] + b"\x00\xff" + body[cut + 2 :])


def github(event: str, body: bytes, **headers: str) -> tuple[Alert | Change | Ignored, ...]:
    (connector,) = [c for c in CONNECTORS if c.name == "github"]
    assert connector.webhook is not None
    return connector.webhook.parse(Delivery("github", {"x-github-event": event, **headers}, body, RECEIVED))


def test_github_may_send_its_payload_as_a_form() -> None:
    body = (FOLDER / "github" / "push.json").read_text()
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert github("push", b"payload=" + quote_plus(body).encode(), **form) == github("push", body.encode())
    with pytest.raises(BadPayload):
        github("push", b"nothing=1", **form)


def test_github_needs_to_say_which_event_it_is() -> None:
    with pytest.raises(BadPayload, match="X-GitHub-Event"):
        github("", b"{}")


KINDS = {
    "deployment": ChangeKind.DEPLOY,
    "deployment_status": ChangeKind.DEPLOY,
    "push": ChangeKind.COMMIT,
    "release": ChangeKind.RELEASE,
    "workflow_run": ChangeKind.BUILD,
}


@pytest.mark.shared_data
def test_every_captured_github_event_becomes_the_right_kind_of_change_or_is_ignored_with_a_reason() -> None:
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data/webhooks beside the project")
    for file in sorted(SHARED.glob("github_*/*.json")):
        event = file.parent.name.removeprefix("github_")
        parsed = github(event, file.read_bytes())
        assert parsed, file
        deleted = event == "push" and json.loads(file.read_text())["deleted"]
        if event in KINDS and not deleted:
            assert {e.kind for e in parsed if isinstance(e, Change)} == {KINDS[event]}, file
        else:
            assert all(isinstance(e, Ignored) and e.reason for e in parsed), file


@pytest.mark.shared_data
def test_captured_events_cut_short_are_refused() -> None:
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data/webhooks beside the project")
    for file in sorted(SHARED.glob("github_*/*.json")):
        event = file.parent.name.removeprefix("github_")
        body = file.read_bytes().rstrip()
        for cut in (0, 1, len(body) // 3, len(body) - 1):
            try:
                ignored = github(event, body[:cut])
            except BadPayload:
                continue
            raise AssertionError(f"{file.parent.name}/{file.name} cut at {cut} was read as {ignored}")
