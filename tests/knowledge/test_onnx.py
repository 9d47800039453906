"""The default model on ONNX Runtime gives what torch gives, without torch; what is no such model is refused by name."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bot.errors import BadSettings
from bot.knowledge.embedder import DEFAULT, WEIGHTS_FILE, Backend, default_folder, open_embedder
from bot.knowledge.onnx import why_not
from bot.ports import Embedder

TEXTS = [
    "x",
    "",
    "Disk is full on the payments database",
    "Kafka consumer lag grows › Check first\nkafka-consumer-groups --describe --group cart",
    "数据库连接数过多 / 連線池已滿",
    "a very long page " * 400,
    "ünïcödé \U0001f525 \u200b mixed\tspaces\n",
]
TORCHLESS = """
import sys
from bot.knowledge.embedder import DEFAULT, open_embedder
open_embedder(DEFAULT).embed(["disk full"])
print(sorted({"torch", "transformers", "sentence_transformers"} & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def model() -> Embedder:
    found = open_embedder(DEFAULT)
    assert found is not None
    return found


def a_copy(folder: Path, file: str, change: Callable[[dict[str, object]], object]) -> Path:
    """The default model's folder with one of its files changed; the weights are only linked."""
    for path in default_folder().rglob("*"):
        target = folder / path.relative_to(default_folder())
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    content = json.loads((folder / file).read_text())
    (folder / file).unlink()
    (folder / file).write_text(json.dumps(change(content)))
    return folder


def test_vectors_have_unit_length_and_like_texts_lie_near(model: Embedder) -> None:
    full, storage, cake = (np.asarray(v) for v in model.embed(["the disk is full", "no space left on device", "a cake recipe"]))
    assert [round(float(np.linalg.norm(v)), 4) for v in (full, storage, cake)] == [1.0, 1.0, 1.0]
    assert full @ storage > full @ cake + 0.2
    assert model.embed([]) == []


def test_a_text_has_the_same_vector_alone_and_beside_longer_ones(model: Embedder) -> None:
    together = np.asarray(model.embed(TEXTS))
    alone = np.asarray([model.embed([text])[0] for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5


def test_several_threads_may_ask_at_once(model: Embedder) -> None:
    wanted = np.asarray(model.embed(TEXTS[2:5]))
    wrong: list[float] = []

    def ask() -> None:
        wrong.extend(d for _ in range(5) if (d := float(np.abs(np.asarray(model.embed(TEXTS[2:5])) - wanted).max())) > 1e-5)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.slow
def test_the_vectors_are_those_of_torch_and_belong_to_the_same_model(model: Embedder) -> None:
    torch = open_embedder(DEFAULT, Backend.TORCH)
    assert torch is not None
    cosines = np.sum(np.asarray(torch.embed(TEXTS)) * np.asarray(model.embed(TEXTS)), axis=1)
    assert cosines.min() > 0.9999
    assert (torch.name, torch.digest, torch.dimensions) == (model.name, model.digest, model.dimensions)


@pytest.mark.slow
def test_torch_is_not_even_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TORCHLESS], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        ("config.json", {"model_type": "mpnet"}, "model_type is mpnet"),
        ("config.json", {"hidden_act": "relu"}, "hidden_act is relu"),
        ("config.json", {"position_embedding_type": "relative_key"}, "position_embedding_type is relative_key"),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pooling"),
    ],
)
def test_a_model_of_another_family_is_told_apart(file: str, change: dict[str, object], reason: str, tmp_path: Path) -> None:
    folder = a_copy(tmp_path, file, lambda content: {**content, **change})
    assert reason in why_not(folder)
    with pytest.raises(BadSettings, match=f"does not run on ONNX Runtime.*{reason}"):
        open_embedder(str(folder), Backend.ONNX)


def test_a_model_with_more_parts_is_told_apart(tmp_path: Path) -> None:
    folder = a_copy(tmp_path, "modules.json", lambda parts: [*parts, {"type": "sentence_transformers.models.Dense"}])
    assert "Dense" in why_not(folder)


def test_a_folder_without_its_files_is_told_apart(tmp_path: Path) -> None:
    assert f"config.json, {WEIGHTS_FILE}, tokenizer.json is missing" in why_not(tmp_path)


def test_weights_that_do_not_fit_the_description_are_refused(tmp_path: Path) -> None:
    folder = a_copy(tmp_path, "config.json", lambda content: {**content, "num_hidden_layers": 7})
    with pytest.raises(BadSettings, match="cannot be loaded"):
        open_embedder(str(folder))


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    folder = a_copy(tmp_path, "config.json", lambda content: content)
    (folder / WEIGHTS_FILE).unlink()
    (folder / WEIGHTS_FILE).write_bytes(b"rubbish" * 1000)
    with pytest.raises(BadSettings, match="cannot be loaded"):
        open_embedder(str(folder))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"hidden_size": 10}),
        ("config.json", {"num_attention_heads": 5}),
        ("tokenizer.json", {"model": {"type": "?"}}),
    ],
)
def test_a_model_that_contradicts_itself_is_refused_before_it_makes_a_vector(
    file: str, content: dict[str, object], tmp_path: Path
) -> None:
    folder = a_copy(tmp_path, file, lambda before: {**before, **content})
    with pytest.raises(BadSettings, match="cannot be loaded"):
        open_embedder(str(folder), Backend.ONNX)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    folder = a_copy(tmp_path, "config.json", lambda content: content)
    weights = load_file(folder / WEIGHTS_FILE)
    weights["embeddings.LayerNorm.bias"] = np.full_like(weights["embeddings.LayerNorm.bias"], np.nan)
    (folder / WEIGHTS_FILE).unlink()
    save_file(weights, folder / WEIGHTS_FILE)
    with pytest.raises(BadSettings, match="no numbers"):
        open_embedder(str(folder), Backend.ONNX)


def test_a_model_in_a_folder_of_ones_own_runs_too_and_pools_as_it_says(tmp_path: Path, model: Embedder) -> None:
    first = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    other = open_embedder(str(a_copy(tmp_path, "1_Pooling/config.json", lambda content: {**content, **first})))
    assert other is not None
    assert other.name == str(tmp_path)
    assert other.digest == model.digest
    assert np.abs(np.asarray(other.embed(["disk"])) - np.asarray(model.embed(["disk"]))).max() > 0.01
