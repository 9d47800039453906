"""The verbs of `tocsin eval` that measure numbers, logs and the call graph: each registers itself in VERBS."""

import argparse
from collections.abc import Callable
from pathlib import Path

from bot.commands import Commands
from bot.commands.figures import progress, show

Verbs = Commands  # of `tocsin eval`


def register(verbs: "Verbs[argparse.ArgumentParser]") -> None:
    """Add the verbs to those of `tocsin eval`."""
    for verb in VERBS:
        verb(verbs)


def _nodes(verbs: "Verbs[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser("nodes", help="which service did it: recall@1 and @3, from metrics and a call graph")
    parser.add_argument("--cases", type=Path, required=True, help="folder with cases.jsonl, graphs and metrics")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=_run_nodes)


def _run_nodes(args: argparse.Namespace) -> int:
    from bot.evals.nodes import run_nodes  # slow: numpy

    return show(run_nodes(args.cases, progress), args.json)


VERBS: tuple[Callable[["Verbs[argparse.ArgumentParser]"], None], ...] = (_nodes,)
