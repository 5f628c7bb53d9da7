"""Let the op before an activation apply it.

Given     y = CONV_2D(x, w, b);  z = RELU6(y)
Result    z = CONV_2D(x, w, b) {fused_activation_function=RELU6}
"""

from __future__ import annotations

from mobilekit.graph.ir import Graph

# Ops that carry fused_activation_function and whose kernels apply these three. CONCATENATION has the field, but its
# kernels refuse anything other than NONE.
_HOSTS = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "SUB", "MUL", "DIV", "AVERAGE_POOL_2D", "MAX_POOL_2D"}
)
_ACTIVATIONS = frozenset({"RELU", "RELU6", "RELU_N1_TO_1"})


def fuse_activation(graph: Graph) -> int:
    """Fuse where the activation is the only reader; the fused op takes over the activation's output."""
    producers, consumers = graph.producers(), graph.consumers()
    fused = []
    for op in graph.ops:
        source = op.inputs[0] if op.kind in _ACTIVATIONS else None
        host = producers.get(source) if source is not None else None
        if host is None or source is None or host.kind not in _HOSTS or source in graph.outputs:
            continue
        if len(consumers[source]) != 1 or host.options.get("fused_activation_function", "NONE") != "NONE":
            continue
        if source.quantization is not None or source.dtype != "float32":
            continue  # quantized: the scale between the two is part of what the file computes
        host.options["fused_activation_function"] = op.kind
        host.outputs = [op.output]
        host.source = host.source or op.source
        producers[op.output] = host
        fused.append(op)
    graph.remove_ops(fused)
    return len(fused)
