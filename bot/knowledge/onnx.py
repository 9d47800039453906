"""A sentence-transformers model of the BERT family on ONNX Runtime: the same vectors as with torch, a third of the memory.

Nothing is converted or cached: the graph is made here (`bert`), the weights are read from the model's own safetensors file.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bot.errors import BadSettings
from bot.knowledge.bert import Shape, arranged, graph_of

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]  # it ships no types

WEIGHTS = "model.safetensors"
TOKENS = 256  # where the folder names no limit
AT_ONCE = 512  # tokens in one run: more takes more memory and no less time

_MODULES = ("Transformer", "Pooling", "Normalize")
_POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first"}


class OnnxModel:
    """An Embedder on ONNX Runtime; each call uses one core, and any number may run side by side."""

    at_once = 64

    def __init__(self, folder: Path, name: str, digest: str) -> None:
        """Raises BadSettings if the folder holds no model of this family (`why_not` says so beforehand)."""
        from tokenizers import Tokenizer  # takes a moment to import

        reason = why_not(folder)
        if reason:
            raise BadSettings(f"The embedding model {name!r} does not run on ONNX Runtime: {reason}. Use embedder_backend auto.")
        config = _json(folder / "config.json")
        self.name, self.digest, self.dimensions = name, digest, _whole(config, "hidden_size")
        self._first = _pooling(folder) == "first"
        tokens = min(
            _whole(_json(folder / "sentence_bert_config.json"), "max_seq_length", TOKENS),
            _whole(config, "max_position_embeddings", TOKENS),
        )
        shape = Shape(_whole(config, "num_hidden_layers"), _whole(config, "num_attention_heads"), _real(config, "layer_norm_eps"))
        self._session = _session(folder, name, shape)
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # it raises nothing narrower
            raise _useless(name, folder, error) from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max(tokens, 1))
        self._try_out(folder)

    def _try_out(self, folder: Path) -> None:
        """Raises BadSettings unless the first and the last word that it knows have a vector: weights may be of another model."""
        from onnxruntime.capi import onnxruntime_pybind11_state as raised  # type: ignore[import-untyped]  # it ships no types

        try:
            vectors = np.asarray(self._run([[0], [self._tokenizer.get_vocab_size() - 1]]))
        except (raised.Fail, raised.InvalidArgument, raised.RuntimeException) as error:
            raise _useless(self.name, folder, error) from error
        if vectors.shape != (2, self.dimensions) or not np.isfinite(vectors).all():
            raise _useless(self.name, folder, "its vectors are not what its config.json says, or no numbers")

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of unit length per text."""
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        at_once = max(1, AT_ONCE // max(map(len, tokens), default=1))
        return [v for start in range(0, len(tokens), at_once) for v in self._run(tokens[start : start + at_once])]

    def _run(self, tokens: Sequence[Sequence[int]]) -> list[list[float]]:
        ids = np.zeros((len(tokens), max(map(len, tokens))), np.int32)
        mask = np.zeros_like(ids)
        for row, mine in enumerate(tokens):
            ids[row, : len(mine)] = mine
            mask[row, : len(mine)] = 1
        hidden: NDArray[np.float32] = self._session.run(["hidden"], {"ids": ids, "mask": mask})[0]
        pooled = hidden[:, 0] if self._first else np.einsum("bld,bl->bd", hidden, mask.astype(np.float32))
        with np.errstate(invalid="ignore", divide="ignore"):  # of broken weights only, which `_try_out` refuses
            unit: list[list[float]] = (pooled / np.linalg.norm(pooled, axis=1, keepdims=True)).tolist()
        return unit


def _session(folder: Path, name: str, shape: Shape) -> "InferenceSession":
    import onnxruntime  # these three take a moment to import
    from onnxruntime.capi import onnxruntime_pybind11_state as raised
    from safetensors import SafetensorError, numpy

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # else as much memory as the longest batch ever took is kept
    options.log_severity_level = 3
    try:
        stored = numpy.load_file(folder / WEIGHTS)
        weights = arranged({key: np.asarray(value, np.float32) for key, value in stored.items()}, shape.layers)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array)) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
        return onnxruntime.InferenceSession(graph_of(shape, weights), options, providers=["CPUExecutionProvider"])
    except (OSError, ValueError, LookupError, SafetensorError, raised.Fail, raised.InvalidArgument, raised.InvalidGraph) as error:
        raise _useless(name, folder, error) from error


def _useless(name: str, folder: Path, why: object) -> BadSettings:
    return BadSettings(f"The embedding model {name!r} cannot be loaded from {folder}: {str(why)[:300]}.")


def why_not(folder: Path) -> str:
    """Why the model in `folder` is not of the family that is understood here; "" if it is."""
    missing = [name for name in ("config.json", WEIGHTS, "tokenizer.json") if not (folder / name).is_file()]
    if missing:
        return f"{', '.join(missing)} is missing in {folder}"
    if not _json(folder / "tokenizer.json"):
        return f"{folder / 'tokenizer.json'} is no JSON"
    config = _json(folder / "config.json")
    wanted = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
    for key, value in wanted.items():
        if config.get(key, "absolute" if key == "position_embedding_type" else None) != value:
            return f"its {key} is {str(config.get(key))[:40]}, not {value}"
    modules = _list(folder / "modules.json")
    kinds = [str(m.get("type", "")).rsplit(".", 1)[-1] for m in modules]
    if kinds[:2] != list(_MODULES[:2]) or kinds[2:] not in ([], ["Normalize"]):
        return f"it is made of {', '.join(kinds)[:100] or 'unknown parts'}, not of {', '.join(_MODULES)}"
    if not _pooling(folder):
        return "its pooling is neither that of the mean nor that of the first token"
    return ""


def _pooling(folder: Path) -> str:
    modes = {
        key for key, on in _json(folder / "1_Pooling" / "config.json").items() if key.startswith("pooling_mode") and on is True
    }
    return _POOLINGS.get(next(iter(modes)), "") if len(modes) == 1 else ""


def _json(file: Path) -> Mapping[str, object]:
    found = _read(file)
    return found if isinstance(found, dict) else {}


def _list(file: Path) -> list[Mapping[str, object]]:
    found = _read(file)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _read(file: Path) -> object:
    try:
        found: object = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return found


def _whole(config: Mapping[str, object], key: str, default: int = 0) -> int:
    value = config.get(key, default)
    return value if isinstance(value, int) else default


def _real(config: Mapping[str, object], key: str) -> float:
    value = config.get(key)
    return float(value) if isinstance(value, int | float) else 1e-12
