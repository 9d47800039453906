"""Proofs of who sent a webhook: constant-time comparisons over the raw body, with two live secrets for rotation."""

import hashlib
import hmac
from collections.abc import Callable, Iterable


def hmac_hex(secret: str, message: bytes) -> str:
    """The HMAC-SHA256 of a message as lower-case hex digits."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def proves(secrets: Iterable[str], given: str, compute: Callable[[str], str]) -> bool:
    """One of the live secrets yields what was given; takes the same time wherever they differ."""
    matched = False
    for secret in secrets:
        matched |= hmac.compare_digest(compute(secret).encode(), given.encode())
    return matched
