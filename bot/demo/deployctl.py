"""The shop's deployment command: talks to the estate's control API. Standard library only, so that it starts fast.

Address and token come from the JSON file named by --config ({"url": ..., "token": ...}), never from the command line.
Answers go to standard output as one line of JSON, or with --lines as lines of text; progress goes to standard error.
Exit codes: 0 done, 1 the deployment failed or the request was refused, 2 the estate could not be asked, so nothing is known.
"""

import argparse
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

WAIT_SECONDS = 55.0
POLL_SECONDS = 0.2


class Refused(Exception):
    """The control API has answered with an error."""


class Unreachable(Exception):
    """The control API has not answered."""


class Control:
    """The control API of one estate."""

    def __init__(self, config: str) -> None:
        try:
            with open(config, encoding="utf-8") as file:
                known = json.load(file)
            self._url, self._token = known["url"], known["token"]
        except (OSError, ValueError, KeyError) as error:
            raise Unreachable(f"cannot read the control file {config}: {error}") from error
        if not str(self._url).startswith("http://"):
            raise Unreachable(f"the url in {config} does not begin with http://")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, body: dict[str, str] | None = None, **query: str) -> Any:
        """The answer to one request. Raises Refused or Unreachable."""
        url = f"{self._url}/control/{path}?{urllib.parse.urlencode(query)}"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        try:
            request = urllib.request.Request(url, data, headers)  # noqa: S310 (only http: checked when the file was read)
            with self._opener.open(request, timeout=10) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise Refused(f"{error.code}: {error.read(500).decode('utf-8', 'replace')}") from error
        except (OSError, ValueError) as error:
            raise Unreachable(f"the shop's deployment system did not answer: {error}") from error


def deploy(control: Control, service: str, version: str, environment: str, key: str) -> tuple[Any, int]:
    """Start the deployment, or find the one that this key has started, and wait for its end."""
    body = {"service": service, "version": version, "environment": environment, "idempotency_key": key}
    answer = control.ask("deploy", body)
    print(f"{answer['run']}: deploying {service} {version} to {environment}", file=sys.stderr, flush=True)
    deadline = time.monotonic() + WAIT_SECONDS
    while answer["status"] == "running" and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        answer = control.ask("status", run=answer["run"])
    print(f"{answer['run']}: {answer['status']} {answer.get('error', '')}".rstrip(), file=sys.stderr, flush=True)
    return answer, 1 if answer["status"] == "failed" else 0


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and print its answer."""
    asked = _parser().parse_args(arguments)
    code = 0
    try:
        control = Control(asked.config)
        if asked.command == "deploy":
            answer, code = deploy(control, asked.service, asked.version, asked.environment, asked.idempotency_key)
        elif asked.command == "status":
            answer = control.ask("status", run=asked.run or "", idempotency_key=asked.idempotency_key or "")
        elif asked.command == "current":
            answer = control.ask("current", service=asked.service, environment=asked.environment)
        else:
            answer = control.ask("versions", service=asked.service)
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    except Unreachable as error:
        print(error, file=sys.stderr)
        return 2
    print(lined(answer) if getattr(asked, "lines", False) else json.dumps(answer))
    return code


def lined(answer: Any) -> str:
    """A version each: its name, its commit and when it was deployed, the newest last."""
    versions = answer if isinstance(answer, list) else [answer]
    return "\n".join(" ".join(str(v[k]) for k in ("version", "commit", "deployed_at") if v.get(k)) for v in reversed(versions))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deployctl", description="Deploy services of the sample shop.")
    parser.add_argument("--config", required=True, metavar="FILE", help="JSON file with url and token")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("deploy", help="deploy a version and wait until it runs")
    for name in ("service", "version", "environment", "idempotency-key"):
        start.add_argument(f"--{name}", required=True)
    status = commands.add_parser("status", help="how a run goes")
    which = status.add_mutually_exclusive_group(required=True)
    which.add_argument("--run")
    which.add_argument("--idempotency-key")
    current = commands.add_parser("current", help="what runs now")
    current.add_argument("--service", required=True)
    current.add_argument("--environment", required=True)
    versions = commands.add_parser("versions", help="what was deployed, newest first")
    versions.add_argument("--service", required=True)
    for asks in (current, versions):
        asks.add_argument("--lines", action="store_true", help="lines of VERSION COMMIT TIME, the newest last, in place of JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
