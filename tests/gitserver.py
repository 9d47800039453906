"""A Git server over real HTTP on loopback: git's own http-backend behind a token."""

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

WHO = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@x", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@x"}


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder."""
    env = {**os.environ, **WHO, "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True, text=True).stdout.strip()


@dataclass
class Forge:
    """Repositories below `root` at `url`/<name>.git; with a `token` only who shows it gets in. `asked` are the paths."""

    root: Path
    url: str = ""
    token: str = ""
    status: int = 0  # answer everything with this
    asked: list[str] = field(default_factory=list)

    def repository(self, name: str) -> Path:
        """A new repository with a work tree, served as <name>.git."""
        folder = self.root / f"{name}.git"
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--initial-branch=main")
        return folder

    def commit(self, folder: Path, files: dict[str, str | None], message: str = "Change") -> str:
        """Write (None: delete) and commit; the commit."""
        for name, text in files.items():
            path = folder / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "-m", message)
        return git(folder, "rev-parse", "HEAD")


@contextmanager
def a_forge(root: Path, token: str = "") -> Iterator[Forge]:
    """It runs while this is entered."""
    forge = Forge(root, token=token)
    backend = Path(
        subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip(), "git-http-backend"
    )

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def _answer(self) -> None:
            forge.asked.append(self.path)
            shown = self.headers.get("authorization", "").removeprefix("Basic ")
            if forge.status:
                return self._end(forge.status, {}, b"")
            if forge.token and base64.b64decode(shown).decode().partition(":")[2] != forge.token:
                return self._end(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
            parts = urlsplit(self.path)
            folder = parts.path.strip("/").split(".git")[0]
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            environment = {
                "PATH": os.defpath,
                "GIT_PROJECT_ROOT": str(forge.root / f"{folder}.git"),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": "/.git" + parts.path.split(".git", 1)[-1],
                "QUERY_STRING": parts.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
                "GIT_CONFIG_GLOBAL": os.devnull,
            }
            said = subprocess.run([str(backend)], input=body, env=environment, capture_output=True).stdout
            head, _, content = said.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            status = int(headers.pop("Status", "200").split()[0])
            return self._end(status, headers, content)

        def _end(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    forge.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
