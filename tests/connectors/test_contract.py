"""What every vendor promises; a new vendor or a new payload file is tested without a line here."""

import hmac
import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote_plus

import pytest

from bot.domain.alert import Alert, fingerprint, instance_key
from bot.domain.change import Change
from bot.domain.handling import Handling
from bot.domain.ticket import Ticket
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Ignored, WebhookSettings
from connectors import CONNECTORS
from tests.connectors.cases import (
    CERTIFIED,
    COVERS_BODY,
    FOLDER,
    RECEIVED,
    SECRET,
    SIGNERS,
    Case,
    all_cases,
    known,
    outcome,
    signed,
)

REPOSITORY = Path(__file__).parents[2]
CASES = all_cases()
WEBHOOKS = [connector for connector in CONNECTORS if connector.webhook is not None]
by_case = pytest.mark.parametrize("case", CASES, ids=str)
DOORS = [connector for connector in WEBHOOKS if issubclass(connector.settings, WebhookSettings)]  # the others are read otherwise
by_vendor = pytest.mark.parametrize("connector", WEBHOOKS, ids=lambda c: c.name)
by_secret = pytest.mark.parametrize("connector", [c for c in DOORS if c.name not in CERTIFIED], ids=lambda c: c.name)
PAIRS = [(case, f"{case.name}".replace("firing", "resolved")) for case in CASES if "firing" in case.name]


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
    talents = (connector.webhook, connector.evidence, connector.changes, connector.deployer, connector.pager, connector.documents)
    assert any(talents)


@by_vendor
def test_every_vendor_with_a_webhook_has_payloads_and_a_proof(connector: Connector) -> None:
    assert len([c for c in CASES if c.connector is connector]) >= 2
    assert connector.name in SIGNERS or connector.name in CERTIFIED or connector not in DOORS


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


@by_secret
def test_the_right_secret_is_accepted_and_so_is_the_one_before_it(connector: Connector) -> None:
    case = first_case(connector)
    case.webhook.verify(signed(case.delivery), [known(connector.name, SECRET)])
    both = [known(connector.name, secret) for secret in (SECRET, "the-old-one")]
    case.webhook.verify(signed(case.delivery, "the-old-one"), both)


@by_secret
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
            case.webhook.verify(delivery, [known(connector.name, SECRET)])
        assert SECRET not in str(refused.value) + repr(refused.value)
    with pytest.raises(BadSignature):
        case.webhook.verify(good, [])


@pytest.mark.parametrize("connector", [c for c in DOORS if c.name in COVERS_BODY], ids=lambda c: c.name)
def test_a_signed_delivery_that_was_overheard_is_known_again_whatever_is_written_around_it(connector: Connector) -> None:
    good = signed(first_case(connector).delivery)
    webhook = first_case(connector).webhook
    proof = SIGNERS[connector.name](good, SECRET)
    later = replace(good, received_at=RECEIVED + timedelta(minutes=3), headers={**proof, "request-id": "9", "x-request-id": "9"})
    webhook.verify(later, [known(connector.name, SECRET)])
    assert webhook.delivery_id(later) == webhook.delivery_id(good) != ""
    assert webhook.delivery_id(replace(good, body=b'{"event": {"id": "another"}}')) != webhook.delivery_id(good)


def comparisons(connector: Connector, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The lengths of what `verify` compared, each with two live secrets."""
    seen = []

    def compare(a: bytes, b: bytes) -> bool:
        seen.append((len(a), len(b)))
        return hmac.compare_digest(a, b)

    monkeypatch.setattr("bot.domain.signature.hmac", SimpleNamespace(compare_digest=compare, new=hmac.new))
    with suppress(BadSignature):
        first_case(connector).webhook.verify(delivery, [SECRET, "the-old-one"])
    monkeypatch.undo()
    return seen


BY_SECRET = [c for c in DOORS if c.name not in CERTIFIED | {"travis"}]  # a public key is no secret


@pytest.mark.parametrize("connector", BY_SECRET, ids=lambda c: c.name)
def test_a_refusal_tells_nothing_by_its_time(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = first_case(connector).delivery
    good = signed(bare)
    ((name, proof),) = list(SIGNERS[connector.name](bare, SECRET).items())[:1]
    odd = {
        "missing": None,
        "empty": "",
        "short": proof[:9],
        "long": proof * 9,
        "another scheme": "x" + proof,
        "wrong": proof[:-1] + "!",
    }
    right = comparisons(connector, good, monkeypatch)
    for what, value in odd.items():
        headers = {**good.headers, **({name: value} if value is not None else {})}
        if value is None:
            del headers[name]
        seen = comparisons(connector, replace(good, headers=headers), monkeypatch)
        assert len(seen) >= len(right) >= 2, what
        assert all(a == b for a, b in seen), what


@by_vendor
@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b"7", b'"x"', b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5_000])
def test_what_is_no_payload_of_the_vendor_is_refused_with_its_path(connector: Connector, body: bytes) -> None:
    case = first_case(connector)
    with pytest.raises(BadPayload) as refused:
        case.webhook.parse(replace(case.delivery, body=body))
    assert refused.value.path.startswith("$")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(("case", "end"), [pair for pair in PAIRS if replace(pair[0], name=pair[1]) in CASES], ids=str)
def test_what_resolves_clears_the_very_problem_and_instance_that_fired(case: Case, end: str) -> None:
    firing, over = (case.webhook.parse(one.delivery) for one in (case, replace(case, name=end)))
    fired = {(fingerprint(a), instance_key(a)) for a in firing if isinstance(a, Alert) and not a.resolved and a.readable}
    cleared = {(fingerprint(a), instance_key(a)) for a in over if isinstance(a, Alert) and a.resolved}
    assert cleared
    assert fired
    assert cleared <= fired or fired <= cleared


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
