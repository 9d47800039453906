"""What a model adds to the rules: the one structured question of a small model, asked of every case after the rules."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

from bot.domain.conversation import Reply
from bot.domain.evidence import Diagnosis, Thought, Verdict
from bot.evals.diagnosis import Row, diagnosed, result, total
from bot.investigation.asking import question
from bot.investigation.thought import OPERATIONAL, weigh
from bot.ports import Model

DEADLINE = timedelta(minutes=10)  # a small model on one thread is slow; this measures what it says, not whether it is in time
FIGURES = ("top1", "top3", "convicted", "convicted_right", "operational_right", "coverage", "decoy_hits")


@dataclass(frozen=True, slots=True)
class Seen:
    """One case by the rules alone and with the model."""

    rules: Mapping[str, object]
    both: Mapping[str, object]
    thought: Thought
    reply: Reply


async def run_thinking(
    cases_path: Path,
    truth_path: Path,
    classes_path: Path | None,
    model: Model,
    *,
    leave_one_out: bool = False,
    limit: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, object]:
    """Ask the model about every case (the first `limit`) and compare both with the truth.

    `rules` and `with_model` hold the rates of `run_diagnosis`; `top1` and `top3` of `with_model` count what the model chose
    where the rules were undetermined, since a small model overturns nothing. `model_alone_top1` is the share of cases where
    its own choice is right; `overturned_right` and `overturned_wrong` count cases where its choice, taken alone, would have
    put the rules right or wrong. `citation_validity` is the share of its claims that the cited evidence supports.
    """
    seen: list[Seen] = []
    cases = diagnosed(cases_path, truth_path, classes_path, leave_one_out=leave_one_out)
    for id, diagnosis, truth in islice(cases, limit):
        seen.append(await _one(id, diagnosis, truth, model))
        progress(f"{id}: rules {diagnosis.verdict.value}, {_said(seen[-1])}, {seen[-1].reply.latency_ms / 1000:.1f} s")
    return _figures(seen, model.name)


async def _one(id: str, diagnosis: Diagnosis, truth: Row, model: Model) -> Seen:
    asked, request = question(diagnosis, small=True)
    reply = await asyncio.wait_for(model.ask(replace(request, deadline=DEADLINE)), DEADLINE.total_seconds() + 5)
    thought = weigh(asked, reply, diagnosis.at)
    rules = result(id, diagnosis, truth)
    chosen = {c.key: c.commit for c in asked.suspects.values()}.get(thought.choice, "")
    choice = "none" if thought.choice == OPERATIONAL else chosen
    undetermined = diagnosis.verdict is Verdict.UNDETERMINED and not thought.failure
    both: Mapping[str, object] = {**rules, "choice": choice, "_alone": choice == rules["_real"], "failure": thought.failure}
    if undetermined:
        top3 = list(dict.fromkeys(c for c in (chosen, *_strings(rules["top3"])) if c))[:3]
        right = {"_right": choice == rules["_real"], "_in_three": rules["_real"] in top3}
        both = {**both, "commit": choice, "top3": top3, **right}
    return Seen(rules, both, thought, reply)


def _figures(seen: Sequence[Seen], name: str) -> dict[str, object]:
    rules, both = total([s.rules for s in seen]), total([s.both for s in seen])
    answered = [s for s in seen if not s.thought.failure]
    kept = sum(len(s.thought.claims) for s in seen)
    dropped = sum(s.thought.dropped for s in seen)
    seconds = sorted(s.reply.latency_ms / 1000 for s in seen)
    return {
        "n": len(seen),
        "model": name,
        "rules": {k: rules[k] for k in FIGURES},
        "with_model": {k: both[k] for k in FIGURES},
        "answered": len(answered),
        "failures": dict(Counter(s.thought.failure.removeprefix(f"the model {name} ") for s in seen if s.thought.failure)),
        "model_alone_top1": _share([bool(s.both["_alone"]) for s in seen]),
        "overturned_right": sum(bool(s.both["_alone"]) and not s.rules["_right"] for s in answered),
        "overturned_wrong": sum(bool(s.rules["_right"]) and not s.both["_alone"] for s in answered),
        "claims": kept + dropped,
        "dropped": dropped,
        "citation_validity": round(kept / (kept + dropped), 4) if kept + dropped else 0.0,
        "repairs": sum(s.reply.repairs for s in seen),
        "tokens_in": sum(s.reply.tokens_in for s in seen),
        "tokens_out": sum(s.reply.tokens_out for s in seen),
        "seconds_p50": round(seconds[len(seconds) // 2], 2) if seconds else 0.0,
        "seconds_max": round(seconds[-1], 2) if seconds else 0.0,
        "cases": both["cases"],
    }


def _said(seen: Seen) -> str:
    return seen.thought.failure or f"model {seen.thought.stance.value}: {seen.thought.named}"


def _share(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 4) if hits else 0.0


def _strings(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else []
