"""How a delivery proves that it knows the secret: an HMAC of its body, a bearer token, or for senders of little skill the URL."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from bot.domain.signature import bears, proves
from bot.errors import BadSignature
from bot.ports import Delivery
from connectors.generic.mapping import Source

_ALGORITHMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}


def check(delivery: Delivery, source: Source, secrets: Sequence[str]) -> None:
    """Raise BadSignature unless the delivery proves one of the secrets."""
    if source.hmac_header:
        good, wanted = _by_hmac(delivery, source, secrets), f"The HMAC in {source.hmac_header}"
    else:
        good, wanted = bears(secrets, delivery.headers), "The bearer token"
        if source.token_query and not good:
            good = proves(secrets, delivery.query.get(source.token_query, "").strip(), lambda secret: secret)
            wanted = f"The bearer token or {source.token_query} in the URL"
    if not good:
        raise BadSignature(f"{wanted} is missing or wrong; it has to be made of TOCSIN_GENERIC_SECRET.")


def _by_hmac(delivery: Delivery, source: Source, secrets: Sequence[str]) -> bool:
    algorithm = _ALGORITHMS[source.hmac_algorithm]
    given = delivery.headers.get(source.hmac_header.lower(), "").strip().removeprefix(f"{source.hmac_algorithm}=")

    def made(secret: str) -> str:
        digest = hmac.new(secret.encode(), delivery.body, algorithm)
        return digest.hexdigest() if source.hmac_encoding == "hex" else base64.b64encode(digest.digest()).decode()

    return proves(secrets, given.lower() if source.hmac_encoding == "hex" else given, made)
