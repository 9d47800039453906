"""The connection to Slack's Web API: nothing is retried behind our back, and loopback is never proxied."""

from urllib.parse import urlsplit

from slack_sdk.web.async_client import AsyncWebClient

API_URL = "https://slack.com/api/"
TIMEOUT = 10  # seconds; the durable work tries again


def connect(bot_token: str | None, api_url: str = API_URL, timeout: int = TIMEOUT) -> AsyncWebClient:
    """A client that makes every call once.

    A broken connection during chat.postMessage may have posted, so only the durable work, which asks first, may
    repeat it; and it is the durable work that waits for a rate limit to pass.
    """
    client = AsyncWebClient(bot_token, base_url=api_url, timeout=timeout, retry_handlers=[])
    if is_loopback(api_url):
        client.proxy = None  # the SDK takes proxies from the environment and knows no exceptions
    return client


def is_loopback(url: str) -> bool:
    """The address is on this machine."""
    return (urlsplit(url).hostname or "") in ("127.0.0.1", "::1", "localhost")
