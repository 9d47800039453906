"""A vendor's fault in our words: which failure it is, whether asking again can help, and a reason without secrets."""

from collections.abc import Iterator

import httpx

from bot.domain.conversation import Failure
from bot.domain.payload import scrubbed
from bot.redact import redact

_CAP = 240
_READ = 10_000  # characters of an error; some quote the whole page that a server sent
_OVERLONG = ("context_length", "context window", "context size", "prompt is too long", "maximum context")


class Fault(Exception):
    """The model gave no answer: why, and whether (and after how many seconds) the same question may be asked again."""

    def __init__(
        self, failure: Failure, why: str, *, again: bool = False, retry_after: float | None = None, status: int = 0
    ) -> None:
        super().__init__(why)
        self.failure = failure
        self.why = why
        self.again = again
        self.retry_after = retry_after
        self.status = status


def fault_of(error: BaseException, host: str, key: str = "") -> Fault:
    """What an exception of a vendor's package means. The vendors' own classes are known by name: they may not be installed."""
    chain = list(_causes(error))
    names = {cls.__name__ for e in chain for cls in type(e).__mro__}
    status = next(filter(None, (_status(e) for e in chain)), 0)
    said = _said(error, key)
    if "ContentFilterFinishReasonError" in names or "OpenAIRefusalError" in names or "content_filter" in said:
        return Fault(Failure.REFUSED, f"{host} declined to answer: {said}")
    if "LengthFinishReasonError" in names:
        return Fault(Failure.TRUNCATED, f"The answer of {host} reached its greatest length.")
    if status:
        return _by_status(status, said, host, _retry_after(chain))
    if names & {"APITimeoutError", "TimeoutException", "TimeoutError"}:
        return Fault(Failure.SLOW, f"{host} went silent.")
    if "DecodingError" in names:  # also of `vendors.bounded`
        return Fault(Failure.BROKEN, f"{host} sent more than any answer has, or packed it so that nobody can read it.")
    if names & {"RemoteProtocolError", "ReadError", "IncompleteRead"}:
        return Fault(Failure.BROKEN, f"{host} broke off in the middle of its answer.", again=True)
    if names & {"APIConnectionError", "ConnectError", "ConnectionError", "OSError", "NetworkError"}:
        return Fault(Failure.UNREACHABLE, f"{host} does not accept connections.", again=True)
    return Fault(Failure.BROKEN, f"{host} answered with something that is no answer: {said}")


def _status(error: BaseException) -> int:
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and status > 0:
            return status
    return 0


def _by_status(status: int, said: str, host: str, retry_after: float | None) -> Fault:
    text = f"{host} answered {status}: {said}"
    if status in (401, 403):
        return Fault(Failure.DENIED, f"{text} Check TOCSIN_MODEL_API_KEY.", status=status)
    if status == 429:
        spent = "insufficient_quota" in said
        return Fault(Failure.RATE_LIMITED, text, again=not spent, retry_after=retry_after, status=status)
    if status in (408, 504):
        return Fault(Failure.SLOW, text, again=True, retry_after=retry_after, status=status)
    if status >= 500:
        return Fault(Failure.BROKEN, text, again=True, retry_after=retry_after, status=status)
    if any(sign in said.lower() for sign in _OVERLONG):
        return Fault(Failure.BROKEN, f"The question is longer than this model can read. {text}", status=413)
    return Fault(Failure.BROKEN, text, status=status)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _retry_after(chain: list[BaseException]) -> float | None:
    for error in chain:
        headers = getattr(getattr(error, "response", None), "headers", None)
        if isinstance(headers, httpx.Headers):
            for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
                try:
                    return max(0.0, float(headers[name]) * unit)
                except (KeyError, ValueError):  # absent, or an HTTP date, which no model vendor is known to send
                    continue
    return None


def _said(error: BaseException, key: str) -> str:
    text = str(error) or type(error).__name__
    if key:
        text = text.replace(key, "[SECRET]")
    return " ".join(redact(scrubbed(text[:_READ])).split())[:_CAP]
