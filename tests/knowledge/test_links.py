"""Pages that alerts link to: only from listed hosts, never by a detour, and an alert's incident finds them."""

import asyncio
import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from bot.domain.document import DocumentKind, Inquiry, Tier
from bot.errors import BadPayload, BadSettings, NotAllowed, NotFound, Unavailable
from bot.flows.alerts import on_alerts
from bot.flows.runbooks import linking
from bot.knowledge import links as subject
from bot.knowledge.library import Library
from bot.knowledge.links import Links
from bot.knowledge.sources import Sources
from bot.storage.copies import SqlCopyStore
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock, an_alert

PAGE = (
    b"<html><title>Payments errors</title><body><h1>Payments errors</h1><h2>Steps</h2><p>Compare the versions.</p></body></html>"
)


@dataclass
class Site:
    """Pages by path: (status, headers, body)."""

    url: str = ""
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def says(self, path: str, body: bytes = b"", status: int = 200, kind: str = "text/html", **headers: str) -> None:
        """A page."""
        self.pages[path] = (status, {"content-type": kind, **headers}, body)


@contextmanager
def a_site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            site.asked.append((self.path, self.headers.get("if-none-match", "")))
            status, headers, body = site.pages.get(self.path, (404, {}, b""))
            if headers.get("etag") and headers["etag"] == self.headers.get("if-none-match"):
                status, body = 304, b""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    with a_site() as site:
        yield site


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://wiki.example.com/a#part", True),
        ("https://WIKI.example.com/a", True),
        ("https://docs.acme.io/a", True),
        ("https://acme.io/a", False),
        ("https://evilacme.io/a", False),
        ("https://wiki.example.com.evil.io/a", False),
        ("https://wiki.example.com@evil.io/a", False),
        ("https://evil.io\\@wiki.example.com/a", False),
        ("https://user:pw@wiki.example.com/a", False),
        ("https://wiki.example.com:8443/a", False),
        ("http://wiki.example.com/a", False),
        ("http://10.0.0.7:8080/a", True),
        ("http://10.0.0.7/a", False),
        ("file:///etc/passwd", False),
        ("https://[::1]/a", False),
        ("https://wiki.example.com/a b", False),
        ("", False),
    ],
)
def test_only_listed_hosts_are_asked(url: str, taken: bool) -> None:
    links = Links(("wiki.example.com", "*.acme.io", "http://10.0.0.7:8080"))
    assert bool(links.plain(url)) is taken
    assert not Links(()).plain(url)


def test_a_host_that_is_none_is_refused() -> None:
    for host in ("https://wiki.example.com", "wiki.example.com/path", "*", "*.com", "a b", ""):
        with pytest.raises(BadSettings, match="link_hosts"):
            Links((host,))


@pytest.mark.parametrize("address", [
    "10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1", "100.64.0.1", "0.0.0.0", "::ffff:127.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "::127.0.0.1", "fec0::1", "224.0.0.1", "ff02::1",
])  # fmt: skip
async def test_a_subdomain_that_lies_in_a_private_network_is_not_asked(address: str) -> None:
    async def look_up(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", address]

    with pytest.raises(NotAllowed, match="private network"):
        await Links(("*.acme.io",), look_up=look_up).fetch("https://docs.acme.io/a")


async def test_redirects_stay_within_the_list(site: Site) -> None:
    site.says("/a", status=302, location="/b")
    site.says("/b", status=301, location="https://evil.example/c")
    site.says("/loop", status=302, location="/loop")
    site.says("/ok", status=307, location="/page")
    site.says("/page", PAGE)
    links = Links((site.url,))
    with pytest.raises(NotAllowed, match=r"evil\.example/c is not among"):
        await links.fetch(f"{site.url}/a")
    with pytest.raises(NotAllowed, match="on and on"):
        await links.fetch(f"{site.url}/loop")
    found = await links.fetch(f"{site.url}/ok")
    assert found is not None
    assert found.page.ref == f"{site.url}/ok"


@pytest.mark.parametrize(
    "url", ["https://a..acme.io/", f"https://{'a' * 70}.acme.io/", "https://[.acme.io/", "https://.acme.io/"]
)
async def test_an_address_that_is_none_is_said_to_be_none(url: str) -> None:
    links = Links(("*.acme.io",))
    assert links.plain("https://[::1#x") == ""
    with pytest.raises(NotAllowed):
        await links.fetch(url)


async def test_what_a_page_leads_to_may_be_no_address(site: Site) -> None:
    for number, where in enumerate(("http://[", "//[", "\xff\xfe", "", "file:///etc/passwd")):
        site.says(f"/{number}", status=302, location=where)
        with pytest.raises((NotAllowed, NotFound)):
            await Links((site.url,)).fetch(f"{site.url}/{number}")


async def test_a_page_that_is_packed_is_not_unpacked(site: Site) -> None:
    bomb = gzip.compress(gzip.compress(bytes(30_000_000)))
    site.says("/bomb", bomb, **{"content-encoding": "gzip, gzip"})
    with pytest.raises(BadPayload, match="packed"):
        await Links((site.url,)).fetch(f"{site.url}/bomb")


async def test_size_kind_and_trouble_are_bounded_and_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MOST_BYTES", 100)
    site.says("/big", b"x" * 200)
    site.says("/zip", b"x", kind="application/zip")
    site.says("/login", status=401)
    site.says("/down", status=503)
    links = Links((site.url,))
    for path, error in (
        ("/big", BadPayload),
        ("/zip", BadPayload),
        ("/login", NotAllowed),
        ("/down", Unavailable),
        ("/gone", NotFound),
    ):
        with pytest.raises(error):
            await links.fetch(f"{site.url}{path}")
    with pytest.raises(NotFound) as caught:
        await links.fetch(f"{site.url}/gone?token=s3cret")
    assert "s3cret" not in str(caught.value)


async def test_a_page_is_alive_gone_or_nobody_knows(site: Site) -> None:
    site.says("/page", PAGE)
    site.says("/moved", status=302, location="/gone")
    site.says("/login", status=403)
    site.says("/down", status=503)
    links = Links((site.url,))
    assert await links.alive(f"{site.url}/page#part")
    assert not await links.alive(f"{site.url}/gone")
    assert not await links.alive(f"{site.url}/moved")
    for path in ("/login", "/down"):
        with pytest.raises(Unavailable):
            await links.alive(f"{site.url}{path}")
    with pytest.raises(NotAllowed):
        await links.alive("https://elsewhere.example/")


async def test_an_alert_with_a_link_has_the_page_copied_and_its_incident_finds_it(
    database: SqlDatabase, clock: FakeClock, site: Site
) -> None:
    site.says("/runbooks/payments.html", PAGE, etag='"v1"')
    sources = Sources((), database, SqlCopyStore(), clock, Links((site.url,)))
    desk = a_desk(database, clock, sources=sources, library=Library([sources.documents], None))
    url = f"{site.url}/runbooks/payments.html#steps"
    alert = an_alert(runbook_url=url)
    await database.write(
        lambda tx: on_alerts(tx, [alert, an_alert(name="Other", runbook_url="https://elsewhere.example/x")], desk)
    )
    [work] = desk.work.named("fetch_page")  # type: ignore[attr-defined]  # an InMemoryWork
    looked = len(desk.work.named("investigate"))  # type: ignore[attr-defined]  # as above
    assert site.asked == []
    boast = b"<h1>Payments errors</h1><p>Alerts: Other, DiskFull</p>"
    site.says("/runbooks/payments.html", PAGE.replace(b"<h1>Payments errors</h1>", boast), etag='"v1"')
    await linking.fetch_page(work.args, desk)
    [document] = desk.library.documents
    assert (document.title, document.trusted) == ("Payments errors", False)
    assert document.alerts == ()  # it answers to the alerts that link to it, whatever it names
    assert len(desk.work.named("investigate")) == looked + 1  # type: ignore[attr-defined]  # as above
    found = (await desk.library.find(Inquiry("HighErrorRate", runbook_url=url), DocumentKind.RUNBOOK)).found
    assert [(f.document.title, f.tier, f.section) for f in found] == [("Payments errors", Tier.LINKED, "Steps")]
    await database.write(lambda tx: on_alerts(tx, [alert], desk))
    assert len(desk.work.named("fetch_page")) == 1  # type: ignore[attr-defined]  # as above
    clock.advance(hours=6)
    await linking.fetch_page(work.args, desk)
    assert [tag for _, tag in site.asked] == ["", '"v1"']
    site.pages.clear()
    await linking.fetch_page(work.args, desk)
    assert desk.library.documents == ()


async def test_the_page_that_was_linked_to_longest_ago_makes_room(
    database: SqlDatabase, clock: FakeClock, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.knowledge.sources.MOST_LINKED", 2)
    sources = Sources((), database, SqlCopyStore(), clock, Links((site.url,)))
    for path in ("/a", "/b", "/c"):
        site.says(path, PAGE.replace(b"Payments errors", f"Page {path}".encode()), etag='"v1"')
    for path in ("/a", "/b", "/a", "/c"):
        await sources.copy_page(f"{site.url}{path}")
        clock.advance(minutes=5)
    kept = await asyncio.to_thread(sources.documents)
    assert {d.link for d in kept} == {f"{site.url}/a", f"{site.url}/c"}
