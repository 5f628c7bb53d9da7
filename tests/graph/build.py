"""Small graphs to test with, and what it means for two graphs to be the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilekit.graph.ir import Graph, Op, Quantization, Signature, Tensor
from mobilekit.source import SourceLocation


def constant(name: str, data: Any, quantization: Quantization | None = None) -> Tensor:
    array = np.asarray(data)
    return Tensor(name, array.shape, array.dtype.name, array, quantization)


def small_cnn(seed: int = 0) -> Graph:
    """Conv, depthwise, mean, dense: what an image classifier is made of, in float32."""
    random = np.random.default_rng(seed)

    def weights(name: str, *shape: int) -> Tensor:
        return constant(name, random.standard_normal(shape, np.float32))

    x = Tensor("image", (1, 8, 8, 3), "float32")
    a = Tensor("stem", (1, 4, 4, 12), "float32")
    b = Tensor("depthwise", (1, 4, 4, 12), "float32")
    c = Tensor("pooled", (1, 12), "float32")
    y = Tensor("logits", (1, 5), "float32")
    conv = {"padding": "SAME", "stride_w": 2, "stride_h": 2, "dilation_w_factor": 1, "dilation_h_factor": 1}
    depthwise = {**conv, "stride_w": 1, "stride_h": 1, "depth_multiplier": 1}
    return Graph(
        inputs=[x],
        outputs=[y],
        ops=[
            Op(
                "CONV_2D",
                [x, weights("stem/w", 12, 3, 3, 3), weights("stem/b", 12)],
                [a],
                {**conv, "fused_activation_function": "RELU6"},
                SourceLocation("/home/me/net.py", 12, "x = self.stem(x)", "stem.0"),
            ),
            Op("DEPTHWISE_CONV_2D", [a, weights("dw/w", 1, 3, 3, 12), weights("dw/b", 12)], [b], depthwise),
            Op("MEAN", [b, constant("axes", np.array([1, 2], np.int32))], [c], {"keep_dims": False}),
            Op("FULLY_CONNECTED", [c, weights("fc/w", 5, 12), None], [y]),
        ],
        signatures=[Signature("serving_default", (("image", x),), (("logits", y),))],
        metadata={"min_runtime_version": b"1.14.0"},
        description="a small network",
    )


def one_op(kind: str, inputs: list[Tensor | None], output: Tensor, **options: Any) -> Graph:
    """A graph of one op that reads ``inputs``; those without data are the graph's inputs."""
    free = [tensor for tensor in inputs if tensor is not None and tensor.data is None]
    return Graph(inputs=free, outputs=[output], ops=[Op(kind, inputs, [output], options)])


def assert_same(a: Graph, b: Graph) -> None:
    """The same file: every op, option, tensor, byte, name and signature, in every subgraph."""
    assert str(a) == str(b)
    assert (a.description, a.metadata) == (b.description, b.metadata)
    assert len(a.subgraphs) == len(b.subgraphs)
    for one, other in zip((a, *a.subgraphs), (b, *b.subgraphs), strict=True):
        assert _signatures(one) == _signatures(other)
        tensors = dict(zip(one.tensors(), other.tensors(), strict=True))
        for tensor, twin in tensors.items():
            _assert_same_tensor(tensor, twin)
        for op, copy in zip(one.ops, other.ops, strict=True):
            assert (op.kind, op.custom_code, op.custom_options) == (copy.kind, copy.custom_code, copy.custom_options)
            assert [t and tensors[t] for t in op.inputs] == copy.inputs
            assert [tensors[t] for t in op.outputs] == copy.outputs
            assert [tensors[t] for t in op.intermediates] == copy.intermediates
            np.testing.assert_equal(op.options, copy.options)
            assert op.version in (None, copy.version)
            assert op.options_type in (None, copy.options_type)


def _assert_same_tensor(a: Tensor, b: Tensor) -> None:
    assert (a.name, a.shape, a.dtype, a.shape_signature) == (b.name, b.shape, b.dtype, b.shape_signature)
    assert a.is_variable == b.is_variable
    assert (a.sparsity is None) == (b.sparsity is None)
    if a.sparsity is not None:
        assert list(a.sparsity.traversalOrder) == list(b.sparsity.traversalOrder)
        assert len(a.sparsity.dimMetadata) == len(b.sparsity.dimMetadata)
    assert a.quantization is b.quantization is None or a.quantization.equals(b.quantization)
    assert (a.data is None) == (b.data is None)
    if a.data is not None:
        assert a.data.dtype == b.data.dtype
        assert a.data.shape == b.data.shape
        assert a.data.tobytes() == b.data.tobytes()  # Bytes, so that NaN equals itself.


def _signatures(graph: Graph) -> list[Any]:
    return [
        (s.key, [(name, t.name) for name, t in s.inputs], [(name, t.name) for name, t in s.outputs])
        for s in graph.signatures
    ]
