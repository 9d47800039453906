"""A BERT encoder as an ONNX graph: the operators only, a few kilobytes; the weights stay in their own file.

ONNX is a protocol-buffer format (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); the few messages that are needed
are written here field by field. The fused operators are those of ONNX Runtime's own domain
(https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.float32]]

FLOAT, INT32 = 1, 6  # TensorProto.DataType
_OPSET, _FUSED_OPSET, _IR = 17, 1, 8
_FUSED = "com.microsoft"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a BERT's config.json says of it."""

    layers: int
    heads: int
    epsilon: float


def graph_of(shape: Shape, weights: Weights) -> bytes:
    """A serialised ModelProto: `ids` and `mask` (int32, [batch, length]) to `hidden` (float32, [batch, length, width]).

    The initializers are named as in `weights` and marked as external: whoever opens the graph hands them over.
    """
    nodes = [
        _node(
            "EmbedLayerNormalization",
            ["ids", "", "embed.words", "embed.positions", "", "embed.norm.weight", "embed.norm.bias", "mask"],
            ["x0", "lengths"],
            [_real("epsilon", shape.epsilon)],
        )
    ]
    for layer in range(shape.layers):
        nodes += _layer(shape, f"layer{layer}", f"x{layer}", f"x{layer + 1}")
    nodes.append(_node("Identity", [f"x{shape.layers}"], ["hidden"], fused=False))
    inputs = [_value("ids", INT32, ["batch", "length"]), _value("mask", INT32, ["batch", "length"])]
    body = b"".join(_message(1, node) for node in nodes)
    body += _text(2, "bert")
    body += b"".join(_message(5, _external(name, array)) for name, array in weights.items())
    body += b"".join(_message(11, value) for value in inputs)
    body += _message(12, _value("hidden", FLOAT, ["batch", "length", "width"]))
    sets = _message(8, _number(2, _OPSET)) + _message(8, _text(1, _FUSED) + _number(2, _FUSED_OPSET))
    return _number(1, _IR) + _message(7, body) + sets


def arranged(stored: Weights, layers: int) -> dict[str, NDArray[np.float32]]:
    """The weights of a safetensors file, by the names of the graph: matrices turned, queries, keys and values side by side.

    What all tokens of one segment share (the embedding of segment 0) is added to the positions. Raises KeyError if a weight
    is missing.
    """
    prefix = "" if "embeddings.word_embeddings.weight" in stored else "bert."

    def of(name: str) -> NDArray[np.float32]:
        return stored[prefix + name]

    found = {
        "embed.words": of("embeddings.word_embeddings.weight"),
        "embed.positions": of("embeddings.position_embeddings.weight") + of("embeddings.token_type_embeddings.weight")[0],
        "embed.norm.weight": of("embeddings.LayerNorm.weight"),
        "embed.norm.bias": of("embeddings.LayerNorm.bias"),
    }
    for n in range(layers):
        here, there = f"layer{n}", f"encoder.layer.{n}"
        three = [f"{there}.attention.self.{part}" for part in ("query", "key", "value")]
        found[f"{here}.qkv.weight"] = np.concatenate([of(f"{part}.weight").T for part in three], axis=1)
        found[f"{here}.qkv.bias"] = np.concatenate([of(f"{part}.bias") for part in three])
        for ours, theirs in (("out", "attention.output"), ("up", "intermediate"), ("down", "output")):
            found[f"{here}.{ours}.weight"] = np.ascontiguousarray(of(f"{there}.{theirs}.dense.weight").T)
            found[f"{here}.{ours}.bias"] = of(f"{there}.{theirs}.dense.bias")
        for ours, theirs in (("norm1", "attention.output"), ("norm2", "output")):
            for part in ("weight", "bias"):
                found[f"{here}.{ours}.{part}"] = of(f"{there}.{theirs}.LayerNorm.{part}")
    return found


def _layer(shape: Shape, name: str, before: str, after: str) -> list[bytes]:
    """Attention, then the two dense layers, each added to what went in and normalised."""
    heads, epsilon = _whole("num_heads", shape.heads), _real("epsilon", shape.epsilon)

    def normed(*inputs: str, to: str) -> bytes:
        return _node("SkipLayerNormalization", inputs, [to], [epsilon])

    def times(left: str, right: str, to: str) -> bytes:
        return _node("MatMul", [left, right], [to], fused=False)

    return [
        _node("Attention", [before, f"{name}.qkv.weight", f"{name}.qkv.bias", "lengths"], [f"{name}.seen"], [heads]),
        times(f"{name}.seen", f"{name}.out.weight", f"{name}.out"),
        normed(f"{name}.out", before, f"{name}.norm1.weight", f"{name}.norm1.bias", f"{name}.out.bias", to=f"{name}.mid"),
        times(f"{name}.mid", f"{name}.up.weight", f"{name}.up"),
        _node("BiasGelu", [f"{name}.up", f"{name}.up.bias"], [f"{name}.gelu"]),
        times(f"{name}.gelu", f"{name}.down.weight", f"{name}.down"),
        normed(f"{name}.down", f"{name}.mid", f"{name}.norm2.weight", f"{name}.norm2.bias", f"{name}.down.bias", to=after),
    ]


def _node(op: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Sequence[bytes] = (), fused: bool = True) -> bytes:
    body = b"".join(_text(1, name) for name in inputs) + b"".join(_text(2, name) for name in outputs)
    body += _text(3, f"to {outputs[0]}") + _text(4, op) + b"".join(_message(5, a) for a in attributes)
    return body + (_text(7, _FUSED) if fused else b"")


def _real(name: str, value: float) -> bytes:
    return _text(1, name) + _key(2, 5) + struct.pack("<f", value) + _number(20, 1)


def _whole(name: str, value: int) -> bytes:
    return _text(1, name) + _number(3, value) + _number(20, 2)


def _external(name: str, array: NDArray[np.float32]) -> bytes:
    dims = b"".join(_number(1, size) for size in array.shape)
    where = _message(13, _text(1, "location") + _text(2, "handed over"))
    return dims + _number(2, FLOAT) + _text(8, name) + where + _number(14, 1)


def _value(name: str, kind: int, dims: Sequence[str]) -> bytes:
    shape = b"".join(_message(1, _text(2, dim)) for dim in dims)
    return _text(1, name) + _message(2, _message(1, _number(1, kind) + _message(2, shape)))


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _number(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _message(field: int, body: bytes) -> bytes:
    return _key(field, 2) + _varint(len(body)) + body


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
