"""Small float graphs for the quantizer's tests, and how to run one."""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.writer import write
from mobilekit.quantize.measure import to_real, to_stored
from mobilekit.runtime import Interpreter

CONV_OPTIONS = {
    "stride_w": 1,
    "stride_h": 1,
    "dilation_w_factor": 1,
    "dilation_h_factor": 1,
    "padding": "SAME",
    "fused_activation_function": "NONE",
}


def float_tensor(name, *shape):
    return Tensor(name, shape, "float32")


def constant(name, values, dtype="float32"):
    data = np.asarray(values, dtype)
    return Tensor(name, data.shape, dtype, data=data)


def unary(kind, shape=(1, 4, 4, 8), out_shape=None, extra=(), **options):
    """x -> kind(x, *extra) -> y"""
    x, y = float_tensor("x", *shape), float_tensor("y", *(out_shape or shape))
    return Graph(inputs=[x], outputs=[y], ops=[Op(kind, [x, *extra], [y], options)])


def conv(x, name, rng, channels, size=1, activation="NONE", bias=True, depthwise=False):
    """Append nothing: give the op; its output is SAME-padded, stride 1."""
    shape = (1, size, size, channels) if depthwise else (channels, size, size, x.shape[-1])
    fan_in = size * size * (1 if depthwise else x.shape[-1])
    weights = constant(f"{name}/w", rng.normal(0, fan_in**-0.5, shape))
    inputs = [x, weights, *([constant(f"{name}/b", rng.normal(0, 0.1, channels))] if bias else [])]
    y = float_tensor(name, *x.shape[:-1], channels)
    options = {**CONV_OPTIONS, "fused_activation_function": activation}
    if depthwise:
        options["depth_multiplier"] = 1
    return Op("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", inputs, [y], options)


def small_network(seed=0):
    """conv RELU6 -> depthwise RELU6 -> conv -> add(residual) -> mean -> fully connected -> softmax"""
    rng = np.random.default_rng(seed)
    x = float_tensor("image", 1, 8, 8, 3)
    first = conv(x, "first", rng, 16, 3, "RELU6")
    depth = conv(first.output, "depth", rng, 16, 3, "RELU6", depthwise=True)
    project = conv(depth.output, "project", rng, 16)
    added = float_tensor("added", 1, 8, 8, 16)
    add = Op("ADD", [first.output, project.output], [added], {"fused_activation_function": "NONE"})
    pooled = float_tensor("pooled", 1, 16)
    mean = Op("MEAN", [added, constant("axes", [1, 2], "int32")], [pooled], {"keep_dims": False})
    logits = float_tensor("logits", 1, 10)
    weights, bias = constant("head/w", rng.normal(0, 0.5, (10, 16))), constant("head/b", rng.normal(0, 0.1, 10))
    dense = Op("FULLY_CONNECTED", [pooled, weights, bias], [logits], {"fused_activation_function": "NONE"})
    scores = float_tensor("scores", 1, 10)
    softmax = Op("SOFTMAX", [logits], [scores], {"beta": 1.0})
    return Graph(inputs=[x], outputs=[scores, logits], ops=[first, depth, project, add, mean, dense, softmax])


def samples(graph, count=8, seed=1, low=-1.0, high=1.0):
    """Seeded uniform samples for every input of ``graph``."""
    rng = np.random.default_rng(seed)
    return [[rng.uniform(low, high, t.shape).astype(t.dtype) for t in graph.inputs] for _ in range(count)]


def run(graph, sample, delegate="xnnpack"):
    """Real values of the outputs of ``graph`` for a float sample."""
    inputs = [to_stored(tensor, array) for tensor, array in zip(graph.inputs, sample, strict=True)]
    got = Interpreter(write(graph), delegate=delegate).run(inputs)
    return [to_real(tensor, array) for tensor, array in zip(graph.outputs, got, strict=True)]
