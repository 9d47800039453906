"""A fake of what Amazon does for SNS: a certificate at its address, messages signed with it, subscriptions confirmed."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bot.ports import Delivery

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
HOST = "https://sns.eu-west-1.amazonaws.com"
PEM = f"{HOST}/SimpleNotificationService-{'0f' * 16}.pem"
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
SIGNED = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")


@cache
def key(name: str = "amazon") -> rsa.RSAPrivateKey:
    """A key pair by a name."""
    return rsa.generate_private_key(65537, 2048)


@cache
def certificate(name: str = "amazon", days: int = 30) -> bytes:
    """A certificate in PEM over that key, valid for so many days after the day before NOW."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    start = NOW - timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key(name).public_key())
    builder = builder.serial_number(7).not_valid_before(start).not_valid_after(start + timedelta(days=days))
    return builder.sign(key(name), SHA256()).public_bytes(Encoding.PEM)


def message(text: str | object, **fields: str | None) -> dict[str, str]:
    """An unsigned notification; a field that is None is left out."""
    usual: dict[str, str | None] = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": text if isinstance(text, str) else json.dumps(text),
        "Timestamp": NOW.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "2",
        "SigningCertURL": PEM,
    }
    return {name: value for name, value in (usual | fields).items() if value is not None}


def confirmation(**fields: str | None) -> dict[str, str]:
    """An unsigned first message of a topic."""
    url = f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
    return message(
        "You have chosen to subscribe.",
        **{"Type": "SubscriptionConfirmation", "Token": "2336412f37", "SubscribeURL": url, **fields},
    )


def signed(envelope: dict[str, str], name: str = "amazon") -> dict[str, str]:
    """The message with the signature that its SignatureVersion asks for."""
    text = "".join(f"{field}\n{envelope[field]}\n" for field in SIGNED if field in envelope)
    algorithm = SHA1() if envelope.get("SignatureVersion") == "1" else SHA256()
    proof = key(name).sign(text.encode(), padding.PKCS1v15(), algorithm)
    return {**envelope, "Signature": base64.b64encode(proof).decode()}


def delivery(envelope: object, connector: str = "cloudwatch", at: datetime = NOW) -> Delivery:
    """The request in which Amazon sends a message."""
    return Delivery(connector, {"content-type": "text/plain; charset=UTF-8"}, json.dumps(envelope).encode(), at)


@dataclass(slots=True)
class FakeAmazon:
    """Answers with `body` and `status`; `asked` are the addresses in order."""

    body: bytes = field(default_factory=certificate)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        """The way to it."""
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        return httpx.Response(self.status, stream=httpx.ByteStream(self.body), headers=self.headers)
