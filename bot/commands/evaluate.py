"""tocsin eval: how good search, diagnosis and noise reduction are, as one JSON object on stdout; progress goes to stderr."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from bot.commands import Commands, evaluate_signals, runs
from bot.commands.figures import progress, show
from bot.errors import BadSettings


def register(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser("eval", help="measure search, diagnosis and noise reduction on data of your own")
    verbs = parser.add_subparsers(dest="verb", required=True)
    retrieval = verbs.add_parser("retrieval", help="runbook search: hit@k, MRR, nDCG, false hits")
    retrieval.add_argument("--docs", type=Path, required=True)
    retrieval.add_argument("--queries", type=Path, required=True)
    retrieval.add_argument("--field", choices=["q_full", "q_noname", "q_text"], default="q_full")
    retrieval.add_argument("--negatives", type=Path, help="alerts without a runbook")
    retrieval.add_argument("--embedder", default="", help='another model, or "none" for words only')
    retrieval.add_argument("--json", action="store_true", help="one JSON object on stdout")
    retrieval.set_defaults(run=runs(_retrieval))
    incidents = verbs.add_parser("incidents", help="search for past incidents: the same figures")
    incidents.add_argument("--docs", type=Path, required=True, help="JSONL with id, title, body")
    incidents.add_argument("--queries", type=Path, required=True, help="JSONL with query, relevant")
    incidents.add_argument("--embedder", default="", help='another model, or "none" for words only')
    incidents.add_argument("--json", action="store_true", help="one JSON object on stdout")
    incidents.set_defaults(run=runs(_incidents))
    diagnosis = verbs.add_parser("diagnosis", help="root causes: top-1, top-3, verdicts (rootcausebench format)")
    diagnosis.add_argument("--cases", type=Path, required=True)
    diagnosis.add_argument("--truth", type=Path, required=True)
    diagnosis.add_argument("--model", default="rules", help='"rules", or a model that reads what they found')
    diagnosis.add_argument("--classes", type=Path, help="class tag of each case")
    diagnosis.add_argument(
        "--leave-one-class-out", action="store_true", help="switch off the rules that carry a case's class tag"
    )
    diagnosis.add_argument("--by-evidence", action="store_true", help="source after source, and with all but one of them")
    diagnosis.add_argument("--limit", type=int, help="with a model: the first N cases only")
    diagnosis.add_argument("--json", action="store_true", help="one JSON object on stdout")
    diagnosis.set_defaults(run=runs(_diagnosis))
    injections = verbs.add_parser("injections", help="planted instructions: what they brought about, all to be 0")
    injections.add_argument("--cases", type=Path, required=True, help="JSONL with id and text")
    injections.add_argument("--limit", type=int, help="the first N cases only")
    injections.add_argument("--wave", type=int, default=40, help="texts in one run of the bot (default 40)")
    injections.add_argument("--json", action="store_true", help="one JSON object on stdout")
    injections.set_defaults(run=runs(_injections))
    noise = verbs.add_parser("noise", help="alerts into incidents: pairwise F1, compression, what was missed, delays")
    noise.add_argument("--stream", type=Path, required=True, help="JSONL of deliveries: at, connector, payload")
    noise.add_argument("--truth", type=Path, required=True, help="JSONL: eval_id, group or null, critical")
    noise.add_argument("--services", type=Path, required=True, help="the catalogue, as services.yaml")
    noise.add_argument("--json", action="store_true", help="one JSON object on stdout")
    noise.set_defaults(run=runs(_noise))
    redaction = verbs.add_parser("redaction", help="secrets and personal data: precision and recall of what is taken out")
    redaction.add_argument("--secrets", type=Path, help="JSONL with text or text_b64, and label")
    redaction.add_argument("--pii", type=Path, help="JSONL with full_text and spans")
    redaction.add_argument("--json", action="store_true", help="one JSON object on stdout")
    redaction.set_defaults(run=_redaction)
    evaluate_signals.register(verbs)


async def _retrieval(args: argparse.Namespace) -> int:
    from bot.evals.retrieval import run_retrieval  # slow: numpy
    from bot.settings import load_settings  # as above
    from bot.wiring import embedder_of  # as above

    settings = load_settings(args.config)
    result = await run_retrieval(
        docs_path=args.docs,
        queries_path=args.queries,
        field=args.field,
        negatives_path=args.negatives,
        embedder=embedder_of(settings, args.embedder),
        cache_dir=settings.data / "eval",
        progress=progress,
    )
    return show(result, args.json)


async def _incidents(args: argparse.Namespace) -> int:
    from bot.evals.incidents import run_incidents  # slow: numpy
    from bot.settings import load_settings  # as above
    from bot.wiring import embedder_of  # as above

    settings = load_settings(args.config)
    embedder = embedder_of(settings, args.embedder)
    return show(await run_incidents(args.docs, args.queries, embedder, settings.data / "eval", progress), args.json)


async def _diagnosis(args: argparse.Namespace) -> int:
    from bot.evals.diagnosis import run_diagnosis  # slow: numpy

    if args.by_evidence:
        return _by_evidence(args)
    if args.model != "rules":
        return show(await _with_model(args), args.json)
    result = run_diagnosis(
        cases_path=args.cases,
        truth_path=args.truth,
        classes_path=args.classes,
        leave_one_out=args.leave_one_class_out,
        progress=progress,
    )
    return show(result, args.json)


def _by_evidence(args: argparse.Namespace) -> int:
    from bot.evals.evidence import in_words, run_by_evidence  # slow: numpy

    if args.model != "rules":
        raise BadSettings("--by-evidence measures the rules; leave --model away.")
    found = run_by_evidence(args.cases, args.truth, args.classes, leave_one_out=args.leave_one_class_out)
    return show(found if args.json else in_words(found), args.json)


async def _with_model(args: argparse.Namespace) -> Mapping[str, object]:
    from bot.evals.thinking import run_thinking  # slow: numpy
    from bot.settings import load_settings  # as above
    from bot.wiring import model_of  # slow: everything

    settings = load_settings(args.config)
    model = model_of(settings.model_copy(update={"model": args.model}))
    if model is None:
        raise BadSettings("--model names no model; say rules, or a model such as openai:gpt-5-mini.")
    return await run_thinking(
        args.cases,
        args.truth,
        args.classes,
        model,
        leave_one_out=args.leave_one_class_out,
        limit=args.limit,
        progress=progress,
    )


async def _injections(args: argparse.Namespace) -> int:
    from bot.commands.injections import run_injections  # slow: the workspace and the bot's wiring

    result, clean = await run_injections(args.cases, args.limit, args.wave, progress)
    show(result, args.json)
    return 0 if clean else 1


async def _noise(args: argparse.Namespace) -> int:
    from bot.commands.replaying import run_noise  # slow: the bot's wiring

    return show(await run_noise(args.stream, args.truth, args.services, progress), args.json)


def _redaction(args: argparse.Namespace) -> int:
    from bot.evals.redaction import run_redaction  # as lazy as its sisters

    return show(run_redaction(args.secrets, args.pii), args.json)
