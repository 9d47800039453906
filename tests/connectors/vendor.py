"""A vendor over real HTTP on loopback: it answers as told, and remembers what it was asked."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: object


@dataclass
class Vendor:
    """`answers` are (status, headers, body) by "METHOD /path", the last one of a list stays; anything else is 404."""

    url: str = ""
    answers: dict[str, list[tuple[int, dict[str, str], object]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def says(self, what: str, body: object = None, status: int = 200, **headers: str) -> None:
        """The next answer to "METHOD /path"."""
        self.answers.setdefault(what, []).append((status, headers, body))


@contextmanager
def a_vendor() -> Iterator[Vendor]:
    """It runs while this is entered."""
    vendor = Vendor()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {k.lower(): v for k, v in self.headers.items()}
            path = unquote(parts.path)
            vendor.asked.append(Asked(self.command, path, parse_qs(parts.query), headers, json.loads(raw) if raw else None))
            told = vendor.answers.get(f"{self.command} {path}", [(404, {}, {"message": "no such thing"})])
            status, more, body = told.pop(0) if len(told) > 1 else told[0]
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    vendor.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
