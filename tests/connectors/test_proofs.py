"""Who is believed: signed times, secrets shown in more than one way, and Amazon's certificate at the door."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from bot.domain.change import Change
from bot.errors import BadPayload, BadSignature
from bot.intake.web import Door
from bot.ports import Connector, Delivery, Ignored
from bot.storage.database import SqlDatabase
from bot.storage.inbox import SqlInboxStore
from bot.wire.sns import SnsSettings, SnsWebhook
from connectors import CONNECTORS, cloudwatch
from connectors.cloudevents import CloudEventsSettings, CloudEventsWebhook
from connectors.sentry import SentrySettings
from tests.amazon import NOW, PEM, TOPIC, FakeAmazon, confirmation, delivery, message, signed
from tests.connectors.cases import RECEIVED, SECRET, Case
from tests.fakes import FakeClock
from tests.intake.desk import a_desk, whole_app

BODY = b'{"alerts": []}'
SIGNATURE, TIME = "x-grafana-alerting-signature", "x-grafana-alerting-timestamp"


def hexed(message: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def verified(vendor: str, headers: Mapping[str, str], query: Mapping[str, str] | None = None, body: bytes = BODY) -> bool:
    (connector,) = [c for c in CONNECTORS if c.name == vendor]
    assert connector.webhook is not None
    shown = Delivery(vendor, headers, body, RECEIVED, query or {})
    try:
        connector.webhook.verify(shown, [SECRET])
    except BadSignature:
        return False
    return True


def grafana(at: float | str, signs: bytes = BODY) -> dict[str, str]:
    return {SIGNATURE: hexed(f"{at}:".encode() + signs), TIME: str(at)}


def test_grafana_signs_the_body_alone_or_with_a_time_that_is_near() -> None:
    now = int(RECEIVED.timestamp())
    assert verified("grafana", {SIGNATURE: hexed(BODY)})
    assert verified("grafana", grafana(now))
    assert verified("grafana", grafana(now - 299))
    assert verified("grafana", {SIGNATURE: hexed(f"{now}:".encode() + BODY), "x-grafana-alerting-signature-timestamp": str(now)})


@pytest.mark.parametrize(
    "at", [int(RECEIVED.timestamp()) - 301, int(RECEIVED.timestamp()) + 301, 0, -1, "now", "1e9", "٣", "9" * 40]
)
def test_grafana_sent_again_later_or_with_an_odd_time_is_refused(at: int | str) -> None:
    assert not verified("grafana", grafana(at))


def test_grafana_s_time_can_be_neither_changed_nor_left_out() -> None:
    now = int(RECEIVED.timestamp())
    old = grafana(now - 3600)
    assert not verified("grafana", {**old, TIME: str(now)})
    assert not verified("grafana", {SIGNATURE: old[SIGNATURE]})
    assert not verified("grafana", {SIGNATURE: old[SIGNATURE]}, body=f"{old[TIME]}:".encode() + BODY)  # moved into the body
    assert not verified("grafana", grafana(now, signs=b"{}"))


@pytest.mark.parametrize(("vendor", "header"), [("github", "x-github-delivery"), ("jira", "x-atlassian-webhook-identifier")])
def test_what_is_sent_again_under_another_id_is_known(vendor: str, header: str) -> None:
    (connector,) = [c for c in CONNECTORS if c.name == vendor]
    assert connector.webhook is not None
    first, again = (Delivery(vendor, {header: id}, BODY, RECEIVED) for id in ("1", "2"))
    assert connector.webhook.delivery_id(first) == connector.webhook.delivery_id(again) != ""
    assert connector.webhook.delivery_id(replace(first, body=b"{}")) != connector.webhook.delivery_id(first)


def test_only_what_is_signed_is_known_by_its_body() -> None:
    by_name = {c.name: c.webhook for c in CONNECTORS if c.webhook is not None}
    shown = Delivery("grafana", {"authorization": f"Bearer {SECRET}"}, BODY, RECEIVED)
    assert by_name["grafana"].delivery_id(shown) == ""  # who overhears the secret itself can make up other bodies
    assert by_name["sentry"].delivery_id(Delivery("sentry", {"request-id": "7"}, BODY, RECEIVED)) == "7"


def test_travis_signs_everybody_s_builds_so_only_those_of_our_repositories_count() -> None:
    (connector,) = [c for c in CONNECTORS if c.name == "travis"]
    case = Case(connector, "failed")
    assert connector.configured is not None
    ours = connector.configured(connector.settings.model_validate({"repositories": ["Acme/Shop"]}))
    others = connector.configured(connector.settings())
    assert [type(e) for e in ours.parse(case.delivery)] == [Change]
    (ignored,) = others.parse(case.delivery)
    assert ignored == Ignored("acme/shop is none of `repositories` in the settings")


def test_a_time_of_jira_s_with_400_digits_is_no_exception() -> None:
    (connector,) = [c for c in CONNECTORS if c.name == "jira"]
    assert connector.webhook is not None
    body = b'{"webhookEvent": "jira:issue_updated", "timestamp": ' + b"9" * 399 + b', "issue": {"key": "OPS-1"}}'
    with pytest.raises(BadPayload):
        connector.webhook.parse(Delivery("jira", {}, body, RECEIVED))


def test_a_wrong_signature_is_not_made_good_by_a_token() -> None:
    token = {"authorization": f"Bearer {SECRET}"}
    assert not verified("grafana", {SIGNATURE: hexed(BODY, "wrong"), **token})
    assert not verified("sentry", {"sentry-hook-signature": hexed(BODY, "wrong"), **token})


def test_only_sentry_s_plugin_may_show_the_secret_instead_of_signing() -> None:
    assert verified("sentry", {"sentry-hook-resource": "issue", "sentry-hook-signature": hexed(BODY)})
    assert verified("sentry", {}, {"token": SECRET})
    assert not verified("sentry", {"sentry-hook-resource": "issue"}, {"token": SECRET})


SHOWN = ["grafana", "datadog", "zabbix", "elastic", "gcpmonitoring", "azuremonitor", "newrelic", "cloudevents"]


@pytest.mark.parametrize("vendor", SHOWN)
def test_the_secret_is_shown_as_token_as_password_or_in_the_address(vendor: str) -> None:
    for good in (f"Bearer {SECRET}", f"bearer  {SECRET}", basic("anybody", SECRET), basic("", SECRET)):
        assert verified(vendor, {"authorization": good}), good
    assert verified(vendor, {}, {"token": SECRET})
    for bad in (
        "",
        "Bearer",
        "Bearer ",
        SECRET,
        f"Digest {SECRET}",
        basic(SECRET, ""),
        basic("a", SECRET + ":"),
        "Basic !",
        "Basic /w==",
    ):
        assert not verified(vendor, {"authorization": bad}), bad
    assert not verified(vendor, {}, {"token": ""})
    assert not verified(vendor, {}, {"Token": SECRET})
    assert not verified(vendor, {"authorization": "Bearer wrong"}, {"token": SECRET})


def test_cloudevents_knows_the_specification_s_access_token() -> None:
    assert verified("cloudevents", {}, {"access_token": SECRET})
    assert not verified("cloudevents", {}, {"access_token": "wrong"})


async def test_cloudevents_tells_who_asks_that_it_may_deliver() -> None:
    asked = Delivery("cloudevents", {"webhook-request-origin": "events.example", "webhook-request-rate": "120"}, b"", RECEIVED)
    reply = await CloudEventsWebhook().greet("OPTIONS", asked, [SECRET])
    assert reply is not None
    assert (reply.status, reply.headers["webhook-allowed-origin"], reply.headers["webhook-allowed-rate"]) == (
        200,
        "events.example",
        "*",
    )
    assert await CloudEventsWebhook().greet("POST", asked, [SECRET]) is None
    assert await CloudEventsWebhook(origins=("*.azure.net",)).greet("OPTIONS", asked, [SECRET]) is None
    assert await CloudEventsWebhook().greet("OPTIONS", replace(asked, headers={}), [SECRET]) is None


def configured(vendor: str, **values: object) -> Connector:
    (connector,) = [c for c in CONNECTORS if c.name == vendor]
    assert connector.configured is not None
    return replace(connector, webhook=connector.configured(connector.settings.model_validate(values)))


def test_the_types_of_the_settings_come_before_the_usual_ones() -> None:
    webhook = configured("cloudevents", types={"*.alert.test": "ignore", "com.acme.*": "alert"}).webhook
    assert webhook is not None
    told = {"cloudevents": b'{"type": "%s", "source": "/a", "id": "1", "data": {"name": "x"}}'}

    def kind(of: bytes) -> str:
        return type(webhook.parse(Delivery("cloudevents", {}, told["cloudevents"] % of, RECEIVED))[0]).__name__

    assert [kind(b"com.acme.x"), kind(b"x.alert.test"), kind(b"x.alert.raised"), kind(b"x.deploy.done")] == [
        "Alert", "Ignored", "Alert", "Change",
    ]  # fmt: skip
    assert CloudEventsSettings().types == {}


def test_a_resolved_issue_of_sentry_is_over_in_the_environments_of_the_settings() -> None:
    webhook = configured("sentry", environments=["eu", "us"]).webhook
    assert webhook is not None
    body = b'{"action": "resolved", "data": {"issue": {"id": "1", "title": "x", "project": {"slug": "cart"}}}}'
    over = webhook.parse(Delivery("sentry", {"sentry-hook-resource": "issue"}, body, RECEIVED))
    assert [getattr(event, "environment", None) for event in over] == ["", "eu", "us"]
    assert SentrySettings().environments == ("production", "staging")


@pytest.fixture
def amazon() -> FakeAmazon:
    return FakeAmazon()


@pytest.fixture
def http(amazon: FakeAmazon, database: SqlDatabase, clock: FakeClock) -> httpx.AsyncClient:
    """A bot with the CloudWatch connector at its door, and Amazon within reach."""
    clock.now = NOW
    known = cloudwatch.CONNECTOR.webhook
    assert isinstance(known, SnsWebhook)
    connector = replace(cloudwatch.CONNECTOR, webhook=SnsWebhook(known.read, amazon.transport))
    app = whole_app(a_desk(database, clock), {"cloudwatch": Door(connector, SnsSettings(topics=(TOPIC,)))})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bot")


async def test_a_topic_is_subscribed_and_its_alarms_are_kept_once(
    http: httpx.AsyncClient, amazon: FakeAmazon, database: SqlDatabase
) -> None:
    alarm = delivery(signed(message({"AlarmName": "payments 5xx", "NewStateValue": "ALARM"}))).body
    first = delivery(signed(confirmation(MessageId="first"))).body
    async with http:
        answers = [await http.post("/webhooks/cloudwatch", content=body) for body in (first, alarm, alarm)]
    assert [(answer.status_code, answer.json()["accepted"]) for answer in answers] == [(202, 1), (202, 1), (202, 0)]
    assert amazon.asked == [PEM, confirmation()["SubscribeURL"]]
    kept = database.read_now(lambda tx: SqlInboxStore().recent(tx, state=None, limit=10))
    assert len(kept) == 2


async def test_a_forged_alarm_is_refused_and_a_forged_subscription_visits_nothing(
    http: httpx.AsyncClient, amazon: FakeAmazon
) -> None:
    old = (NOW - timedelta(hours=2)).isoformat()
    forged = [
        signed(message("x"), "stranger"),
        message("x"),
        signed(message("x", Timestamp=old)),
        signed(confirmation(), "stranger"),
    ]
    async with http:
        answers = [await http.post("/webhooks/cloudwatch", content=delivery(body).body) for body in forged]
    assert {answer.status_code for answer in answers} == {401}
    assert amazon.asked == [PEM]


async def test_while_amazon_is_away_it_is_told_to_send_again(http: httpx.AsyncClient, amazon: FakeAmazon) -> None:
    amazon.status = 503
    async with http:
        answer = await http.post("/webhooks/cloudwatch", content=delivery(signed(message("x"))).body)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_without_topics_the_page_is_named(database: SqlDatabase, clock: FakeClock) -> None:
    app = whole_app(a_desk(database, clock), {"cloudwatch": Door(cloudwatch.CONNECTOR, SnsSettings())})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bot") as bare:
        answer = await bare.post("/webhooks/cloudwatch", content=b"{}")
    assert answer.status_code == 403
    assert "topics = " in answer.json()["error"]
