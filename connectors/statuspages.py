"""Status pages of clouds and vendors: what a provider says of itself, as happenings at its node of the service graph.

Formats: https://metastatuspage.com/api/v2 (Statuspage, and the many that speak the same: instances end in /api/v2/summary.json),
https://status.cloud.google.com/incidents.schema.json, and RSS 2.0 (https://www.rssboard.org/rss-specification) of everybody else.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, field_validator

from bot.domain.payload import Node, read_json
from bot.domain.service import Service
from bot.domain.telemetry import Happening, Readings, SourceStatus, Window
from bot.domain.vocabulary import line
from bot.errors import BadPayload, BotError
from bot.ports import Connector, EvidenceSource
from bot.wire.rest import Rest

NAME = "statuspages"
HOPS = 3
MOST_HAPPENINGS = 50
MOST_BYTES = 5_000_000
MOST_ITEMS = 200  # of one feed
FEED = "feed"
FRESH = timedelta(days=1)  # what a feed said longer ago than this is no news
_OVER = re.compile(r"(?i)\b(?:resolved|operating normally|completed|all clear|recovered|closed)\b")
_PROLOG = re.compile(r"\A\W*<\?xml[^>]*>")
_FINE = frozenset({"operational", "under_maintenance", ""})


class StatusPagesSettings(BaseModel):
    """Which service is told of on which page: its home page where it is a Statuspage, else the address of its feed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pages: Mapping[str, str] = Field(default_factory=dict)
    timeout_seconds: float = Field(4.0, gt=0)

    @field_validator("pages")
    @classmethod
    def _are_addresses(cls, pages: Mapping[str, str]) -> Mapping[str, str]:
        for name, page in pages.items():
            if urlsplit(page).scheme not in ("http", "https") or not urlsplit(page).hostname:
                raise ValueError(f'{name} needs an address such as "https://status.example.com"')
            if "@" in urlsplit(page).netloc:
                raise ValueError(f"{name}: a status page is asked without a user and a password; take them out of its address")
        return pages


class StatusPages:
    """The pages of the services asked about, and of all that they depend on within three hops."""

    name = NAME

    def __init__(
        self,
        settings: StatusPagesSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        service: Callable[[str], Service] = lambda name: Service(name=name),
    ) -> None:
        self._settings, self._transport, self._service = settings, transport, service

    def catalogued(self, service: Callable[[str], Service]) -> "StatusPages":
        """The same, told who depends on whom."""
        return StatusPages(self._settings, self._transport, service)

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per page, in order; a failure is an answer with its reason."""
        near = self._near(services)
        asked = {name: page for name, page in self._settings.pages.items() if self._service(name).name in near}
        return tuple(await asyncio.gather(*(self._ask(name, page, window) for name, page in asked.items())))

    def _near(self, services: Sequence[str]) -> set[str]:
        near = ring = {self._service(name).name for name in services}
        for _ in range(HOPS):
            ring = {self._service(below).name for name in ring for below in self._service(name).depends_on} - near
            near = near | ring
        return near

    async def _ask(self, name: str, page: str, window: Window) -> Readings:
        parts = urlsplit(page)
        path = parts.path.rstrip("/") or "/api/v2/summary.json"
        query = f"{parts.scheme}://{parts.netloc}{path}"
        rest = Rest(
            f"The status page of {name}",
            f"{parts.scheme}://{parts.netloc}",
            {"accept": "application/json, application/rss+xml, text/xml"},
            timeout=self._settings.timeout_seconds,
            most_bytes=MOST_BYTES,
            transport=self._transport,
        )
        try:
            told = happenings(await rest.raw("GET", path, params=dict(parse_qsl(parts.query))), self._service(name).name)
        except BotError as error:
            return Readings(NAME, query, window, SourceStatus.FAILED, line(str(error))[:300], query)
        new = tuple(h for h in told if h.at <= window.end and (h.reason != FEED or h.at >= window.start - FRESH))[
            -MOST_HAPPENINGS:
        ]
        status = SourceStatus.OK if new else SourceStatus.NO_DATA
        return Readings(NAME, query, window, status, "" if new else f"{name} reports no incident", query, happenings=new)


def happenings(body: bytes, service: str) -> tuple[Happening, ...]:
    """What a page says goes on now, the oldest first. Raises BadPayload for what is none of the three formats."""
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<":
        found: Iterable[Happening] = _feed(body, service)
    else:
        node = read_json(body)
        found = _google(node, service) if isinstance(node.value, list) else _statuspage(node.object(), service)
    return tuple(sorted(found, key=lambda h: (h.at, h.text)))


def _statuspage(node: Node, service: str) -> Iterable[Happening]:
    incidents = node["incidents"].items()  # without this list it is no summary of a Statuspage
    for incident in incidents:
        at = incident["started_at"].time() or incident["created_at"].time()
        if at is None or incident["status"].text() in ("resolved", "postmortem", "completed"):
            continue
        told = next((u["body"].text() for u in incident["incident_updates"].optional_items()), "")
        impact = incident["impact"].text() or "incident"
        about = ", ".join(c["name"].text() for c in incident["components"].optional_items())
        yield _happening(at, service, f"{impact} {incident['status'].text()}", f"{incident['name'].text()}: {told}", about)
    for component in node["components"].optional_items():
        state, at = component["status"].text(), component["updated_at"].time()
        if state not in _FINE and at is not None:
            yield _happening(
                at, service, state, f"{component['name'].text()}: {state.replace('_', ' ')}", component["name"].text()
            )


def _google(node: Node, service: str) -> Iterable[Happening]:
    if not node.value:
        raise BadPayload("an empty list is not Google Cloud's incidents, which hold those of the past", path="$")
    for incident in node.items():
        at = incident.object()["begin"].time()
        if at is None or incident["end"].time() is not None:
            continue
        about = ", ".join(p["title"].text() for p in incident["affected_products"].optional_items())
        told = incident["external_desc"].text() or incident["most_recent_update"]["text"].text()
        yield _happening(at, service, incident["status_impact"].text() or "SERVICE_DISRUPTION", told, about)


def _feed(body: bytes, service: str) -> Iterable[Happening]:
    from bs4 import BeautifulSoup  # large, and needed for feeds alone

    text = _PROLOG.sub("", body.decode("utf-8", "replace"))
    soup = BeautifulSoup(text.replace("<![CDATA[", "").replace("]]>", ""), "html.parser")
    if soup.find("rss") is None:
        raise BadPayload("is neither the summary of a Statuspage, nor Google Cloud's incidents, nor an RSS feed", path="$")
    said = [
        {tag: found.get_text(" ", strip=True) for tag in ("title", "description", "pubdate") if (found := item.find(tag))}
        for item in soup.find_all("item", limit=MOST_ITEMS)
    ]
    dated = [(at, f"{s.get('title', '')}: {s.get('description', '')}") for s in said if (at := _date(s.get("pubdate", "")))]
    for at, words in sorted(dated, reverse=True):  # a feed tells each step anew: what is over ends all that came before
        if _OVER.search(words):
            return
        yield _happening(at, service, FEED, words, "")


def _happening(at: datetime, service: str, reason: str, text: str, about: str) -> Happening:
    return Happening(at, service, line(reason)[:60], line(text)[:500], line(about)[:120])


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _source(settings: BaseModel) -> EvidenceSource | None:
    return StatusPages(settings) if isinstance(settings, StatusPagesSettings) and settings.pages else None


CONNECTOR = Connector(
    name=NAME,
    title="Status pages of providers",
    settings=StatusPagesSettings,
    help='pages = {acmepay = "https://status.acmepay.example"}; the names are services of services.yaml with external: true',
    evidence=_source,
)
