"""Requests to Amazon's APIs signed with Signature Version 4, in headers.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
S3 has rules of its own and is not meant.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"
_OWN = frozenset({"authorization", "host", "x-amz-date", "x-amz-security-token"})


def sign(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    region: str,
    service: str,
    access_key: str,
    secret_key: str,
    session_token: str,
    now: datetime,
) -> dict[str, str]:
    """The headers of the request as it has to be sent, names in lower case: those given, the time, the token and the proof.

    `url` and `body` have to be sent exactly as they are signed; the URL's path and query percent-encoded. All given headers
    are signed. `session_token` is "" for keys that last; `now` is aware and may be some minutes off Amazon's clock.
    """
    at = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(url)
    sent = {name.lower(): value for name, value in headers.items() if name.lower() not in _OWN}
    sent["x-amz-date"] = at
    if session_token:
        sent["x-amz-security-token"] = session_token
    signed = sent | {"host": parts.netloc.rpartition("@")[2]}
    names = ";".join(sorted(signed))
    request = "\n".join(
        (
            method.upper(),
            quote(parts.path or "/", safe=f"/{_UNRESERVED}"),
            _query(parts.query),
            *(f"{name}:{re.sub(' +', ' ', signed[name].strip())}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    text = f"{ALGORITHM}\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    proof = hmac.digest(key, text.encode(), "sha256").hex()
    return sent | {"authorization": f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={proof}"}


def _query(query: str) -> str:
    """The query's names and values encoded anew and sorted; a plus sign is one, as Amazon reads it."""
    pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)
    encoded = sorted((quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
