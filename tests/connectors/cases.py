"""The payloads of all vendors: payloads/<vendor>/<case>.json, with headers in .headers.json and the outcome in .expected.json.

`python -m tests.connectors.cases` writes the .expected.json of cases that have none; read them before you commit them.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.errors import BadPayload
from bot.ports import Connector, Delivery, Webhook
from connectors import CONNECTORS

FOLDER = Path(__file__).parent / "payloads"
RECEIVED = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
SECRET = "correct-horse-battery-staple"
Signer = Callable[[Delivery, str], Mapping[str, str]]


def _bearer(delivery: Delivery, secret: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {secret}"}


def _github(delivery: Delivery, secret: str) -> Mapping[str, str]:
    return {"x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()}


def _pagerduty(delivery: Delivery, secret: str) -> Mapping[str, str]:
    return {"x-pagerduty-signature": "v1=" + hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()}


def _jira(delivery: Delivery, secret: str) -> Mapping[str, str]:
    return {"x-hub-signature": "sha256=" + hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()}


def _hmac(header: str, prefix: str = "", algorithm: str = "sha256") -> Signer:
    return lambda delivery, secret: {header: prefix + hmac.new(secret.encode(), delivery.body, algorithm).hexdigest()}


@cache
def _key(secret: str) -> RSAPrivateKey:
    """The key that stands for a secret where a vendor signs with one; a new one in each run."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def _travis(delivery: Delivery, secret: str) -> Mapping[str, str]:
    return {"signature": base64.b64encode(_key(secret).sign(delivery.body, PKCS1v15(), SHA1())).decode()}


def known(connector: str, secret: str) -> str:
    """What Tocsin knows of a vendor that holds this secret: the same, or the public half of its key."""
    if connector != "travis":
        return secret
    return _key(secret).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _basic(delivery: Delivery, secret: str) -> Mapping[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"tocsin:{secret}".encode()).decode()}


def _grafana(delivery: Delivery, secret: str) -> Mapping[str, str]:
    at = f"{delivery.received_at.timestamp():.0f}"
    proof = hmac.new(secret.encode(), f"{at}:".encode() + delivery.body, hashlib.sha256).hexdigest()
    return {"x-grafana-alerting-signature": proof, "x-grafana-alerting-timestamp": at}


def _sentry(delivery: Delivery, secret: str) -> Mapping[str, str]:
    return {"sentry-hook-signature": hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()}


SIGNERS: Mapping[str, Signer] = {  # how each vendor proves itself
    "alertmanager": _bearer,
    "argocd": _bearer,
    "awx": _bearer,
    "azuremonitor": _bearer,
    "change": _bearer,
    "cloudevents": _bearer,
    "datadog": _bearer,
    "elastic": _basic,
    "flux": _hmac("x-signature", "sha256="),
    "gcpmonitoring": _basic,
    "generic": _bearer,
    "github": _github,
    "gitlab": lambda delivery, secret: {"x-gitlab-token": secret},
    "grafana": _grafana,
    "jenkins": _bearer,
    "jira": _jira,
    "launchdarkly": _hmac("x-ld-signature"),
    "newrelic": _bearer,
    "opsgenie": _bearer,
    "pagerduty": _pagerduty,
    "sentry": _sentry,
    "servicenow": _bearer,
    "terraformcloud": _hmac("x-tfe-notification-signature", algorithm="sha512"),
    "travis": _travis,
    "zabbix": _bearer,
}
COVERS_BODY = frozenset(  # whose proof depends on the body
    {"flux", "github", "grafana", "jira", "launchdarkly", "pagerduty", "sentry", "terraformcloud", "travis"}
)
CERTIFIED = frozenset({"cloudformation", "cloudwatch"})  # proved by Amazon's certificate: tests/wire/test_sns.py


@dataclass(frozen=True, slots=True)
class Case:
    """One payload of one vendor."""

    connector: Connector
    name: str

    @property
    def webhook(self) -> Webhook:
        """The vendor's webhook."""
        assert self.connector.webhook is not None
        return self.connector.webhook

    @property
    def delivery(self) -> Delivery:
        """The request as it came in, unsigned."""
        folder = FOLDER / self.connector.name
        headers_file = folder / f"{self.name}.headers.json"
        headers = json.loads(headers_file.read_text()) if headers_file.exists() else {}
        body = (folder / f"{self.name}.json").read_bytes()
        return Delivery(self.connector.name, {k.lower(): v for k, v in headers.items()}, body, RECEIVED)

    @property
    def expected_file(self) -> Path:
        """Where the outcome is written down."""
        return FOLDER / self.connector.name / f"{self.name}.expected.json"

    def __str__(self) -> str:
        return f"{self.connector.name}-{self.name}"


def signed(delivery: Delivery, secret: str = SECRET) -> Delivery:
    """The delivery with its vendor's proof."""
    return replace(delivery, headers={**delivery.headers, **SIGNERS[delivery.connector](delivery, secret)})


def outcome(webhook: Webhook, delivery: Delivery) -> object:
    """What a delivery is parsed to, as plain JSON: a list of events by kind, or the refusal."""
    try:
        events = webhook.parse(delivery)
    except BadPayload as error:
        return {"BadPayload": str(error)}
    found: list[dict[str, dict[str, object]]] = json.loads(msgspec.json.encode([{type(e).__name__: e} for e in events]))
    for event in found:  # what people map a service to is no vendor's word
        event.get("Alert", {}).pop("called", None)
    return found


def all_cases() -> list[Case]:
    """Every payload of every vendor that takes webhooks."""
    return [
        Case(connector, file.stem)
        for connector in CONNECTORS
        if connector.webhook is not None
        for file in sorted((FOLDER / connector.name).glob("*.json"))
        if not file.stem.endswith((".expected", ".headers"))
    ]


def main() -> None:
    """Write what is missing."""
    for case in all_cases():
        if not case.expected_file.exists():
            text = json.dumps(outcome(case.webhook, case.delivery), indent=2, ensure_ascii=False)
            case.expected_file.write_text(text + "\n")
            print(f"wrote {case.expected_file.name}: read it before you commit it")


if __name__ == "__main__":
    main()
