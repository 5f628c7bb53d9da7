"""Graph -> the few facts that people ask of a file first."""

from __future__ import annotations

from mobilekit.graph.ir import Graph, Tensor
from mobilekit.results.file import FileSummary, TensorSummary

_FLOAT_DTYPES = frozenset({"float16", "float32", "float64", "bfloat16"})


def summarize(graph: Graph, *, name: str, size_bytes: int, min_runtime_version: str) -> FileSummary:
    """Facts of ``graph`` and its subgraphs; the size and the minimum runtime are known to the caller."""
    graphs = [graph, *graph.subgraphs]
    # Tensors of different subgraphs may share one buffer; a view's address tells.
    constants = {t.data.ctypes.data: t.data.nbytes for one in graphs for t in one.constants() if t.data is not None}
    return FileSummary(
        name=name,
        size_bytes=size_bytes,
        weight_bytes=sum(constants.values()),
        inputs=tuple(map(_tensor, graph.inputs)),
        outputs=tuple(map(_tensor, graph.outputs)),
        op_counts=graph.op_counts(),
        float_ops=tuple(
            op.name for one in graphs for op in one.ops if any(t.dtype in _FLOAT_DTYPES for t in op.outputs)
        ),
        min_runtime_version=min_runtime_version,
        description=graph.description,
        signatures=tuple(signature.key for one in graphs for signature in one.signatures),
        metadata=tuple(graph.metadata),
        subgraphs=len(graph.subgraphs),
    )


def _tensor(tensor: Tensor) -> TensorSummary:
    q = tensor.quantization
    per_tensor = q is not None and not q.is_per_axis
    return TensorSummary(
        name=tensor.name,
        shape=tensor.shape_signature or tensor.shape,
        dtype=tensor.dtype,
        scale=float(q.scale[0]) if q is not None and per_tensor else None,
        zero_point=int(q.zero_point[0]) if q is not None and per_tensor else None,
    )
