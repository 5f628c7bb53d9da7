"""Readable text of a graph: one line an op, with shapes, options and the user's source line."""

from __future__ import annotations

from typing import Any

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.source import SourceLocation

# Defaults of the schema that say nothing to a reader.
_QUIET = {
    "fused_activation_function": ("NONE", 0),
    "dilation_w_factor": (1,),
    "dilation_h_factor": (1,),
    "quantized_bias_type": (0,),
    "pot_scale_int16": (True, False),
    "keep_num_dims": (False,),
    "asymmetric_quantize_inputs": (False,),
    "weights_format": (0,),
}


def format_graph(graph: Graph) -> str:
    """Text of ``graph`` and its subgraphs. Constants show as type and shape only."""
    lines = [_format_one(graph), *map(_format_one, graph.subgraphs)]
    return "\n\n".join(lines)


def _format_one(graph: Graph) -> str:
    ins = ", ".join(f"{t.name}: {t}" for t in graph.inputs)
    outs = ", ".join(f"{t.name}: {t}" for t in graph.outputs)
    return "\n".join([f"graph {graph.name}({ins}) -> ({outs})", *(f"  {format_op(op)}" for op in graph.ops)])


def format_op(op: Op) -> str:
    kind = f"{op.kind}:{op.custom_code}" if op.custom_code else op.kind
    outs = ", ".join(f"{t.name}: {t}" for t in op.outputs)
    text = f"{outs} = {kind}({', '.join(map(_format_input, op.inputs))})"
    options = {k: v for k, v in op.options.items() if v is not None and not _is_quiet(k, v)}
    if options:
        text += " {" + ", ".join(f"{k}={_format_value(v)}" for k, v in sorted(options.items())) + "}"
    return text + _format_source(op.source)


def _is_quiet(key: str, value: Any) -> bool:
    return key in _QUIET and value in _QUIET[key]


def _format_input(tensor: Tensor | None) -> str:
    if tensor is None:
        return "-"
    if tensor.data is not None:
        short = 0 < tensor.size <= 8 and tensor.rank <= 1 and tensor.data.size == tensor.size
        if short and tensor.quantization is None:
            return f"{tensor.name}={tensor.data.tolist()}"
        return f"{tensor.name}: const {tensor}"
    return tensor.name


def _format_value(value: Any) -> str:
    return str(value.tolist()) if hasattr(value, "tolist") else str(value)


def _format_source(source: SourceLocation | None) -> str:
    if source is None:
        return ""
    place = f"{source.file.rsplit('/', 1)[-1]}:{source.line}"
    return f"  # {source.module} {place}" if source.module else f"  # {place}"
