"""Travis CI: builds, by webhook.

Format: https://docs.travis-ci.com/user/notifications/#configuring-webhook-notifications. The JSON is the field `payload` of a
form, signed with RSA-SHA1 by Travis; its public key is no secret, but stands where other vendors have one.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from pydantic import BaseModel, field_validator

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import read_json
from bot.domain.signature import digest
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings

if TYPE_CHECKING:  # ten megabytes: who hears nothing of Travis does not load them
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

NAME = "travis"
STATES = {
    "created": ChangeStatus.PENDING,
    "queued": ChangeStatus.PENDING,
    "received": ChangeStatus.PENDING,
    "pending": ChangeStatus.PENDING,
    "started": ChangeStatus.RUNNING,
    "passed": ChangeStatus.SUCCEEDED,
    "failed": ChangeStatus.FAILED,
    "errored": ChangeStatus.FAILED,
    "canceled": ChangeStatus.FAILED,
}
CHECKED = {"passed": True, "failed": False, "errored": False}
CHECK = "Travis CI"


class TravisSettings(WebhookSettings):
    """`public_key` is the PEM of https://api.travis-ci.com/config under notifications.webhook.public_key.

    `repositories` are ours, such as "acme/shop": Travis signs everybody's builds with one key.
    """

    repositories: tuple[str, ...] = ()
    public_key: str = ""
    previous_public_key: str = ""

    @field_validator("public_key", "previous_public_key")
    @classmethod
    def _is_a_key(cls, pem: str) -> str:
        if pem.strip() and _key(pem) is None:
            raise ValueError("is no RSA public key in PEM; it begins with -----BEGIN PUBLIC KEY-----")
        return pem

    @property
    def secrets(self) -> tuple[str, ...]:
        """What `verify` is given: the keys of which one has to have signed."""
        return tuple(pem for pem in (self.public_key, self.previous_public_key) if pem.strip())


@dataclass(frozen=True, slots=True)
class TravisWebhook:
    """One state of a build in, a build out. What a stranger builds of our commit says nothing about it.

    `repositories` are ours, in lower case; None takes everybody's.
    """

    repositories: frozenset[str] | None = None

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless one of the keys signed the payload."""
        try:
            signature = base64.b64decode(delivery.headers.get("signature", ""), validate=True)
            payload = _payload(delivery)
        except (binascii.Error, ValueError, BadPayload):
            signature, payload = b"", b""
        if not any(_signed(key, signature, payload) for pem in secrets if (key := _key(pem))):
            raise BadSignature("Signature is missing or wrong; public_key must be the one that Travis shows under /config.")

    def delivery_id(self, delivery: Delivery) -> str:
        """The signed body's own: a state of a build carries its times, so that the same one is sent again or was overheard."""
        return digest(delivery.body)

    def parse(self, delivery: Delivery) -> Parsed:
        """The build of one notification."""
        build = read_json(_payload(delivery)).object()
        state, number = build["state"].needed().lower(), build["number"].text("?")[:20]
        owner, name = build["repository"]["owner_name"].needed()[:60], build["repository"]["name"].needed()[:80]
        if self.repositories is not None and f"{owner}/{name}".lower() not in self.repositories:
            return (Ignored(f"{owner}/{name} is none of `repositories` in the settings"),)
        if state not in STATES:
            return (Ignored(f"build {number}: {state[:40]}"),)
        if build["type"].text() == "pull_request":
            return (Ignored(f"build {number} of a pull request"),)
        change = Change(
            id=f"{NAME}:{owner}/{name}:{build['id'].needed()[:30]}",
            connector=NAME,
            kind=ChangeKind.BUILD,
            status=STATES[state],
            at=build["finished_at"].time() or build["started_at"].time() or delivery.received_at,
            title=line(f"build #{number} {state}: {build['message'].text()}"),
            version=build["tag"].text()[:100],
            commit=build["commit"].text()[:64],
            repository=f"{owner}/{name}",
            author=build["author_name"].text()[:100],
            url=link(build["build_url"].text()),
            checks={CHECK: CHECKED[state]} if state in CHECKED else {},
        )
        return (change,)


def _payload(delivery: Delivery) -> bytes:
    """The JSON in the form, or the body itself, as from a script that sends it bare."""
    if not delivery.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return delivery.body
    try:
        form = parse_qs(delivery.body.decode("ascii"), max_num_fields=10)
    except ValueError:
        raise BadPayload("this is not a form with the field payload") from None
    return form.get("payload", [""])[0].encode("utf-8", "replace")


def _key(pem: str) -> "RSAPublicKey | None":
    """The key, or None for what is none: whoever has no key has no proof either."""
    from cryptography.exceptions import UnsupportedAlgorithm  # large, see above
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.strip().encode("utf-8", "replace"))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def _signed(key: "RSAPublicKey", signature: bytes, payload: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # large, see above
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA1

    try:
        key.verify(signature, payload, PKCS1v15(), SHA1())  # noqa: S303  this is what Travis signs with
    except InvalidSignature:
        return False
    return True


def _configured(settings: BaseModel) -> TravisWebhook:
    ours = settings.repositories if isinstance(settings, TravisSettings) else ()
    return TravisWebhook(frozenset(name.strip().lower() for name in ours))


CONNECTOR = Connector(
    name=NAME,
    title="Travis CI",
    settings=TravisSettings,
    help="TOCSIN_TRAVIS_PUBLIC_KEY_FILE names a file with Travis' public key (PEM), which its API shows under /config; "
    'repositories = ["acme/shop"] are those whose builds count',
    webhook=TravisWebhook(),
    configured=_configured,
)
