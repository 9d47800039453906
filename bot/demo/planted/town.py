"""The files that describe the town to the bot, and the repository that its services ship from."""

import json
import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.demo.planted.plots import Plot, Shipped, history, runbook
from bot.demo.repository import BRANCH, Commit, GitFailed

POLICIES = """\
groups:
  on-call: [U0ONCALL]
  approvers: [U0APPROVER]
rules:
  - {name: everywhere, request: [on-call, approvers], approve: [approvers]}
"""


def write_town(folder: Path, plots: Sequence[Plot], url: str, repository: Path, deployer: Sequence[str]) -> None:
    """The folder holds everything that `tocsin --config FOLDER serve` reads. `deployer` is the program that ships."""
    (folder / "runbooks").mkdir(parents=True)
    texts = {
        "tocsin.toml": _toml(plots, url, repository, deployer),
        "services.yaml": json.dumps({"services": [_service(plot) for plot in plots]}),
        "routing.yaml": json.dumps(_routing(plots)),
        "policies.yaml": POLICIES,
        **{f"runbooks/{plot.service}.md": runbook(plot) for plot in plots},
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _service(plot: Plot) -> dict[str, object]:
    return {
        "name": plot.service,
        "owner": plot.owner,
        "tier": 1,
        "repository": plot.repository,
        "paths": [f"services/{plot.service}"],
        "environments": [plot.environment],
        "deployer": "town",
    }


def _routing(plots: Sequence[Plot]) -> dict[str, object]:
    homes = {plot.owner: plot.channel for plot in plots}
    routes = [{"name": owner, "match": {"owner": owner}, "channel": f"#{home}"} for owner, home in homes.items()]
    return {"default": {"channel": "#incidents", "on_call": ["U0ONCALL"]}, "routes": routes}


def _toml(plots: Sequence[Plot], url: str, repository: Path, deployer: Sequence[str]) -> str:
    words = {
        "current": ["current", "{service}"],
        "versions": ["versions", "{service}"],
        "start": ["start", "{service}", "{version}", "{key}"],
        "status": ["status", "{key}"],
    }
    lines = [
        "[knowledge]",
        'embedder = "none"',
        "[incidents]",
        "look_again_seconds = 3600            # each plot has its evidence from the start",
        "[budget]",
        "incident_calls = 1000",
        "day_calls = 1000000                  # all the town's incidents are of one day",
        "[connectors.alertmanager]",
        "[connectors.github]",
        "[connectors.git]",
        f"repositories = {{ {', '.join(f'{json.dumps(p.repository)} = {json.dumps(str(repository))}' for p in plots)} }}",
        "[connectors.prometheus]",
        f"url = {json.dumps(url)}",
        "golden = false                       # the town records its signals itself and understands selectors only",
        "[connectors.loki]",
        f"url = {json.dumps(url)}",
        "[deployers.town]",
        'kind = "command"',
        *(f"{name} = {json.dumps([*deployer, *arguments])}" for name, arguments in words.items()),
    ]
    return "\n".join(lines) + "\n"


def build_repository(folder: Path, plots: Sequence[Plot], now: datetime) -> dict[str, tuple[Commit, ...]]:
    """A repository with every plot's history on a branch of its own, in one go; the commits by service, oldest first."""
    folder.mkdir(parents=True)
    _git(folder, "init", "-q", "-b", BRANCH)
    marks = folder / "marks"
    stream = "".join(_imported(n, shipped, now) for n, shipped in enumerate(_every(plots), 1))
    _git(folder, "fast-import", "--quiet", f"--export-marks={marks}", stdin=stream.encode("utf-8", "replace"))
    shas = dict(line.split() for line in marks.read_text(encoding="ascii").splitlines())
    commits: dict[str, tuple[Commit, ...]] = {}
    for n, shipped in enumerate(_every(plots), 1):
        service = shipped.plot.service
        parent = commits[service][-1].sha if service in commits else ""
        sha, path = shas[f":{n}"], (shipped.path,)
        added, modified = ((), path) if parent else (path, ())
        made = Commit(sha, sha, parent, shipped.message, shipped.author, now - shipped.ago, added, modified, ())
        commits[service] = (*commits.get(service, ()), made)
    return commits


def _every(plots: Sequence[Plot]) -> list[Shipped]:
    return [shipped for plot in plots for shipped in history(plot)]


def _imported(mark: int, shipped: Shipped, now: datetime) -> str:
    """One commit in the language of `git fast-import`."""
    seconds = int((now - shipped.ago).astimezone(UTC).timestamp())
    who = f"{shipped.author.name} <{shipped.author.email}> {seconds} +0000"
    return (
        f"commit refs/heads/{shipped.plot.service}\nmark :{mark}\nauthor {who}\ncommitter {who}\n"
        f"{_data(shipped.message)}M 100644 inline {shipped.path}\n{_data(shipped.settings)}"
    )


def _data(text: str) -> str:
    return f"data {len(text.encode('utf-8', 'replace'))}\n{text}\n"


def _git(folder: Path, *words: str, stdin: bytes = b"") -> None:
    environment = {"PATH": os.defpath, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=60, check=False)
    if done.returncode:
        raise GitFailed(words, done.stderr.decode("utf-8", "replace"))
