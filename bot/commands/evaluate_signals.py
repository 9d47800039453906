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


def _templates(verbs: "Verbs[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser("templates", help="log lines into templates: grouping accuracy")
    parser.add_argument("--logs", type=Path, required=True, help="folder with *_structured.csv(.gz): Content, EventId")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=_run_templates)


def _run_templates(args: argparse.Namespace) -> int:
    from bot.evals.templates import run_templates  # as the other verbs: read when asked for

    return show(run_templates(args.logs, progress), args.json)


def _anomaly(verbs: "Verbs[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser("anomaly", help="anomalies in metrics: NAB scores, lead times, false warnings per week")
    parser.add_argument("--series", type=Path, required=True, help="folder with series.jsonl and the series as CSV")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.set_defaults(run=_run_anomaly)


def _run_anomaly(args: argparse.Namespace) -> int:
    from bot.evals.anomaly import run_anomaly  # as lazy as its sisters

    return show(run_anomaly(args.series, progress), args.json)


VERBS: tuple[Callable[["Verbs[argparse.ArgumentParser]"], None], ...] = (_nodes, _templates, _anomaly)
