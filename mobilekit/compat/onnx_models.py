"""An .onnx file against the table of TensorRT's ONNX parser: the server's target, over ONNX ops instead of TFLite's.

Needs the ``onnx`` package. Weights in separate files are not read: what a parser takes does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilekit.compat.advice import joins
from mobilekit.compat.partition import cut
from mobilekit.compat.tables import Target, builtin_table
from mobilekit.errors import CorruptModelError, InputError, ModelLoadError
from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.results.compat import CompatReport, Finding, TargetReport

# ONNX's names of types -> the table's.
_TYPES = {
    "FLOAT": "FP32", "FLOAT16": "FP16", "BFLOAT16": "BF16", "DOUBLE": "FP32", "INT32": "INT32", "INT64": "INT64",
    "BOOL": "BOOL", "UINT8": "UINT8", "INT8": "INT8", "FLOAT8E4M3FN": "FP8", "INT4": "INT4",
}  # fmt: skip


@dataclass(frozen=True)
class _Known:
    """What is known of the values of one graph and those around it: types, shapes, constants."""

    types: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, Any]
    """name -> the values, or None where they lie in another file."""


@dataclass(frozen=True)
class _Node:
    """A node with its attributes, defaults filled in, and its inputs by the names of ONNX's own documentation."""

    proto: Any
    attributes: Mapping[str, Any]
    named_inputs: Mapping[str, str]
    known: _Known

    def rank(self, index: int = 0) -> int | None:
        names = list(self.proto.input)
        shape = self.known.shapes.get(names[index]) if index < len(names) else None
        return None if shape is None else len(shape)


Verdict = tuple["str | None", "str | None"]
"""(why it is refused, which rule stays open); (None, None) where the rule holds."""


def check_onnx(path: str | Path) -> CompatReport:
    """Check an .onnx file against TensorRT. :class:`InputError` without the onnx package, :class:`ModelLoadError` or
    :class:`CorruptModelError` for a file that cannot be read.
    """
    model, onnx = _load(path)
    table = builtin_table("tensorrt")
    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 0)
    known = _known(model.graph, onnx, _Known({}, {}, {}))
    nodes = list(model.graph.node)
    findings: list[Finding] = []
    taken: list[bool] = []
    for index, proto in enumerate(nodes):
        reasons, unchecked = _judge(proto, table, known, opset, onnx)
        taken.append(not reasons)
        if reasons or unchecked:
            name = proto.name or (proto.output[0] if proto.output else proto.op_type)
            findings.append(Finding(index, proto.op_type, name, not reasons, tuple(reasons), tuple(unchecked)))
    graph = _as_graph(nodes, known)
    report = _report(graph, taken, findings, table, opset)
    return CompatReport(Path(path).stem, (report,), "unknown", graph.op_counts())


def _load(path: str | Path) -> tuple[Any, Any]:
    try:
        import onnx
    except ImportError as error:
        raise InputError("checking an .onnx file needs the package onnx: pip install 'mobilekit[onnx]'") from error
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ModelLoadError(f"cannot read '{path}': {error.strerror or error}") from error
    try:
        model = onnx.load_model_from_string(data)
        if not model.graph.node:
            raise ValueError("it holds no nodes")
        return onnx.shape_inference.infer_shapes(model, data_prop=True), onnx
    except Exception as error:  # protobuf and onnx raise types of their own, some not even public
        raise CorruptModelError(f"'{path}' is no .onnx file that can be read: {error}") from error


def _known(graph: Any, onnx: Any, outer: _Known) -> _Known:
    types, shapes, constants = dict(outer.types), dict(outer.shapes), dict(outer.constants)
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if kind.elem_type:
            types[value.name] = onnx.TensorProto.DataType.Name(kind.elem_type)
        if kind.HasField("shape"):
            shapes[value.name] = tuple(int(d.dim_value) if d.HasField("dim_value") else -1 for d in kind.shape.dim)
    for tensor in graph.initializer:
        types[tensor.name] = onnx.TensorProto.DataType.Name(tensor.data_type)
        shapes[tensor.name] = tuple(tensor.dims)
        constants[tensor.name] = _values(tensor, onnx)
    for node in graph.node:
        if node.op_type == "Constant":
            value = next((a for a in node.attribute if a.name == "value"), None)
            constants[node.output[0]] = None if value is None else _values(value.t, onnx)
    return _Known(types, shapes, constants)


def _values(tensor: Any, onnx: Any) -> Any:
    if tensor.data_location == onnx.TensorProto.EXTERNAL or np.prod(tensor.dims, dtype=np.int64) > 64:
        return None  # No rule looks into weights.
    return onnx.numpy_helper.to_array(tensor)


def _judge(proto: Any, table: Mapping[str, Any], known: _Known, opset: int, onnx: Any) -> tuple[list[str], list[str]]:
    kind = proto.op_type
    if proto.domain not in ("", "ai.onnx"):
        return [f"{kind} is of the domain '{proto.domain}', not one of ONNX's own ops"], []
    entry = table["ops"].get(kind)
    if entry is None:
        return [f"{kind} is not in its list of ops"], []
    if entry.get("supported") is False:
        return [f"{kind} is not supported"], []
    node = _node(proto, known, opset, onnx)
    verdicts = [_type_verdict(node, entry["dtypes"]), *(_rule(c, node) for c in entry["constraints"])]
    reasons = [reason for reason, _ in verdicts if reason]
    unchecked = [rule for _, rule in verdicts if rule]
    for attribute in proto.attribute:
        for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            inner = _known(body, onnx, known)
            for child in body.node:
                why, open_rules = _judge(child, table, inner, opset, onnx)
                reasons += [f"its body holds {child.op_type}: {text}" for text in why]
                unchecked += [f"{child.op_type} in its body: {text}" for text in open_rules]
    return list(dict.fromkeys(reasons)), list(dict.fromkeys(unchecked))


def _node(proto: Any, known: _Known, opset: int, onnx: Any) -> _Node:
    attributes: dict[str, Any] = {}
    named: dict[str, str] = {}
    try:
        schema = onnx.defs.get_schema(proto.op_type, opset, "")
    except Exception:  # onnx's own SchemaError: an op or an opset that this onnx does not know
        schema = None
    if schema is not None:
        for name, attribute in schema.attributes.items():
            if attribute.default_value.name:
                attributes[name] = onnx.helper.get_attribute_value(attribute.default_value)
        named = {formal.name: given for formal, given in zip(schema.inputs, proto.input, strict=False) if given}
    attributes |= {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
    return _Node(proto, attributes, named, known)


def _type_verdict(node: _Node, tokens: list[str]) -> Verdict:
    """The table's types are those of the data, which is the first input, or the output of an op without inputs."""
    names = [name for name in node.proto.input if name] or list(node.proto.output)
    onnx_type = node.known.types.get(names[0]) if names else None
    if onnx_type is None:
        return None, f"type of '{names[0] if names else node.proto.op_type}' is one of {', '.join(tokens)}"
    if _TYPES.get(onnx_type) in tokens:
        return None, None
    return f"{onnx_type} is not taken, {', '.join(tokens)} are", None


def _rule(c: Mapping[str, Any], node: _Node) -> Verdict:
    kind = c["kind"]
    if kind == "static_input":
        given = node.named_inputs.get(c["name"])
        if given is None or given in node.known.constants:
            return None, None
        return f"{c['name']} must be a constant, is computed at run time", None
    if kind == "param":
        return _param(c, node)
    if kind == "rank":
        rank = node.rank()
        if rank is None:
            return None, f"rank of the input from {c['min']} to {c['max']}"
        return (None if c["min"] <= rank <= c["max"] else f"rank of the input is {rank}, must be {c['min']}"), None
    if kind == "relation":
        holds = ONNX_RELATIONS[c["rule"]](node)
        return (None, c["text"]) if holds is None else (None if holds else f"needs: {c['text']}", None)
    return None, str(c["text"])


def _param(c: Mapping[str, Any], node: _Node) -> Verdict:
    name = c["name"]
    value: Any = node.attributes.get(name)
    if value is None and name in node.named_inputs:  # Some parameters became inputs in later opsets.
        value = node.known.constants.get(node.named_inputs[name])
        if value is None:
            return None, f"{name} {_words(c)}"
    if value is None:
        return None, None  # Not given, and without a default: nothing to refuse.
    value = value.decode() if isinstance(value, bytes) else value
    return (None if _holds(c, value) else f"{name} is {_shown(value)}, must be {_words(c)}"), None


def _holds(c: Mapping[str, Any], value: Any) -> bool:
    if c.get("equals") == "empty_or_ones":
        return all(item == 1 for item in value)
    if "equals" in c:
        return bool(np.all(np.asarray(value) == c["equals"]))
    if "allowed" in c:
        return value in c["allowed"]
    return bool(np.all(np.asarray(value) < c["less_than"]))


def _words(c: Mapping[str, Any]) -> str:
    if "allowed" in c:
        return f"one of {', '.join(c['allowed'])}"
    if "less_than" in c:
        return f"below {c['less_than']}"
    return "all 1" if c["equals"] == "empty_or_ones" else str(c["equals"])


def _shown(value: Any) -> str:
    return str(value.tolist() if isinstance(value, np.ndarray) else value)


def _spatial_rank(node: _Node, *allowed: int) -> bool | None:
    rank = node.rank()
    return None if rank is None else rank - 2 in allowed


ONNX_RELATIONS: dict[str, Callable[[_Node], bool | None]] = {
    "spatial_rank_2_or_3": lambda node: _spatial_rank(node, 2, 3),
    "spatial_rank_1_or_2": lambda node: _spatial_rank(node, 1, 2),
    "one_output": lambda node: sum(1 for name in node.proto.output if name) <= 1,
    "plain_constant": lambda node: not {"sparse_value", "value_string", "value_strings"} & node.attributes.keys(),
}
ONNX_KINDS = frozenset({"static_input", "param", "rank", "relation", "text"})


def _as_graph(nodes: list[Any], known: _Known) -> Graph:
    """The nodes as a Graph, for the walk that cuts it; no more than names and edges."""
    tensors: dict[str, Tensor] = {}

    def tensor(name: str) -> Tensor:
        if name not in tensors:
            data = np.zeros(0, np.uint8) if name in known.constants else None
            tensors[name] = Tensor(name, (), "float32", data=data)
        return tensors[name]

    ops = [
        Op(node.op_type, [tensor(n) if n else None for n in node.input], [tensor(n) for n in node.output if n])
        for node in nodes
    ]
    # A Constant's result must not be marked constant where its node makes it.
    for op in ops:
        for result in op.outputs:
            result.data = None
    return Graph("main", ops=ops)


def _report(
    graph: Graph, taken: list[bool], findings: list[Finding], table: Mapping[str, Any], opset: int
) -> TargetReport:
    pieces = cut(graph, taken)
    return TargetReport(
        target="tensorrt",
        title=table["title"],
        table_version=Target("tensorrt", table["title"], table, None).table_version,
        ops_total=len(graph.ops),
        ops_supported=sum(taken),
        ops_unchecked=sum(1 for finding in findings if finding.supported and finding.unchecked),
        mac_share=None,
        partitions=tuple(len(piece.ops) for piece in pieces if piece.taken),
        findings=tuple(findings),
        asked="tensorrt",
        delegated=tuple(len(piece.ops) for piece in pieces if piece.taken),
        pieces=len(pieces),
        joins=joins(graph, taken, findings),
        notes=(*_opset_notes(table, opset), *table["notes"]),
    )


def _opset_notes(table: Mapping[str, Any], opset: int) -> Iterator[str]:
    first, last = table["opset_range"]
    if not first <= opset <= last:
        yield f"the file is of opset {opset}, the table was read for {first} to {last}: every answer is less certain"
