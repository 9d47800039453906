"""Amazon SNS: what every vendor that speaks through a topic shares: the proof by certificate, the handshake, the envelope.

Format: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html and
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. Anybody with an account at Amazon can have
a message signed, so the topics that may speak are named in the settings; they stand where other vendors have a secret.
"""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

import httpx
from pydantic import field_validator

from bot.domain.payload import Node, read_json
from bot.errors import BadPayload, BadSignature, Unavailable
from bot.ports import Delivery, Event, Ignored, Parsed, Reply, WebhookSettings

if TYPE_CHECKING:  # ten megabytes: who hears nothing of Amazon does not load it
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]{4,40}:\d{12}:[A-Za-z0-9_.-]{1,256}")
CERTIFICATE = re.compile(r"https://sns\.[a-z0-9-]{4,40}\.amazonaws\.com(?:\.cn)?/SimpleNotificationService-[0-9a-f]{32}\.pem")
SUBSCRIBE = re.compile(r"https://sns\.[a-z0-9-]{4,40}\.amazonaws\.com(?:\.cn)?/\?[A-Za-z0-9_.~%&=:+-]{1,2000}")
OLDEST = timedelta(minutes=65)  # Amazon tries again for an hour at most
FUTURE = timedelta(minutes=5)
KEPT = timedelta(hours=24)  # a certificate
AGAIN = timedelta(seconds=30)  # after a certificate could not be had
MOST_CERTIFICATES = 16
MOST_MISSED = 200  # addresses
MOST_FETCHING = 6  # certificates at once of the topic's own region; the others are sent again
MOST_ELSEWHERE = 2  # of other regions, where made-up addresses may lead
MOST_BYTES = 64 * 1024  # of a certificate, or of the answer to a confirmation
MOST_MESSAGE = 640 * 1024  # 256 KiB in a text whose quotes are escaped, and what is around it
PATIENCE = 3.0  # seconds
HASHES = {"1": "SHA1", "2": "SHA256"}  # by SignatureVersion; 1 is still what a topic uses unless told otherwise
_ALWAYS = ("MessageId", "Timestamp", "TopicArn", "Type")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


class SnsSettings(WebhookSettings):
    """`topics` are the ARNs that may speak, such as arn:aws:sns:eu-west-1:123456789012:alarms; there is no secret."""

    topics: tuple[str, ...] = ()

    @field_validator("topics")
    @classmethod
    def _are_arns(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for topic in topics:
            if not TOPIC.fullmatch(topic):
                raise ValueError(f"{topic[:80]!r} is no topic; one looks like arn:aws:sns:eu-west-1:123456789012:alarms")
        return topics

    @property
    def secrets(self) -> tuple[str, ...]:
        """What `verify` is given: the topics that Amazon's certificate may speak for."""
        return self.topics


@dataclass(frozen=True, slots=True)
class Notification:
    """What somebody published to a topic. `message` is the JSON they wrote, or a Node of their text where it is none."""

    topic: str
    subject: str
    message: Node
    at: datetime


Reader = Callable[[Notification], Iterable[Event]]


@dataclass(slots=True)
class SnsWebhook:
    """A webhook behind a topic; `read` makes a vendor's events of one notification, and may raise BadPayload.

    `transport` reaches Amazon; tests bring their own.
    """

    read: Reader
    transport: httpx.AsyncBaseTransport | None = None
    patience: float = PATIENCE  # seconds for one answer of Amazon's, from the name of its host to the last byte
    _keys: dict[str, "tuple[RSAPublicKey, datetime]"] = field(default_factory=dict, repr=False)  # and until when it is good
    _missed: dict[str, datetime] = field(default_factory=dict, repr=False)  # and until when it is not asked for again
    _fetches: dict[str, asyncio.Task[None]] = field(default_factory=dict, repr=False)  # that are on their way, by address

    async def greet(self, method: str, delivery: Delivery, secrets: Sequence[str]) -> Reply | None:
        """Have the certificate at hand for `verify`; a topic's first message is answered by visiting its SubscribeURL.

        Raises BadSignature, and Unavailable where Amazon could not be asked: it sends the message again.
        """
        if method != "POST" or not secrets:  # unsigned: nothing is confirmed for whoever asks
            return None
        envelope = _checked(delivery, secrets)
        await self._have(envelope["SigningCertURL"].text(), envelope["TopicArn"].text(), delivery.received_at)
        if envelope["Type"].text() == "SubscriptionConfirmation":
            self.verify(delivery, secrets)
            url = envelope["SubscribeURL"].text()
            if not SUBSCRIBE.fullmatch(url):
                _refuse("SubscribeURL is not an address of Amazon SNS")
            await self._get(url)
        return None

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless Amazon signed the message, lately, for one of the topics; `greet` came before."""
        from cryptography.exceptions import InvalidSignature  # large, see above
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        envelope = _checked(delivery, secrets)
        if (key := self._at_hand(envelope["SigningCertURL"].text(), delivery.received_at)) is None:
            _refuse("the certificate that signed it is not at hand")
        try:
            signature = base64.b64decode(envelope["Signature"].text(), validate=True)
            digest = getattr(hashes, HASHES[envelope["SignatureVersion"].text()])()
            key.verify(signature, _signed_text(envelope), PKCS1v15(), digest)
        except (InvalidSignature, binascii.Error, ValueError):
            _refuse("the signature is wrong")

    def delivery_id(self, delivery: Delivery) -> str:
        """The message's id from the signed body, which Amazon keeps when it sends again."""
        try:
            return read_json(delivery.body)["MessageId"].text()[:100]
        except BadPayload:
            return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """What the vendor's reader makes of a notification; handshakes are ignored with their reason."""
        envelope = read_json(delivery.body).object()
        kind, topic = envelope["Type"].text("Notification"), envelope["TopicArn"].text()[:300]
        if kind == "SubscriptionConfirmation":
            return (Ignored(f"the subscription to {topic} was confirmed"),)
        if kind == "UnsubscribeConfirmation":
            return (Ignored(f"{topic} was unsubscribed: nothing comes from it until it is subscribed again"),)
        if kind != "Notification":
            raise BadPayload(f"{kind[:40]!r} is no type of message of SNS", path="$.Type")
        at = envelope["Timestamp"].time() or delivery.received_at
        notification = Notification(topic, envelope["Subject"].text()[:300], _message(envelope["Message"]), at)
        return tuple(self.read(notification))

    def _at_hand(self, url: str, now: datetime) -> "RSAPublicKey | None":
        key, until = self._keys.get(url, (None, now))
        return key if now < until else None

    async def _have(self, url: str, topic: str, now: datetime) -> None:
        """The certificate is at hand, or Unavailable: one fetch per address at a time, shared by all who wait for it.

        A stranger can make up addresses of certificates: they share few places, and none pushes out a good one.
        """
        if self._at_hand(url, now) is not None:
            return
        fetch = self._fetches.get(url)
        if fetch is None:
            if now < self._missed.get(url, now):
                raise Unavailable("Amazon's certificate could not be had a moment ago.", retry_after=AGAIN.total_seconds())
            if url not in self._keys and not self._room(url, topic):
                raise Unavailable("Too many certificates are asked for at once.", retry_after=self.patience)
            fetch = self._fetches[url] = asyncio.create_task(self._fetch(url, now), name="sns-certificate")
            fetch.add_done_callback(lambda done: self._fetched(url, done))
        await asyncio.shield(fetch)  # whoever asked first may go away

    def _room(self, url: str, topic: str) -> bool:
        """One more certificate may be asked for; those of the topic's own region do not wait for places elsewhere."""
        home = _region(topic)
        here = sum(_region(known) == home for known in self._fetches)
        return here < MOST_FETCHING if _region(url) == home else len(self._fetches) - here < MOST_ELSEWHERE

    def _fetched(self, url: str, fetch: "asyncio.Task[None]") -> None:
        del self._fetches[url]
        if not fetch.cancelled():
            fetch.exception()  # somebody looked at it, even if all who waited went away

    async def _fetch(self, url: str, now: datetime) -> None:
        while len(self._missed) >= MOST_MISSED:
            del self._missed[next(iter(self._missed))]
        self._missed[url] = now + AGAIN
        known = _certificate(await self._get(url), now)
        while len(self._keys) >= MOST_CERTIFICATES:
            del self._keys[next(iter(self._keys))]
        self._keys[url] = (_key(known), min(now + KEPT, known.not_valid_after_utc))
        self._missed.pop(url, None)

    async def _get(self, url: str) -> bytes:
        """The body of an address of Amazon's, small and soon."""
        host = url.split("/")[2]
        try:
            async with (
                asyncio.timeout(self.patience),
                httpx.AsyncClient(transport=self.transport, timeout=self.patience) as client,
            ):
                async with client.stream("GET", url, follow_redirects=False) as answer:
                    body = b""
                    async for chunk in answer.aiter_raw():
                        body += chunk
                        if len(body) > MOST_BYTES:
                            raise Unavailable(f"{host} answered with more than {MOST_BYTES} bytes.")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise Unavailable(f"{host} did not answer within {self.patience:g} s ({type(error).__name__}).") from None
        if answer.status_code != httpx.codes.OK:
            raise Unavailable(f"{host} answered {answer.status_code}.")
        return body


def _region(address: str) -> str:
    """The region in the ARN of a topic, or in the address of a certificate."""
    return address.split(":")[3] if address.startswith("arn:") else address.split(".")[1]


def _message(node: Node) -> Node:
    """The JSON in a text, the path going on; what is no JSON, or an object already, as it is."""
    if not isinstance(node.value, str) or node.value.lstrip()[:1] not in ("{", "["):
        return node
    try:
        return Node(json.loads(node.value), node.path)
    except (ValueError, RecursionError):
        return node


def _checked(delivery: Delivery, topics: Sequence[str]) -> Node:
    """The envelope, once all that can be known without a certificate is right."""
    if len(delivery.body) > MOST_MESSAGE or delivery.body[:1] != b"{":
        _refuse("it is no message of SNS, or a larger one than there is")
    try:
        envelope = read_json(delivery.body).object()
        sent = envelope["Timestamp"].time()
    except BadPayload:
        _refuse("it is no message of SNS (raw message delivery has to be off)")
    if envelope["TopicArn"].value not in topics:
        _refuse("its topic is none of `topics` in the settings")
    if sent is None or not -FUTURE <= delivery.received_at - sent <= OLDEST:
        _refuse("it is too old")
    if not isinstance(url := envelope["SigningCertURL"].value, str) or not CERTIFICATE.fullmatch(url):
        _refuse("SigningCertURL is not a certificate of Amazon SNS")
    if envelope["Type"].text() not in _SIGNED or envelope["SignatureVersion"].text() not in HASHES:
        _refuse("its Type or SignatureVersion is unknown")
    if not all(isinstance(envelope[name].value, str) for name in _ALWAYS):
        _refuse("a field that has to be signed is missing")
    return envelope


def _signed_text(envelope: Node) -> bytes:
    """What Amazon signs: names and values of the fields of this type, one a line; a field that is not there is left out."""
    names = _SIGNED[envelope["Type"].text()]
    lines = (f"{name}\n{envelope[name].value}\n" for name in names if envelope[name].value is not None)
    return "".join(lines).encode("utf-8", "replace")


def _certificate(pem: bytes, now: datetime) -> "x509.Certificate":
    from cryptography import x509  # large, see above

    try:
        known = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise Unavailable("What Amazon sent as its certificate is none.") from None
    if not known.not_valid_before_utc <= now <= known.not_valid_after_utc:
        _refuse("the certificate that signed it is not valid now")
    return known


def _key(certificate: "x509.Certificate") -> "RSAPublicKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # large, see above

    key = certificate.public_key()
    return key if isinstance(key, RSAPublicKey) else _refuse("the certificate that signed it has no RSA key")


def _refuse(why: str) -> NoReturn:
    raise BadSignature(f"The message of SNS is not proved: {why}.")
