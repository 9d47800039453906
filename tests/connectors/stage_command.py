"""The `command` deployer with a real program, tests/connectors/deploy_tool.sh: nothing of it is faked but what it deploys."""

import json
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import httpx

from bot.ports import Deployer, Order, RunState
from connectors.command import CONNECTOR
from tests.connectors.stages import Play, Promise, Stage, Theatre, Trouble

TOOL = Path(__file__).with_name("deploy_tool.sh")
WORDS = {Trouble.LOST_BEFORE: "lost", Trouble.LOST_AFTER: "hangs", Trouble.BROKEN: "killed", Trouble.TRUNCATED: "cut"}
PATIENCE = 0.2  # seconds for one call of the program


class ProgramTheatre(Theatre):
    """A folder that the program reads and writes."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-stage-"))
        (self.folder / "runs").mkdir()
        super().__init__()

    async def __aexit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)

    def starts(self, request: httpx.Request) -> bool:
        raise AssertionError("nothing of it is asked by HTTP")

    def answer(self, request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing of it is asked by HTTP")

    @property
    def started(self) -> list[str]:
        return [line.split()[0] for line in self._lines("started")]

    @property
    def trouble(self) -> Trouble | None:
        """What befalls the next deploy."""
        return None

    @trouble.setter
    def trouble(self, told: Trouble | None) -> None:
        if told:
            (self.folder / "trouble").write_text(f"{WORDS[told]}\n")

    @property
    def weak(self) -> bool:
        """Whether the program is not content."""
        return (self.folder / "weak").exists()

    @weak.setter
    def weak(self, told: bool) -> None:
        if told:
            (self.folder / "weak").touch()

    @property
    def only_asked(self) -> bool:
        return not any(line.startswith(("deploy", "cancel")) for line in self._lines("calls"))

    @property
    def untouched(self) -> bool:
        return not self._lines("calls")

    def remember(self, order: Order, state: RunState, ago: timedelta = timedelta()) -> Play:
        play = super().remember(order, state, ago)
        mine = [p for p in self.plays if (p.order.service, p.order.environment) == (order.service, order.environment)][::-1]
        good = next((p for p in mine if p.state is RunState.SUCCEEDED), None)
        where = f"{order.service}-{order.environment}"
        (self.folder / f"versions-{where}").write_text(json.dumps([said(p) for p in mine]))
        if good:
            (self.folder / f"current-{where}").write_text(json.dumps(said(good)))
        return play

    def finish(self, key: str, state: RunState) -> None:
        place = self.folder / "runs" / key
        place.write_text(json.dumps(json.loads(place.read_text()) | {"status": state.value}))

    def forget(self, key: str) -> None:
        (self.folder / "runs" / key).unlink()

    def _lines(self, name: str) -> list[str]:
        place = self.folder / name
        return place.read_text().splitlines() if place.exists() else []


def said(play: Play) -> dict[str, object]:
    healthy = False if play.state is RunState.FAILED else None
    return {"version": play.order.version, "deployed_at": play.at.isoformat(), "healthy": healthy}


def command(theatre: Theatre) -> Deployer:
    assert isinstance(theatre, ProgramTheatre)
    tool, where = [str(TOOL), str(theatre.folder)], ["{service}", "{environment}"]
    table = {
        "kind": "command",
        "current": [*tool, "current", *where],
        "versions": [*tool, "versions", *where],
        "start": [*tool, "deploy", *where, "{version}", "{key}"],
        "status": [*tool, "status", "{key}"],
        "cancel": [*tool, "cancel", "{key}"],
        "check": [*tool, "check"],
        "timeout_seconds": PATIENCE,
        "idempotent": True,
    }
    assert CONNECTOR.deployer is not None
    return CONNECTOR.deployer(table)


STAGES = (
    Stage(
        "command",
        ProgramTheatre,
        command,
        lacks={
            Promise.NOTHING: "a program that fails may have any reason, so that nothing is concluded from it",
            Promise.STATUSES: "a program answers with its exit code; test_command.py tries what those mean",
            Promise.UNREACHABLE: "a program that is not there is a setting that is wrong; test_command.py tries it",
        },
        troubles=tuple(WORDS),
    ),
)
