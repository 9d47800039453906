"""What a model adds to the rules is measured beside them, and nothing it says counts without support."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.conversation import Failure, Reply
from bot.domain.evidence import Confidence, Diagnosis, Verdict
from bot.evals import thinking
from bot.evals.diagnosis import diagnosed
from bot.evals.thinking import run_thinking
from tests.evals.test_diagnosis import DECOY, SHA, row, truth, written
from tests.fakes import FakeModel


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    ids = ("one", "two")
    return written(tmp_path, [row(i) for i in ids], [truth(i) for i in ids])


def says(choice: str, text: str = "orders is where it began", **more: object) -> dict[str, object]:
    return {"choice": choice, "reason": "it fits", "claims": [{"text": text, "evidence": ["E1"]}], **more}


async def test_agreement_changes_no_figure_of_the_rules(files: tuple[Path, Path]) -> None:
    told: list[str] = []
    found = await run_thinking(*files, None, FakeModel([says("S1")]), progress=told.append)
    assert found["rules"] == found["with_model"]
    assert (found["n"], found["answered"], found["claims"], found["dropped"]) == (2, 2, 2, 0)
    assert (found["overturned_right"], found["overturned_wrong"], found["model_alone_top1"]) == (0, 0, 1.0)
    assert (found["tokens_in"], found["tokens_out"]) == (200, 40)
    assert len(told) == 2


async def test_a_small_model_that_is_wrong_is_counted_and_the_conviction_stands(files: tuple[Path, Path]) -> None:
    found = await run_thinking(*files, None, FakeModel([says("operational")]))
    assert found["rules"] == found["with_model"]
    assert (found["overturned_wrong"], found["model_alone_top1"]) == (2, 0.0)


async def test_where_the_rules_are_undetermined_the_models_choice_counts(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsure(*args: object, **more: object) -> list[object]:
        return [
            (id, _undetermined(seen), t)
            for id, seen, t in diagnosed(*args, **more)  # type: ignore[arg-type]  # handed on
        ]

    monkeypatch.setattr(thinking, "diagnosed", unsure)
    found = await run_thinking(*files, None, FakeModel([says("S1")]))
    assert found["rules"]["top1"] == 0.0  # type: ignore[index]  # a mapping
    assert found["with_model"]["top1"] == 1.0  # type: ignore[index]  # a mapping
    assert found["overturned_right"] == 2


def _undetermined(seen: Diagnosis) -> Diagnosis:
    return replace(seen, verdict=Verdict.UNDETERMINED, confidence=Confidence.WEAK, cause=None)


async def test_failures_and_dropped_claims_are_counted_by_kind(files: tuple[Path, Path]) -> None:
    model = FakeModel([Reply(failure=Failure.SLOW), says("S1", "It rained 40 mm")])
    found = await run_thinking(*files, None, model)
    assert found["failures"] == {"took too long": 1, "said nothing that the evidence supports": 1}
    assert (found["answered"], found["dropped"], found["citation_validity"]) == (0, 1, 0.0)
    assert found["rules"] == found["with_model"]


async def test_the_limit_stops_after_so_many_cases(files: tuple[Path, Path]) -> None:
    model = FakeModel([says("S1")])
    assert (await run_thinking(*files, None, model, limit=1))["n"] == 1
    assert len(model.asked) == 1


async def test_the_truth_and_the_authors_are_not_in_what_is_sent(files: tuple[Path, Path]) -> None:
    model = FakeModel([says("S1")])
    await run_thinking(*files, None, model, limit=1)
    (request,) = model.asked
    assert "root_cause" not in request.text
    assert '"ada"' not in request.text
    assert SHA[:7] in json.loads(request.text)["suspects"][0]["commit"]
    assert DECOY[:7] not in request.text
