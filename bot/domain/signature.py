"""Proofs of who sent a webhook: constant-time comparisons over the raw body, with two live secrets for rotation."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

FRESH = timedelta(minutes=5)  # how far a signed time may be from ours


def hmac_hex(secret: str, message: bytes) -> str:
    """The HMAC-SHA256 of a message as lower-case hex digits."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def proves(secrets: Iterable[str], given: str, compute: Callable[[str], str]) -> bool:
    """One of the live secrets yields what was given; takes the same time wherever they differ, and however long they are."""
    matched, shown = False, _of_one_length(given)
    for secret in secrets:
        matched |= hmac.compare_digest(_of_one_length(compute(secret)), shown)
    return matched


def bears(secrets: Iterable[str], headers: Mapping[str, str]) -> bool:
    """The request shows one of the secrets as its bearer token."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    proven = proves(secrets, token.strip(), lambda secret: secret)
    return proven and bool(token) and scheme.lower() == "bearer"


def shows(secrets: Iterable[str], headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
    """The request shows one of the secrets: as bearer token, as password of basic authentication, or as `token` in its address.

    The header counts where there is one. Addresses end up in logs of proxies: for vendors that can send nothing else.
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() == "basic":
        given = _password(given)
    elif not scheme:
        given = query.get("token", "")
    elif scheme.lower() != "bearer":
        given = ""
    return proves(secrets, given, lambda secret: secret) and bool(given)


def digest(body: bytes) -> str:
    """What a delivery is known by if its vendor signs the body but not its id: sent again under another one it is the same."""
    return hashlib.sha256(body).hexdigest()


def fresh(seconds: str, now: datetime) -> bool:
    """A signed time in seconds since 1970 is near now, so that what was overheard cannot be sent again later."""
    return (
        seconds.isascii()
        and seconds.isdecimal()
        and len(seconds) <= 12
        and abs(now.timestamp() - int(seconds)) <= FRESH.total_seconds()
    )


def _of_one_length(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
