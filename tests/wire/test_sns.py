"""Messages of Amazon SNS: who is believed, what is fetched from where, and how a topic is subscribed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from pydantic import ValidationError

from bot.errors import BadPayload, BadSignature, Unavailable
from bot.ports import Delivery, Ignored
from bot.wire.sns import MOST_BYTES, MOST_ELSEWHERE, Notification, SnsSettings, SnsWebhook
from tests.amazon import HOST, NOW, PEM, TOPIC, FakeAmazon, certificate, confirmation, delivery, message, signed

TOPICS = (TOPIC,)


def a_webhook(amazon: FakeAmazon) -> SnsWebhook:
    return SnsWebhook(lambda told: [Ignored(str(told.message.value))], amazon.transport)


async def let_in(webhook: SnsWebhook, parcel: Delivery) -> None:
    """What the door does before it keeps a delivery."""
    assert await webhook.greet("POST", parcel, TOPICS) is None
    webhook.verify(parcel, TOPICS)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "ALARM: é"])
async def test_both_versions_of_the_signature_are_accepted(version: str, subject: str | None) -> None:
    amazon = FakeAmazon()
    await let_in(a_webhook(amazon), delivery(signed(message("über\nall", SignatureVersion=version, Subject=subject))))
    assert amazon.asked == [PEM]


async def test_the_certificate_is_fetched_once_a_day() -> None:
    amazon = FakeAmazon()
    webhook = a_webhook(amazon)
    first = delivery(signed(message("x")))
    await asyncio.gather(*(let_in(webhook, first) for _ in range(5)))
    assert amazon.asked == [PEM]
    later = NOW + timedelta(hours=25)
    await let_in(webhook, delivery(signed(message("x", Timestamp=later.isoformat())), at=later))
    assert amazon.asked == [PEM, PEM]


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn"])
async def test_a_signed_field_that_was_changed_is_noticed(field: str) -> None:
    good = signed(message("x", Subject="s"))
    forged = {**good, field: {"Timestamp": "2026-11-22T12:04:00Z", "TopicArn": TOPIC + "2"}.get(field, "other")}
    webhook = a_webhook(FakeAmazon())
    await let_in(webhook, delivery(good))
    with pytest.raises(BadSignature):
        webhook.verify(delivery(forged), (TOPIC, TOPIC + "2"))


FORGED = {
    "not signed": message("x"),
    "signature is no base64": {**message("x"), "Signature": "!!"},
    "signed by somebody else": signed(message("x"), "stranger"),
    "version 1 called 2": {**signed(message("x", SignatureVersion="1")), "SignatureVersion": "2"},
    "unknown version": signed(message("x", SignatureVersion="3")),
    "unknown type": signed(message("x", Type="Other")),
    "somebody else's topic": signed(message("x", TopicArn="arn:aws:sns:eu-west-1:999999999999:alarms")),
    "no topic": signed(message("x", TopicArn=None)),
    "no id": signed(message("x", MessageId=None)),
    "replayed much later": signed(message("x", Timestamp="2026-11-22T10:50:00Z")),
    "from the future": signed(message("x", Timestamp="2026-11-22T12:30:00Z")),
    "no time": signed(message("x", Timestamp=None)),
    "odd time": signed(message("x", Timestamp="yesterday")),
}


@pytest.mark.parametrize("envelope", FORGED.values(), ids=FORGED)
async def test_what_amazon_did_not_sign_lately_for_our_topic_is_refused(envelope: dict[str, str]) -> None:
    webhook = a_webhook(FakeAmazon())
    await let_in(webhook, delivery(signed(message("x"))))
    with pytest.raises(BadSignature):
        await let_in(webhook, delivery(envelope))


@pytest.mark.parametrize(
    "url",
    [
        PEM.replace("https", "http"),
        PEM.replace("amazonaws.com", "amazonaws.com.evil.example"),
        PEM.replace("https://", "https://evil.example/@"),
        PEM.replace("https://", "https://user@"),
        PEM.replace("amazonaws.com/", "amazonaws.com:444/"),
        PEM.replace("sns.eu-west-1", "s3.eu-west-1"),
        PEM.replace("sns.eu-west-1", "x.sns.eu-west-1"),
        PEM.replace("/Simple", "/../Simple"),
        PEM + "?x=1",
        PEM + "\n",
        f"{HOST}/?Action=Publish",
        "https://169.254.169.254/latest/meta-data",
        "",
    ],
)
async def test_certificates_are_fetched_from_amazon_only(url: str) -> None:
    amazon = FakeAmazon()
    with pytest.raises(BadSignature):
        await let_in(a_webhook(amazon), delivery(signed(message("x", SigningCertURL=url))))
    assert amazon.asked == []


async def test_china_is_amazon_too() -> None:
    url = PEM.replace("eu-west-1.amazonaws.com", "cn-north-1.amazonaws.com.cn")
    amazon = FakeAmazon()
    await let_in(a_webhook(amazon), delivery(signed(message("x", SigningCertURL=url))))
    assert amazon.asked == [url]


@pytest.mark.parametrize("envelope", [[], "x", None, {}, {"TopicArn": [TOPIC]}])
async def test_what_is_no_message_of_sns_is_refused_before_anything_is_fetched(envelope: object) -> None:
    amazon = FakeAmazon()
    webhook = a_webhook(amazon)
    with pytest.raises(BadSignature):
        await webhook.greet("POST", delivery(envelope), TOPICS)
    with pytest.raises(BadSignature):
        webhook.verify(delivery(envelope), TOPICS)
    assert amazon.asked == []


@pytest.mark.parametrize("body", [b"[" * 1_000_000, b'{"TopicArn":"' + b"x" * 700_000 + b'"}', b" {}", b""])
async def test_what_is_larger_than_a_message_can_be_is_not_even_read(body: bytes) -> None:
    amazon = FakeAmazon()
    with pytest.raises(BadSignature, match="larger"):
        await a_webhook(amazon).greet("POST", replace(delivery(message("x")), body=body), TOPICS)
    assert amazon.asked == []


async def test_without_topics_nothing_is_believed_and_nothing_fetched() -> None:
    amazon = FakeAmazon()
    webhook = a_webhook(amazon)
    assert await webhook.greet("POST", delivery(signed(confirmation())), ()) is None
    with pytest.raises(BadSignature):
        webhook.verify(delivery(signed(message("x"))), ())
    assert amazon.asked == []


@pytest.mark.parametrize(
    "amazon",
    [
        FakeAmazon(body=b"x" * (MOST_BYTES + 1)),
        FakeAmazon(body=b"-----BEGIN NOTHING-----"),
        FakeAmazon(status=500),
        FakeAmazon(status=302, headers={"location": "http://127.0.0.1/"}),
    ],
    ids=["too large", "no certificate", "an error", "a redirection"],
)
async def test_a_certificate_that_cannot_be_had_makes_amazon_send_again_and_is_not_asked_for_at_once(amazon: FakeAmazon) -> None:
    webhook, parcel = a_webhook(amazon), delivery(signed(message("x")))
    for _ in range(3):
        with pytest.raises(Unavailable):
            await webhook.greet("POST", parcel, TOPICS)
    assert amazon.asked == [PEM]
    amazon.body, amazon.status = certificate(), 200
    await let_in(webhook, replace(parcel, received_at=NOW + timedelta(seconds=31)))


async def test_amazon_being_away_is_said() -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    webhook = SnsWebhook(lambda _: [], httpx.MockTransport(nobody))
    with pytest.raises(Unavailable, match=r"sns\.eu-west-1\.amazonaws\.com did not answer"):
        await webhook.greet("POST", delivery(signed(message("x"))), TOPICS)


async def test_made_up_addresses_of_certificates_do_not_push_out_the_good_one() -> None:
    amazon = FakeAmazon()
    webhook, good = a_webhook(amazon), delivery(signed(message("x")))
    await let_in(webhook, good)
    amazon.status = 404
    for number in range(40):
        with pytest.raises(Unavailable):
            await webhook.greet("POST", delivery(message("x", SigningCertURL=PEM.replace("0f0f0f", f"{number:06d}"))), TOPICS)
    await let_in(webhook, good)
    assert amazon.asked.count(PEM) == 1


class SlowAmazon:
    """Never answers for some addresses; the others as FakeAmazon does."""

    def __init__(self, slow: str) -> None:
        self.amazon, self.asked = FakeAmazon(), 0
        self._slow = slow

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self._slow in str(request.url):
            await asyncio.Event().wait()
        return await self.amazon.transport.handle_async_request(request)


async def test_a_host_that_is_slow_holds_up_nobody_but_those_who_asked_for_it() -> None:
    amazon = SlowAmazon("nowhere-9")
    webhook = SnsWebhook(lambda _: [], httpx.MockTransport(amazon.answer), patience=30)
    elsewhere = PEM.replace("eu-west-1", "nowhere-9")
    made_up = [delivery(message("x", SigningCertURL=elsewhere.replace("0f0f", f"{n:04d}"))) for n in range(30)]
    waiting = [asyncio.create_task(webhook.greet("POST", one, TOPICS)) for one in (*made_up, *made_up)]
    await asyncio.sleep(0)
    await let_in(webhook, delivery(signed(message("x"))))
    assert [one.done() for one in waiting].count(False) == 2 * MOST_ELSEWHERE
    assert amazon.asked == MOST_ELSEWHERE + 1
    for one in waiting:
        one.cancel()
    refused = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in refused].count(Unavailable) == 2 * (30 - MOST_ELSEWHERE)


async def test_a_host_that_is_slow_is_given_up_and_not_asked_again_at_once() -> None:
    amazon = SlowAmazon("eu-west-1")
    webhook = SnsWebhook(lambda _: [], httpx.MockTransport(amazon.answer), patience=0.01)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await webhook.greet("POST", delivery(signed(message("x"))), TOPICS)
    assert amazon.asked == 1


async def test_who_asks_for_the_same_certificate_shares_its_fetch_also_where_the_first_of_them_goes_away() -> None:
    amazon = FakeAmazon()
    webhook, parcel = a_webhook(amazon), delivery(signed(message("x")))
    first = asyncio.create_task(webhook.greet("POST", parcel, TOPICS))
    others = [asyncio.create_task(let_in(webhook, parcel)) for _ in range(20)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(*others)
    assert amazon.asked == [PEM]


async def test_an_expired_certificate_proves_nothing() -> None:
    with pytest.raises(BadSignature):
        await let_in(a_webhook(FakeAmazon(body=certificate("amazon", days=1))), delivery(signed(message("x"))))


async def test_a_subscription_is_confirmed_once_it_is_proved() -> None:
    amazon = FakeAmazon()
    webhook, first = a_webhook(amazon), delivery(signed(confirmation()))
    await let_in(webhook, first)
    assert amazon.asked == [PEM, confirmation()["SubscribeURL"]]
    (event,) = webhook.parse(first)
    assert event == Ignored(f"the subscription to {TOPIC} was confirmed")


@pytest.mark.parametrize(
    "envelope",
    [
        confirmation(),
        signed(confirmation(), "stranger"),
        signed(confirmation(SubscribeURL="https://evil.example/?Action=ConfirmSubscription")),
        signed(confirmation(SubscribeURL=f"{HOST}.evil.example/?Action=ConfirmSubscription")),
        signed(confirmation(SubscribeURL=None)),
        {**signed(confirmation()), "SubscribeURL": f"{HOST}/?Action=DeleteTopic"},
    ],
    ids=["unsigned", "a stranger's", "elsewhere", "nearly Amazon", "nowhere", "another deed"],
)
async def test_nothing_is_visited_that_is_not_proved_and_amazons(envelope: dict[str, str]) -> None:
    amazon = FakeAmazon()
    with pytest.raises(BadSignature):
        await a_webhook(amazon).greet("POST", delivery(envelope), TOPICS)
    assert amazon.asked == [PEM]  # and no more


async def test_the_end_of_a_subscription_is_told() -> None:
    ended = signed(confirmation(Type="UnsubscribeConfirmation"))
    amazon = FakeAmazon()
    webhook = a_webhook(amazon)
    await let_in(webhook, delivery(ended))
    (event,) = webhook.parse(delivery(ended))
    assert isinstance(event, Ignored)
    assert "until it is subscribed again" in event.reason
    assert amazon.asked == [PEM]  # visiting SubscribeURL would subscribe again


def test_the_id_is_the_signed_one_so_that_a_replay_within_the_hour_has_the_effect_of_one() -> None:
    webhook, parcel = a_webhook(FakeAmazon()), delivery(signed(message("x")))
    assert webhook.delivery_id(replace(parcel, headers={"x-amz-sns-message-id": "other"})) == message("x")["MessageId"]
    assert webhook.delivery_id(replace(parcel, body=b"{")) == ""


@pytest.mark.parametrize(("text", "value"), [('{"a": 1}', {"a": 1}), ("plain\ntext", "plain\ntext"), ("{broken", "{broken")])
def test_a_reader_gets_what_was_published(text: str, value: object) -> None:
    told: list[Notification] = []
    webhook = SnsWebhook(lambda notification: told.append(notification) or ())  # type: ignore[func-returns-value]  # appends, reads nothing
    webhook.parse(delivery(message(text, Subject="s")))
    assert (told[0].message.value, told[0].subject, told[0].topic, told[0].at) == (value, "s", TOPIC, NOW)
    with pytest.raises(BadPayload):
        webhook.parse(delivery(message("x", Type="Other")))


def test_topics_have_to_be_arns() -> None:
    assert SnsSettings(topics=TOPICS).secrets == TOPICS
    assert SnsSettings().secrets == ()
    with pytest.raises(ValidationError, match="is no topic"):
        SnsSettings(topics=("alarms",))
