"""Everything that a request handler may reach for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.workspace.config import WorkspaceConfig
from bot.workspace.delivery import Delivery
from bot.workspace.errors import SlackError
from bot.workspace.exchange import Exchange
from bot.workspace.faults import Faults, Pace
from bot.workspace.limits import Problem, message_problems, view_problems
from bot.workspace.socketmode import Sockets
from bot.workspace.state import Clock, JsonObject, Workspace
from bot.workspace.structure import Structure


@dataclass(frozen=True, slots=True)
class Site:
    """One running workspace."""

    config: WorkspaceConfig
    workspace: Workspace
    sockets: Sockets
    delivery: Delivery
    exchange: Exchange
    faults: Faults
    pace: Pace
    structure: Structure | None

    def check_message(self, text: str, blocks: list[JsonObject], metadata: Any = None) -> None:
        """Refuses what Slack would refuse."""
        problems = message_problems(text, blocks, metadata)
        if self.structure is not None:
            problems += self.structure.problems({"blocks": blocks, "metadata": metadata})
        _refuse(problems or list(self._missing_files(blocks)))

    def _missing_files(self, blocks: list[JsonObject]) -> Iterator[Problem]:
        known = self.workspace.file_urls()
        for number, block in enumerate(blocks):
            ident = (block.get("slack_file") or {}).get("id")
            if ident is not None and ident not in known:
                yield Problem(f"/blocks/{number}/slack_file", f"invalid slack file: {ident}")

    def check_view(self, view: Any) -> None:
        problems = view_problems(view)
        if self.structure is not None and isinstance(view, dict):
            problems += self.structure.problems({"view": view})
        _refuse(problems)


def build_site(config: WorkspaceConfig, clock: Clock) -> Site:
    workspace = Workspace(config, clock)
    sockets = Sockets(workspace)
    return Site(
        config=config,
        workspace=workspace,
        sockets=sockets,
        delivery=Delivery(workspace, sockets),
        exchange=Exchange(clock, config.base_url, config.team_id),
        faults=Faults(),
        pace=Pace(),
        structure=Structure(config.block_schema) if config.block_schema is not None else None,
    )


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise SlackError(problems[0].code, list(dict.fromkeys(str(p) for p in problems))[:20])
