"""Converting a model that was cut: every part lowered and quantized by itself, all of them signatures of one file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from mobilekit.conversion.adapter import Adapter
from mobilekit.errors import InputError, UnsupportedOp, UnsupportedOpsError
from mobilekit.frontends.backends import make_graph
from mobilekit.frontends.direct.cut import Cut, Part, Recorder, cut
from mobilekit.frontends.direct.lower import InputSpec, Lowered, OutputSpec
from mobilekit.frontends.direct.values import identity_order
from mobilekit.frontends.host_ops import host_ops
from mobilekit.frontends.source import Source, TensorSignature
from mobilekit.graph.ir import Graph, Signature, Tensor
from mobilekit.graph.passes import run_passes
from mobilekit.quantize import QuantizeResult
from mobilekit.sidecar import LibraryStep, NmsStep, PartStep, PythonStep, StagesSpec, TensorSpec, TensorStep, ValueSpec

Call = tuple[torch.Tensor, ...]
Quantizer = Callable[[Source, Lowered, Iterable[Call]], QuantizeResult]
Describe = Callable[[Any, tuple[str, Any]], TensorSpec]


@dataclass(frozen=True)
class StagedPart:
    """One part on its way into the file."""

    part: Part
    source: Source
    lowered: Lowered
    quantized: QuantizeResult | None

    @property
    def graph(self) -> Graph:
        return self.lowered.graph if self.quantized is None else self.quantized.graph


def cut_source(source: Source) -> Cut | None:
    """The cut of a source that has a captured program; None where one graph does."""
    if source.program is None:
        return None
    found = cut(source.program, host_ops())
    if found is not None and source.resized is not None:
        raise InputError("dynamic_shapes does not go with a model that is cut (NMS, a custom op): fix its sizes")
    if found is not None and source.states:
        raise InputError(
            f"buffers that change in forward ({', '.join(source.states)}) do not go with a model that is cut (NMS, a "
            "custom op): pass them in and return them"
        )
    return found


def convert_parts(source: Source, plan: Cut, calls: Iterable[Call] | None, quantizer: Quantizer) -> list[StagedPart]:
    """Lower every part, optimise it, and quantize it on what PyTorch computes at its inputs.

    ``calls`` are the calibration calls of the whole model, or None for float; they are run once more for each part
    rather than kept, since the values at a cut can be large.
    """
    example = Recorder(plan.program, [name for part in plan.parts for name in part.inputs]).values(source.example)
    lowered, problems = [], list[UnsupportedOp]()
    for part in plan.parts:
        sub = _part_source(source, part, example)
        try:
            result = make_graph("direct", sub, None)
        except UnsupportedOpsError as error:
            problems += error.ops
            continue
        _name_outputs(result, part)
        run_passes(result.graph)
        lowered.append((part, sub, result))
    if problems:
        raise UnsupportedOpsError(problems)
    kept = None if calls is None else list(calls)
    staged = []
    for part, sub, result in lowered:
        quantized = None if kept is None else quantizer(sub, result, _at_part(source, plan, part, kept))
        staged.append(StagedPart(part, sub, result, quantized))
    return staged


def _at_part(source: Source, plan: Cut, part: Part, calls: Iterable[Call]) -> Iterator[Call]:
    recorder = Recorder(plan.program, part.inputs)
    for call in calls:
        values = recorder.values(spread(source, call))
        yield tuple(values[name] for name in part.inputs)


def spread(source: Source, call: Sequence[Any]) -> list[Any]:
    """A call's tensors among the flattened arguments, the others as in the example."""
    leaves = list(source.example)
    for signature, tensor in zip(source.inputs, call, strict=True):
        leaves[signature.leaf] = tensor
    return leaves


def _part_source(source: Source, part: Part, example: dict[str, torch.Tensor]) -> Source:
    tensors = tuple(example[name] for name in part.inputs)
    inputs = tuple(
        TensorSignature(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), leaf)
        for leaf, (name, tensor) in enumerate(zip(part.inputs, tensors, strict=True))
    )

    def reference(leaves: Sequence[Any]) -> list[Any]:
        raise NotImplementedError("a part is verified with the whole")

    return Source(
        name=source.name,
        inputs=inputs,
        example=tensors,
        in_structure=pytree.tree_structure((tensors, {})),
        out_structure=pytree.tree_structure(tuple(part.outputs)),
        reference=reference,
        reference_name=source.reference_name,
        program=part.program,
    )


def _name_outputs(lowered: Lowered, part: Part) -> None:
    """Let the signature call every output by its value's name, and give each a tensor of its own."""
    for index, (name, spec) in enumerate(zip(part.outputs, lowered.outputs, strict=True)):
        lowered.outputs[index] = dataclasses.replace(spec, name=name)
    graph = lowered.graph
    named = tuple((spec.name, spec.tensor) for spec in lowered.outputs if spec.tensor is not None)
    graph.signatures = [Signature(part.name, graph.signatures[0].inputs, named)]


def merge(parts: Sequence[StagedPart]) -> Graph:
    """One graph whose subgraphs are the other parts; the only part of a file keeps the usual name of its signature."""
    main = parts[0].graph
    if len(parts) == 1:
        main.signatures = [dataclasses.replace(main.signatures[0], key="serving_default")]
        return main
    together = list(main.subgraphs)
    for staged in parts[1:]:
        own = staged.graph
        moved = [own, *own.subgraphs]
        for graph in moved:
            _shift(graph, len(together) + 1)
        own.name = staged.part.name
        together += moved
        own.subgraphs = []
    main.subgraphs = together
    return main


def _shift(graph: Graph, by: int) -> None:
    """Control flow names its graphs by position in the file."""
    for op in graph.ops:
        for key in op.options:
            if key.endswith("subgraph_index"):
                op.options[key] += by


def stages_spec(plan: Cut, parts: Sequence[StagedPart], describe: Describe) -> StagesSpec:
    """What the sidecar says; outputs of a part that no op computes (an input again, a constant) become steps."""
    by_name = {staged.part.name: staged for staged in parts}
    steps: list[Any] = []
    for step in plan.steps:
        if not isinstance(step, Part):
            steps.append(step)
            continue
        staged = by_name[step.name]
        adapter = Adapter.of(staged.source, staged.lowered, staged.graph)
        computed = [spec for spec in staged.lowered.outputs if spec.tensor is not None]
        inputs = [describe(s, stored) for s, stored in zip(adapter.inputs, adapter.stored_inputs, strict=True)]
        outputs = [describe(s, stored) for s, stored in zip(computed, adapter.stored_outputs, strict=True)]
        if computed:
            steps.append(
                PartStep(signature=staged.graph.signatures[0].key, inputs=tuple(inputs), outputs=tuple(outputs))
            )
        steps += [_passed(spec, staged) for spec in staged.lowered.outputs if spec.tensor is None]
    return StagesSpec(steps=tuple(steps), results=plan.results)


def _passed(spec: OutputSpec, staged: StagedPart) -> TensorStep:
    value = ValueSpec(name=spec.name, shape=spec.shape, dtype=spec.dtype)
    if spec.input_index is not None:
        name = staged.lowered.inputs[spec.input_index].name
        arguments: tuple[Any, ...] = ({"value": name}, list(spec.permutation or ()))
        return TensorStep(op="aten.permute.default", arguments=arguments, outputs=(value,))
    constant = {"constant": spec.constant.flatten().tolist(), "dtype": spec.dtype, "shape": list(spec.shape)}
    return TensorStep(op="aten.alias.default", arguments=(constant,), outputs=(value,))


def whole_adapter(source: Source, plan: Cut, stages: StagesSpec) -> Adapter:
    """The model's own edges: inputs checked as always, outputs put back into the model's nesting."""
    inputs = [_whole_input(signature) for signature in source.inputs]
    values = {node.name: node.meta.get("val") for node in plan.program.graph.nodes}
    names = ["output"] if len(stages.results) == 1 else [f"output_{i}" for i in range(len(stages.results))]
    outputs = [_whole_output(name, result, values) for name, result in zip(names, stages.results, strict=True)]
    stored = tuple((spec.tensor.dtype, None) for spec in inputs)
    return Adapter(tuple(inputs), tuple(outputs), source.in_structure, source.out_structure, stored, ())


def _whole_input(signature: TensorSignature) -> InputSpec:
    order = identity_order(len(signature.shape))
    stored = "float32" if signature.dtype == "bfloat16" else signature.dtype
    tensor = Tensor(signature.name, signature.shape, stored)
    return InputSpec(signature.name, order, signature.shape, signature.dtype, tensor, signature.leaf)


def _whole_output(name: str, result: Any, values: dict[str, Any]) -> OutputSpec:
    if isinstance(result, dict):
        example = values.get(result.get("value", ""))
        if isinstance(example, torch.Tensor):
            shape = tuple(size if isinstance(size, int) else -1 for size in example.shape)
            return OutputSpec(name, identity_order(len(shape)), shape, str(example.dtype).removeprefix("torch."), None)
        if "constant" in result:
            return OutputSpec(name, (), tuple(result["shape"]), result["dtype"], None)
    return OutputSpec(name, (), (), type(result).__name__, None)


def in_words(plan: Cut, parts: Sequence[StagedPart]) -> Iterator[str]:
    """For the report: what runs in the file, and what beside it."""
    counts = {staged.part.name: len(staged.graph.ops) for staged in parts}
    tensor_ops = 0
    for step in plan.steps:
        if isinstance(step, TensorStep):
            tensor_ops += 1
        elif isinstance(step, Part):
            yield f"{step.name}: {counts[step.name]} ops of the file"
        elif isinstance(step, NmsStep):
            yield f"then {step.kernel} (mobilekit.kernels.nms), IoU threshold {step.iou_threshold:g}, for {step.op}"
        elif isinstance(step, LibraryStep):
            yield f"then {step.symbol} of {step.library}, for {step.op}"
        elif isinstance(step, PythonStep):
            yield f"then the Python function {step.function}, for {step.op}: an app needs it in its own language"
    if tensor_ops:
        yield f"and {tensor_ops} tensor ops on what is left (the sidecar lists them)"
