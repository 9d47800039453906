"""An embedding model behind an OpenAI-compatible endpoint: `POST {url}/embeddings` (https://platform.openai.com/docs/api-reference/embeddings).

Nothing is sent unless the settings name such a model. Secrets and personal data leave a text before it is sent.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from bot.errors import BadSettings, Unavailable
from bot.redact import Veil

PREFIX = "openai-compatible:"

BATCH = 64  # texts in one request
QUESTION_PATIENCE = 3.0  # seconds for a text that somebody waits for; it is not tried again
BATCH_PATIENCE = 60.0
TRIES = 4
LONGEST_PAUSE = 30.0  # seconds between two tries, whatever the endpoint asks for
COOL_DOWN = 15.0  # seconds without a question after one that was not answered
LARGEST_ANSWER = 64 << 20  # bytes
WORDS_ONLY = "The embedding endpoint does not answer; search goes by words only."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where models are asked, such as http://127.0.0.1:8080/v1, and the key that goes along as a bearer token."""

    url: str
    key: str = field(default="", repr=False)


class EndpointModel:
    """An Embedder over HTTP. The dimensions are asked for once, when it is made: raises Unavailable, BadSettings then."""

    at_once = 4

    def __init__(self, name: str, endpoint: Endpoint, pause: Callable[[float], object] = time.sleep) -> None:
        """`name` is the model's name there, without our prefix."""
        parts = urlsplit(endpoint.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or not name:
            raise BadSettings(
                f"knowledge.embedder {PREFIX}NAME needs knowledge.embedder_url. A good value: http://127.0.0.1:8080/v1"
            )
        self.name = PREFIX + name
        self._asked_for = name
        self._url = endpoint.url.rstrip("/") + "/embeddings"
        self._client = httpx.Client(headers={"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {})
        self._pause = pause
        self._silent_until = 0.0
        self._lock = threading.Lock()
        self.digest = hashlib.sha256(f"{self._url} {name}".encode()).hexdigest()
        self.dimensions = 0
        self.dimensions = len(self.embed(["dimensions"])[0])

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of unit length per text. Raises Unavailable."""
        if len(texts) == 1:
            return self._question(texts[0])
        return [v for start in range(0, len(texts), BATCH) for v in self._patiently(texts[start : start + BATCH])]

    def _question(self, text: str) -> list[list[float]]:
        if time.monotonic() < self._silent_until:
            raise Unavailable(f"{self._url} did not answer just now.", for_people=WORDS_ONLY)
        try:
            return self._ask([text], QUESTION_PATIENCE)
        except Unavailable:
            self._silent_until = time.monotonic() + COOL_DOWN
            raise

    def _patiently(self, texts: Sequence[str]) -> list[list[float]]:
        for attempt in range(1, TRIES):
            try:
                return self._ask(texts, BATCH_PATIENCE)
            except Unavailable as error:
                self._pause(min(error.retry_after or 2.0**attempt, LONGEST_PAUSE))
        return self._ask(texts, BATCH_PATIENCE)

    def _ask(self, texts: Sequence[str], patience: float) -> list[list[float]]:
        sent = {"model": self._asked_for, "input": [Veil().hide(text) for text in texts], "encoding_format": "float"}
        try:
            with self._client.stream("POST", self._url, json=sent, timeout=patience) as answer:
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > LARGEST_ANSWER:
                        raise self._bad("it is longer than anybody needs")
        except httpx.HTTPError as error:
            why = type(error).__name__
            raise Unavailable(f"{self._url} did not answer: {why}. The bot tries again.", for_people=WORDS_ONLY) from error
        if answer.status_code != 200:
            raise Unavailable(
                f"{self._url} answered {answer.status_code} for the model {self._asked_for!r}. {_advice(answer.status_code)}",
                for_people=WORDS_ONLY,
                retry_after=_seconds(answer.headers.get("retry-after", "")),
            )
        return self._vectors(body, len(texts))

    def _vectors(self, body: bytes, wanted: int) -> list[list[float]]:
        """What the answer holds, in the order that was asked for, each of unit length."""
        try:
            rows = sorted(httpx.Response(200, content=body).json()["data"], key=lambda row: int(row["index"]))
            vectors = [[float(x) for x in row["embedding"]] for row in rows]
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise self._bad("it is no list of embeddings") from error
        if [int(row["index"]) for row in rows] != list(range(wanted)):
            raise self._bad(f"{len(rows)} vectors came for {wanted} texts")
        return [self._unit(vector) for vector in vectors]

    def _unit(self, vector: Sequence[float]) -> list[float]:
        if not vector or (self.dimensions and len(vector) != self.dimensions):
            raise self._bad(f"a vector has {len(vector)} numbers where {self.dimensions or 'some'} were expected")
        length = math.sqrt(sum(x * x for x in vector))
        if not math.isfinite(length) or length == 0.0:
            raise self._bad("a vector has no direction")
        return [x / length for x in vector]

    def _bad(self, why: str) -> Unavailable:
        return Unavailable(f"{self._url} gave an answer that cannot be used: {why}.", for_people=WORDS_ONLY)


def _advice(status: int) -> str:
    if status in (401, 403):
        return "Check knowledge.embedder_key."
    if status == 404:
        return "Check knowledge.embedder_url and the model's name."
    return "The bot tries again."


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 6 else None
