"""How well the service that did it is found from metrics and a call graph: recall at 1 and 3 over labelled cases."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bot.evals.metrics import hit_at, mean
from bot.evals.node_cases import NodeCase, read_node_cases
from bot.investigation.nodes.ranking import rank_nodes
from bot.investigation.nodes.rises import see


def run_nodes(folder: Path, progress: Callable[[str], None]) -> dict[str, object]:
    """The figures of a folder of cases, whole and by kind of fault, and every case with its first three."""
    cases = read_node_cases(folder)
    ranked = [_ranked(case, progress) for case in cases]
    kinds = sorted({case.kind for case in cases})
    return {
        "n": len(cases),
        "recall@1": _recall(cases, ranked, 1),
        "recall@3": _recall(cases, ranked, 3),
        "recall@5": _recall(cases, ranked, 5),
        "kinds": [_figures(kind, cases, ranked) for kind in kinds],
        "cases": [
            {"id": case.id, "kind": case.kind, "guilty": case.guilty, "first": list(found[:3])}
            for case, found in zip(cases, ranked, strict=True)
        ],
    }


def _ranked(case: NodeCase, progress: Callable[[str], None]) -> tuple[str, ...]:
    sight = see(case.normal, case.during, statistic=case.statistic)
    found = tuple(b.service for b in rank_nodes(sight, case.graph, case.alerting, case.about))
    place = found.index(case.guilty) + 1 if case.guilty in found else 0
    progress(f"{case.id}: {case.guilty} is {f'at place {place}' if place else 'not found'}")
    return found


def _recall(cases: Sequence[NodeCase], ranked: Sequence[Sequence[str]], k: int) -> float:
    return mean([hit_at(found, (case.guilty,), k) for case, found in zip(cases, ranked, strict=True)])


def _figures(kind: str, cases: Sequence[NodeCase], ranked: Sequence[Sequence[str]]) -> dict[str, object]:
    chosen = [(case, found) for case, found in zip(cases, ranked, strict=True) if case.kind == kind]
    some, places = [case for case, _ in chosen], [found for _, found in chosen]
    return {"kind": kind, "n": len(some), **{f"recall@{k}": _recall(some, places, k) for k in (1, 3, 5)}}
