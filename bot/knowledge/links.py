"""Pages that alerts link to, fetched from listed hosts only: https, no private address unless the host itself is listed."""

import asyncio
import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from urllib.parse import urljoin, urlsplit

import certifi
import httpx

from bot.errors import BadPayload, BadSettings, NotAllowed, NotFound, Unavailable
from bot.ports import RawDocument

MOST_BYTES = 5_000_000
MOST_HOPS = 4
SECONDS = 15.0
LONGEST = 2_000  # characters of an address
MEDIA = {
    "text/html": "text/html",
    "application/xhtml+xml": "text/html",
    "text/markdown": "text/markdown",
    "text/x-markdown": "text/markdown",
    "text/plain": "text/markdown",
    "application/pdf": "application/pdf",
}
ACCEPT = "text/html, text/markdown, application/pdf, text/plain;q=0.8"
# Where IPv6 stands for IPv4, and so may stand for a private one: translation, 6to4, what was compatible once, sites.
_DOUBTFUL = tuple(map(ipaddress.ip_network, ("64:ff9b::/32", "2002::/16", "::/96", "fec0::/10")))
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Linked:
    """A page as it was fetched; `tag` is what to show next time to hear whether it changed."""

    page: RawDocument
    tag: str


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


class Links:
    """What may be fetched, and fetching it.

    `hosts` are "wiki.example.com" (as it stands: private addresses too), "*.example.com" (subdomains on public addresses), or
    "http://10.0.0.7:8080" where plain http is meant. An address is looked up once and then used, so that it cannot change
    between the check and the request. Raises BadSettings.
    """

    def __init__(self, hosts: Sequence[str], keep: timedelta = timedelta(hours=6), look_up: Resolve = resolve) -> None:
        self.keep = keep
        self._look_up = look_up
        self._plain = frozenset(h.lower().rstrip("/") for h in hosts if h.startswith("http://"))
        self._named = frozenset(h.lower() for h in hosts if "://" not in h and not h.startswith("*."))
        self._below = tuple(h.lower()[1:] for h in hosts if h.startswith("*."))
        for host in hosts:
            bare = host.removeprefix("http://").removeprefix("*.")
            if not bare or any(c in bare for c in "/*@? #") or (host.startswith("*.") and "." not in bare):
                raise BadSettings(
                    f'[knowledge] link_hosts: {host[:80]!r} is no host; good ones: "wiki.example.com", "*.example.com", '
                    f'"http://10.0.0.7:8080".'
                )

    def __bool__(self) -> bool:
        return bool(self._plain or self._named or self._below)

    def __str__(self) -> str:
        """The hosts, for people."""
        return ", ".join(sorted((*self._named, *(f"*{end}" for end in self._below), *self._plain)))

    def plain(self, url: str) -> str:
        """The address of the page, without the part within it; "" if it may not be fetched."""
        bare = url.strip().partition("#")[0]
        return bare if self._listed(bare) else ""

    async def fetch(self, url: str, tag: str = "") -> Linked | None:
        """The page; None if it is still what `tag` stands for.

        Raises NotFound if it is gone, NotAllowed where it leads where we may not go, Unavailable, BadPayload.
        """
        at = url
        for _ in range(MOST_HOPS):
            if not self._listed(at):
                raise NotAllowed(f"{_name(at)} is not among the link_hosts of [knowledge].")
            answer = await self._ask(at, tag)
            if answer.status_code == 304:
                return None
            if answer.status_code in (301, 302, 303, 307, 308):
                at = _next(at, answer)
                continue
            return self._read(url, answer)
        raise NotAllowed(f"{_name(url)} leads on and on.")

    async def alive(self, url: str) -> bool:
        """Whether a page is there, without reading it; a host that knows no HEAD is asked with GET.

        Raises NotAllowed where it leads where we may not go, Unavailable for every answer that tells neither.
        """
        at = url.strip().partition("#")[0]
        for _ in range(MOST_HOPS):
            if not self._listed(at):
                raise NotAllowed(f"{_name(at)} is not among the link_hosts of [knowledge].")
            answer = await self._ask(at, "", method="HEAD")
            if answer.status_code in (400, 403, 404, 405, 410, 501):
                answer = await self._ask(at, "")
            status = answer.status_code
            if status in (301, 302, 303, 307, 308):
                at = _next(at, answer)
                continue
            if status < 300 or status in (404, 410):
                return status < 300
            raise Unavailable(f"{_name(at)} answered {status}.")
        raise NotAllowed(f"{_name(url)} leads on and on.")

    def _listed(self, url: str) -> bool:
        if len(url) > LONGEST or not url.isprintable() or " " in url:
            return False
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return False
        host = (parts.hostname or "").lower()
        if not host or parts.username is not None or parts.password is not None:
            return False
        if parts.scheme == "http":
            return f"http://{parts.netloc.lower()}" in self._plain
        whole = f"{host}:{port}" if port not in (None, 443) else host
        return parts.scheme == "https" and (whole in self._named or (whole == host and host.endswith(self._below)))

    async def _address(self, url: str) -> str:
        """One address of the host that may be asked."""
        parts = urlsplit(url)
        host = str(parts.hostname).lower()
        try:
            found = await self._look_up(host, parts.port or 443)
        except UnicodeError:  # a label that is empty or too long
            raise NotAllowed(f"{host[:100]!r} is no name of a host.") from None
        except OSError:
            raise Unavailable(f"{host} has no address.") from None
        exactly = parts.scheme == "http" or host in self._named or f"{host}:{parts.port}" in self._named
        if not found or (not exactly and not all(map(_public, found))):
            raise NotAllowed(f"{host} lies in a private network; list it by its full name in link_hosts of [knowledge].")
        return found[0]

    async def _ask(self, url: str, tag: str, method: str = "GET") -> httpx.Response:
        address = await self._address(url)
        try:
            parts = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            raise NotAllowed(f"{_name(url)} is no address that can be asked.") from None
        headers = {"host": parts.netloc.decode(), "accept": ACCEPT, "accept-encoding": "identity"}
        headers |= {"if-none-match": tag} if tag.startswith(('"', "W/")) else {}
        try:
            async with asyncio.timeout(SECONDS):
                async with httpx.AsyncClient(timeout=SECONDS, verify=_trusted(), trust_env=False) as client:
                    request = client.build_request(
                        method, parts.copy_with(host=address), headers=headers, extensions={"sni_hostname": parts.host}
                    )
                    answer = await client.send(request, stream=True)
                    return httpx.Response(answer.status_code, headers=_kept(answer), content=await _body(answer))
        except (TimeoutError, httpx.TimeoutException):
            raise Unavailable(f"{_name(url)} did not answer within {SECONDS:g} s.") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"{_name(url)} cannot be reached ({type(error).__name__}).") from None

    def _read(self, url: str, answer: httpx.Response) -> Linked:
        status = answer.status_code
        if status in (404, 410):
            raise NotFound(f"{_name(url)} has no such page.")
        if status in (401, 403):
            raise NotAllowed(f"{_name(url)} wants to know who asks; pages behind a login are copied as a source instead.")
        if status != 200:
            raise Unavailable(f"{_name(url)} answered {status}.")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in MEDIA:
            raise BadPayload(f"this is {kind[:60] or 'of no kind that it names'}, no page to read", path=_name(url))
        body = answer.content
        tag = answer.headers.get("etag", "")[:200] or hashlib.sha256(body).hexdigest()
        return Linked(RawDocument(url, "", body, MEDIA[kind], path=urlsplit(url).path.strip("/"), link=url), tag)


def _kept(answer: httpx.Response) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in answer.headers.raw if name.lower() in (b"content-type", b"etag", b"location")]


async def _body(answer: httpx.Response) -> bytes:
    """As it came: a few bytes that are packed twice may be gigabytes."""
    if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise BadPayload("the page is packed, though it was asked for as it is", path=_name(str(answer.request.url)))
    parts, size = [], 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > MOST_BYTES:
            raise BadPayload(f"the page is larger than {MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _next(at: str, answer: httpx.Response) -> str:
    """Where a page says that it is now. Raises NotAllowed for what is no address."""
    try:
        return urljoin(at, str(answer.headers.get("location", ""))).partition("#")[0]
    except ValueError:
        raise NotAllowed(f"{_name(at)} leads to what is no address.") from None


def _public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    return found.is_global and not found.is_multicast and not any(found in network for network in _DOUBTFUL)


def _name(url: str) -> str:
    """The host and path of an address, for people; what stands behind the ? may be a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "what is no address"
    return f"{parts.hostname}{parts.path}"[:200]
