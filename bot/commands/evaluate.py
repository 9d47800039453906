"""tocsin eval: how good search and diagnosis are, as one JSON object on stdout; progress goes to stderr."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from bot.commands import Commands, runs
from bot.errors import BadSettings


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("eval", help="measure search and diagnosis on data of your own")
    verbs = parser.add_subparsers(dest="verb", required=True)
    retrieval = verbs.add_parser("retrieval", help="runbook search: hit@k, MRR, nDCG, false hits")
    retrieval.add_argument("--docs", type=Path, required=True)
    retrieval.add_argument("--queries", type=Path, required=True)
    retrieval.add_argument("--field", choices=["q_full", "q_noname", "q_text"], default="q_full")
    retrieval.add_argument("--negatives", type=Path, help="alerts without a runbook")
    retrieval.add_argument("--embedder", default="", help='another model, or "none" for words only')
    retrieval.add_argument("--json", action="store_true", help="one JSON object on stdout")
    retrieval.set_defaults(run=runs(_retrieval))
    diagnosis = verbs.add_parser("diagnosis", help="root causes: top-1, top-3, verdicts (rootcausebench format)")
    diagnosis.add_argument("--cases", type=Path, required=True)
    diagnosis.add_argument("--truth", type=Path, required=True)
    diagnosis.add_argument("--model", default="rules", help='who diagnoses; this version knows "rules" only')
    diagnosis.add_argument("--classes", type=Path, help="class tag of each case")
    diagnosis.add_argument(
        "--leave-one-class-out", action="store_true", help="switch off the rules that carry a case's class tag"
    )
    diagnosis.add_argument("--json", action="store_true", help="one JSON object on stdout")
    diagnosis.set_defaults(run=_diagnosis)
    redaction = verbs.add_parser("redaction", help="secrets and personal data: precision and recall of what is taken out")
    redaction.add_argument("--secrets", type=Path, help="JSONL with text or text_b64, and label")
    redaction.add_argument("--pii", type=Path, help="JSONL with full_text and spans")
    redaction.add_argument("--json", action="store_true", help="one JSON object on stdout")
    redaction.set_defaults(run=_redaction)


def progress(line: str) -> None:
    """One line on stderr."""
    print(line, file=sys.stderr, flush=True)


async def _retrieval(args: argparse.Namespace) -> int:
    from bot.evals.retrieval import run_retrieval  # slow: numpy
    from bot.knowledge.embedder import open_embedder  # as above
    from bot.settings import load_settings  # as above

    settings = load_settings(args.config)
    name = args.embedder or settings.knowledge.embedder
    result = await run_retrieval(
        docs_path=args.docs,
        queries_path=args.queries,
        field=args.field,
        negatives_path=args.negatives,
        embedder=open_embedder(name),
        cache_dir=settings.data / "eval",
        progress=progress,
    )
    return _print(result, args.json)


def _diagnosis(args: argparse.Namespace) -> int:
    from bot.evals.diagnosis import run_diagnosis  # slow: numpy

    if args.model != "rules":
        raise BadSettings(f"--model {args.model}: this version diagnoses by rules alone; leave it out, or say --model rules.")
    result = run_diagnosis(
        cases_path=args.cases,
        truth_path=args.truth,
        classes_path=args.classes,
        leave_one_out=args.leave_one_class_out,
        progress=progress,
    )
    return _print(result, args.json)


def _redaction(args: argparse.Namespace) -> int:
    from bot.evals.redaction import run_redaction  # as lazy as its sisters

    return _print(run_redaction(args.secrets, args.pii), args.json)


def _print(result: Mapping[str, object], as_json: bool) -> int:
    if as_json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            if not isinstance(value, list):
                print(f"{key:18} {value:.4g}" if isinstance(value, float) else f"{key:18} {value}")
    return 0
