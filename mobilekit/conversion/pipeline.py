"""``convert``: the journey of a model, one line a step."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from mobilekit import runtime
from mobilekit._version import __version__
from mobilekit.compat.check import check
from mobilekit.conversion import calibration as calibration_data
from mobilekit.conversion.adapter import Adapter
from mobilekit.conversion.converted import Converted
from mobilekit.conversion.document import make_sidecar, tensor_spec
from mobilekit.conversion.inputs import load_source, open_data
from mobilekit.conversion.remarks import beside_float, islands_with_cost, wrong_ranges
from mobilekit.conversion.rewritten import rewrite_source
from mobilekit.conversion.search import search
from mobilekit.conversion.staged import (
    StagedPart,
    convert_parts,
    cut_source,
    in_words,
    merge,
    spread,
    stages_spec,
    whole_adapter,
)
from mobilekit.conversion.stages import StageRunner
from mobilekit.conversion.verify import judge
from mobilekit.errors import (
    BackendError,
    InputError,
    MobilekitError,
    UnsupportedOpsError,
    VerificationError,
    first_line,
)
from mobilekit.files import check_writable
from mobilekit.frontends.arrays import as_arrays
from mobilekit.frontends.backends import backends, for_source, make_graph
from mobilekit.frontends.direct.cut import Cut, Recorder
from mobilekit.frontends.direct.lower import Lowered
from mobilekit.frontends.direct.rewrites import named_rewrites
from mobilekit.frontends.source import Source
from mobilekit.graph.ir import Graph
from mobilekit.graph.passes import run_passes
from mobilekit.graph.writer import write
from mobilekit.quantize import Auto, QuantizeResult, Recipe, preset
from mobilekit.quantize import quantize as quantize_graph
from mobilekit.quantize.given import has_given_scales, quantize_as_given
from mobilekit.results import (
    CompatReport,
    ConversionReport,
    IntegerLimits,
    SearchReport,
    StepTiming,
    TransposeNote,
    VerificationReport,
)
from mobilekit.sidecar import ClassificationSpec, PreprocessSpec, StagesSpec, TensorSpec
from mobilekit.warnings import SyntheticCalibrationWarning

Progress = Callable[[str, int, int | None], None]
"""Called as progress(step, done, total); total is None while it is not known."""

# Verifying on more calibration calls than this says little more about a file and costs time.
_MAX_VERIFY_CALLS = 16


def convert(
    model: torch.nn.Module | ExportedProgram | str | Path,
    example_inputs: Any = None,
    *,
    example_kwargs: Mapping[str, Any] | None = None,
    quantize: str | Recipe | Auto | None = None,
    calibration: Iterable[Any] | Callable[[], Iterable[Any]] | str | Path | None = None,
    io_dtype: str | None = None,
    backend: str = "auto",
    rewrites: Sequence[str] = (),
    targets: Sequence[str] = ("cpu",),
    dynamic_shapes: Any = None,
    verify: bool | Iterable[Any] | str | Path = True,
    output: str | Path | None = None,
    name: str | None = None,
    preprocess: PreprocessSpec | None = None,
    postprocess: ClassificationSpec | None = None,
    labels: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Converted:
    """Convert a model to a .tflite file and verify the written bytes against the model itself.

    ``model``: an ``nn.Module`` in eval mode, an ``ExportedProgram``, or a path: ``.pt2``, ``.onnx``, a float
    ``.tflite``, ``.keras``, ``.h5``, the folder of a SavedModel.
    ``example_inputs``: a tensor or a tuple of tensors; if missing, inferred where the model says it (and reported).
    ``quantize``: None (float32), a preset such as "int8", a :class:`~mobilekit.quantize.Recipe`, or an
    :class:`~mobilekit.quantize.Auto` with your own metric; "auto" is one that measures agreement with float.
    ``calibration``: any iterable of inputs (tensors, tuples, a DataLoader, a generator or the function that makes it),
    a .npy or .npz file with samples along axis 0, or a folder of pictures (read as ``preprocess`` says) or of such
    files, one call each. It streams. If missing with an integer recipe, noise is used, with a warning and
    ``report.calibration == "synthetic"``.
    ``rewrites``: names from docs/convert.md, "Rewrites": ops to be said in others, some of them approximately. The
    file is then verified against the rewritten model, and the report says how far that is from the model given.
    ``io_dtype``: "int8" or "float32" at the edges of an int8 file; None leaves it to the recipe.
    ``verify``: True compares on the calibration data (or the example), data like ``calibration`` on those,
    False not at all.
    ``output``: where to write the file and its sidecar, which ``preprocess``, ``postprocess`` and ``labels`` go into.

    Raises a :class:`~mobilekit.errors.MobilekitError` for everything a user can cause: all unsupported ops at once,
    bad calibration data, :class:`~mobilekit.errors.VerificationError` when the numbers do not agree, and
    :class:`~mobilekit.errors.BarMissedError` when no quantization keeps an Auto's metric.
    The same arguments give the same bytes. Nothing is downloaded; no global random generator is touched.
    """
    wanted = Auto() if quantize == "auto" else quantize if isinstance(quantize, Auto) else None
    recipe = _recipe(quantize, io_dtype)
    names = backends(backend)
    asked = named_rewrites(rewrites)
    if asked:
        if backend not in ("auto", "direct"):
            raise InputError(f"rewrites= is for backend 'direct', not '{backend}'")
        names = ["direct"]
    if output is not None:
        check_writable(output)
    calibration = None if calibration is None else open_data(calibration, preprocess)
    verify = verify if isinstance(verify, bool) else open_data(verify, preprocess)
    # What a generator gave is gone: no second backend can be tried on it.
    used_up = isinstance(calibration, Iterator) or isinstance(verify, Iterator)
    steps = _Steps(progress)
    with steps("capture"):
        source = load_source(model, example_inputs, example_kwargs, dynamic_shapes, name)
        rewritten = rewrite_source(source, asked) if asked else None
        source = source if rewritten is None else rewritten.source
    tried: list[tuple[str, MobilekitError]] = []
    for chosen in for_source(names, backend, source):
        try:
            result = _convert(
                source, chosen, recipe, wanted, calibration, tuple(targets), verify,
                preprocess, postprocess, labels, steps,
                tuple(f"backend {other} was tried first: {first_line(error)}" for other, error in tried),
            )  # fmt: skip
        except (UnsupportedOpsError, BackendError, VerificationError) as error:
            tried.append((chosen, error))
            if used_up and isinstance(error, VerificationError):
                break
        else:
            if rewritten is not None:
                result.report = rewritten.told(result.report)
            if output is not None:
                result.save(output)
            return result
    raise tried[0][1]


def _convert(
    source: Source,
    backend: str,
    recipe: Recipe | None,
    wanted: Auto | None,
    calibration: Iterable[Any] | None,
    targets: tuple[str, ...],
    verify: bool | Iterable[Any],
    preprocess: PreprocessSpec | None,
    postprocess: ClassificationSpec | None,
    labels: Sequence[str] | None,
    steps: _Steps,
    notes: tuple[str, ...],
) -> Converted:
    """One frontend, and everything that all of them share."""
    plan = cut_source(source) if backend == "direct" else None
    if plan is not None:
        if wanted is not None:
            raise InputError('quantize="auto" searches one graph, this model is cut (NMS, a custom op): name a recipe')
        return _convert_staged(
            source, plan, recipe, calibration, targets, verify, preprocess, postprocess, labels, steps, notes
        )
    with steps("lower"):
        lowered = make_graph(backend, source, steps.progress)
    with steps("optimise"):
        if source.resized is None:  # else done before the sizes were merged
            run_passes(lowered.graph)
    with steps("quantize"):
        samples = _samples(source, calibration, recipe)
        quantized, recipe, found = _quantize(source, lowered, samples, recipe, wanted, steps.progress)
    with steps("write"):
        graph = lowered.graph if quantized is None else quantized.graph
        graph.description = f"mobilekit {__version__}"
        data = write(graph)
    with steps("check"):
        compat = check(graph, targets=targets, name=source.name)
    with steps("verify"):
        adapter = Adapter.of(source, lowered, graph)
        verification = None
        if verify is not False:
            calls, origin = _verify_calls(verify, source, samples)
            verification = _verify(source, adapter, data, calls, origin, recipe)

    if quantized is not None and recipe is not None and verify is not False:
        with steps("compare"):
            notes = (*notes, *beside_float(lowered.graph, data, recipe.name))
    report = _report(
        source, backend, recipe, samples, lowered, quantized, data, steps, verification, compat, notes, found
    )
    if verification is not None and not verification.passed and samples.origin != "synthetic":
        text = "; ".join(verification.failures)
        raise VerificationError(f"{source.name}: the file does not compute what the model computes: {text}")
    sidecar = make_sidecar(source.name, data, adapter, report, preprocess, postprocess, labels)
    return Converted(data, sidecar, report, adapter, lowered.graph, quantized)


def _convert_staged(
    source: Source,
    plan: Cut,
    recipe: Recipe | None,
    calibration: Iterable[Any] | None,
    targets: tuple[str, ...],
    verify: bool | Iterable[Any],
    preprocess: PreprocessSpec | None,
    postprocess: ClassificationSpec | None,
    labels: Sequence[str] | None,
    steps: _Steps,
    notes: tuple[str, ...],
) -> Converted:
    """The same for a model that is cut: its parts are signatures of one file, kernels run between and after them."""

    def quantizer(part: Source, lowered: Lowered, calls: Iterable[Call]) -> QuantizeResult:
        assert recipe is not None
        made, _, _ = _quantize(part, lowered, calls, recipe, None, steps.progress)
        assert made is not None
        return made

    with steps("lower and quantize"):
        samples = _samples(source, calibration, recipe)
        parts = convert_parts(source, plan, None if recipe is None else samples, quantizer)
        if any(has_given_scales(part.lowered.graph) for part in parts):
            raise InputError(f"{source.name} holds its own scales and is cut (NMS, custom op): convert the float model")
    with steps("write"):
        graph = merge(parts)  # first: it names the signatures
        described = stages_spec(plan, parts, tensor_spec)
        graph.description = f"mobilekit {__version__}"
        data = write(graph)
    with steps("check"):
        compat = check(graph, targets=targets, name=source.name)
    with steps("verify"):
        verification = None
        if verify is not False:
            calls, origin = _verify_calls(verify, source, samples)
            verification = _verify_staged(source, plan, described, data, calls, origin, recipe)
    first = parts[0]
    told = _report(
        source,
        "direct",
        recipe,
        samples,
        first.lowered,
        first.quantized,
        data,
        steps,
        verification,
        compat,
        notes,
        None,
    )
    report = dataclasses.replace(
        told,
        **_sums(parts),
        warnings=(*told.warnings, *(text for part in parts[1:] for text in part.lowered.assumed)),
        stages=tuple(in_words(plan, parts)),
    )
    if verification is not None and not verification.passed and samples.origin != "synthetic":
        text = "; ".join(verification.failures)
        raise VerificationError(f"{source.name}: the file does not compute what the model computes: {text}")
    adapter = whole_adapter(source, plan, described)
    sidecar = make_sidecar(source.name, data, adapter, report, preprocess, postprocess, labels)
    outputs = tuple(
        TensorSpec(
            name=o.name, shape=o.shape, dtype=o.dtype, model_shape=o.shape, model_dtype=o.dtype, order=o.order
        )
        for o in adapter.outputs
    )  # fmt: skip
    sidecar = sidecar.model_copy(update={"outputs": outputs, "stages": described})
    return Converted(data, sidecar, report, adapter, parts[0].lowered.graph, parts[0].quantized)


def _sums(parts: Sequence[StagedPart]) -> dict[str, Any]:
    """What the report counts over the whole file."""
    counts: dict[str, int] = {}
    for part in parts:
        for kind, number in part.graph.op_counts().items():
            counts[kind] = counts.get(kind, 0) + number
    quantized = [part.quantized for part in parts]
    constants = [tensor for part in parts for tensor in part.lowered.graph.constants()]
    return {
        "op_counts": dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        "transposes": tuple(note for part in parts for note in _transposes(part.graph)),
        "float_islands": tuple(island for q in quantized if q is not None for island in q.float_islands),
        "full_integer": all(q is not None and q.full_integer for q in quantized),
        "float_weight_bytes": sum(t.data.nbytes for t in constants if t.data is not None),
        "narrowed_int64": tuple(dict.fromkeys(name for part in parts for name in part.lowered.narrowed)),
        "integer_limits": tuple(dict.fromkeys(limit for part in parts for limit in _limits(part.lowered))),
    }


def _verify_staged(
    source: Source,
    plan: Cut,
    stages: StagesSpec,
    data: bytes,
    calls: Iterable[Call],
    origin: str,
    recipe: Recipe | None,
) -> VerificationReport:
    """End to end; where a size depends on the data, what the file gives before that, and the steps after it alone.

    One score that rounding moves over a threshold changes how many boxes there are, and no element is comparable any
    more: so every value that the file hands to such steps is judged, and the steps on PyTorch's own values.
    """
    runner = StageRunner(data, stages)
    crossing = [name for part in plan.parts for name in part.outputs] if plan.open_values else []
    recorder = Recorder(plan.program, crossing)

    def pairs() -> Iterator[tuple[list[Any], list[Any]]]:
        for call in calls:
            leaves = spread(source, call)
            inputs = {signature.name: leaves[signature.leaf] for signature in source.inputs}
            expected = source.reference(leaves)
            got = runner.values(inputs)
            if not crossing:
                yield expected, runner.results(got)
                continue
            exact = recorder.values(leaves)
            names = as_arrays(exact[name] for name in crossing), as_arrays(got[name] for name in crossing)
            yield [*names[0], *expected], [*names[1], *runner.results(runner.values(inputs, given=exact))]

    count = len(stages.results)
    outputs = ["output"] if count == 1 else [f"output_{index}" for index in range(count)]
    return judge(
        pairs(),
        [*(f"{name} (end of the file)" for name in crossing), *outputs],
        quantized=recipe is not None,
        data=origin,
        reference=source.reference_name,
        runtime=f"{runtime.describe()}, xnnpack",
    )


class _Steps:
    """Times the steps and tells the caller which one runs."""

    def __init__(self, progress: Progress | None) -> None:
        self.timings: list[StepTiming] = []
        self.progress = progress

    @contextlib.contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        if self.progress is not None:
            self.progress(step, 0, None)
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.timings.append(StepTiming(step, time.perf_counter() - wall, time.process_time() - cpu))


# -- arguments -----------------------------------------------------------------------------------------------------


def _recipe(quantize: str | Recipe | Auto | None, io_dtype: str | None) -> Recipe | None:
    """The recipe asked for; that of int8, from which a search starts, for an Auto."""
    if quantize is None:
        if io_dtype not in (None, "float32"):
            raise InputError(f"io_dtype='{io_dtype}' needs quantize=, a float file has float inputs and outputs")
        return None
    if quantize == "auto" or isinstance(quantize, Auto):
        quantize = "int8"
    recipe = preset(quantize) if isinstance(quantize, str) else quantize
    return recipe if io_dtype is None else recipe.with_changes(io_dtype=io_dtype)


# -- steps ---------------------------------------------------------------------------------------------------------

Call = tuple[torch.Tensor, ...]


class _Samples:
    """Calibration calls as they stream past, with the first few kept to verify on."""

    def __init__(self, calls: Iterable[Call], origin: str | None) -> None:
        self._calls = calls
        self.origin = origin
        """None (nothing to calibrate), "given" or "synthetic"."""
        self.kept: list[Call] = []

    def __iter__(self) -> Iterator[Call]:
        for call in self._calls:
            if len(self.kept) < _MAX_VERIFY_CALLS:
                self.kept.append(call)
            yield call


def _samples(source: Source, calibration: Iterable[Any] | None, recipe: Recipe | None) -> _Samples:
    if recipe is None or not recipe.needs_calibration:
        return _Samples((), None)
    if calibration is not None:
        return _Samples(calibration_data.calls(calibration, source.inputs), "given")
    warnings.warn(
        f"no calibration data: the {recipe.name} ranges are chosen on synthetic noise, and the accuracy on real "
        "inputs is unknown. Give calibration= some 16 to 128 real inputs",
        SyntheticCalibrationWarning,
        stacklevel=4,
    )
    return _Samples(calibration_data.synthetic(source.example_call()), "synthetic")


def _quantize(
    source: Source,
    lowered: Lowered,
    samples: Iterable[Call],
    recipe: Recipe | None,
    wanted: Auto | None,
    progress: Progress | None,
) -> tuple[QuantizeResult | None, Recipe | None, SearchReport | None]:
    """What was made, by which recipe (both None for a float file), and how it was searched for."""
    if has_given_scales(lowered.graph):
        if recipe is not None:
            raise InputError(
                f"{source.name} is quantized already and holds its own scales: leave quantize= out to keep them"
            )
        given = quantize_as_given(lowered.graph, lowered.given_scales)
        return given, given.recipe, None
    if recipe is None:
        return None, None, None
    adapter = Adapter.of(source, lowered, lowered.graph)
    arrays = _in_sequence(adapter, lowered, samples)
    if wanted is None:
        return quantize_graph(lowered.graph, arrays, recipe, progress=progress), recipe, None
    found, report = search(lowered.graph, adapter, arrays, wanted, recipe, progress)
    return found.result, found.recipe, report


def _in_sequence(adapter: Adapter, lowered: Lowered, samples: Iterable[Call]) -> Iterator[list[Any]]:
    """Calls as the float file takes them; buffers that change in forward hold what the calls before left in them."""
    runner = runtime.Interpreter(write(lowered.graph), delegate="reference") if adapter.states else None
    state = None
    for call in samples:
        arrays = adapter.real(adapter.spread(call), state)
        yield arrays
        if runner is not None:
            state = adapter.next_state(runner.run(arrays))


def _verify_calls(verify: bool | Iterable[Any], source: Source, samples: _Samples) -> tuple[Iterable[Call], str]:
    """The calls to verify on, and what they are: held-out data if given, else calibration data, else the example."""
    if not isinstance(verify, bool):
        return calibration_data.calls(verify, source.inputs), "held-out"
    if samples.kept:
        return samples.kept, "calibration" if samples.origin == "given" else "synthetic"
    # The example may be all zeros, which hides most mistakes: noise like it goes along, and other sizes if open.
    other_sizes = [tuple(leaves[s.leaf] for s in source.inputs) for leaves in source.further_sizes]
    return [*calibration_data.synthetic(source.example_call())[:3], *other_sizes], "example"


def _verify(
    source: Source, adapter: Adapter, data: bytes, calls: Iterable[Call], origin: str, recipe: Recipe | None
) -> VerificationReport:
    """Run the bytes as a phone would (XNNPACK) and the model itself, call by call."""
    interpreter = runtime.Interpreter(data)
    source.reset()

    def pairs() -> Iterator[tuple[list[Any], list[Any]]]:
        state = None
        for leaves, expected in source.compared(adapter.spread(call, source.example) for call in calls):
            stored = interpreter.run(adapter.stored(adapter.real(leaves, state)))
            state = adapter.next_state(stored)  # the calls follow each other: errors add up as they do on the phone
            yield expected, adapter.flat_outputs(stored, leaves)

    return judge(
        pairs(),
        [spec.name for spec in adapter.outputs],
        quantized=recipe is not None,
        data=origin,
        reference=source.reference_name,
        runtime=f"{runtime.describe()}, xnnpack",
    )


# -- what is told --------------------------------------------------------------------------------------------------


def _report(
    source: Source,
    backend: str,
    recipe: Recipe | None,
    samples: _Samples,
    lowered: Lowered,
    quantized: QuantizeResult | None,
    data: bytes,
    steps: _Steps,
    verification: VerificationReport | None,
    compat: CompatReport,
    notes: tuple[str, ...],
    search: SearchReport | None,
) -> ConversionReport:
    graph = lowered.graph if quantized is None else quantized.graph
    told = list(lowered.assumed)
    if quantized is not None:
        told += [*wrong_ranges(source, lowered, quantized), *_doubts(quantized)]
    if samples.origin == "synthetic":
        told.append("calibrated on synthetic noise: the accuracy on real inputs is unknown")
        if verification is not None:
            told += verification.failures
    return ConversionReport(
        model=source.name,
        backend=backend,
        quantize="none" if recipe is None else recipe.name,
        calibration=samples.origin,
        calibration_samples=0 if quantized is None else quantized.samples,
        op_counts=graph.op_counts(),
        transposes=tuple(_transposes(graph)),
        float_islands=() if quantized is None else islands_with_cost(quantized),
        full_integer=quantized is not None and quantized.full_integer,
        size_bytes=len(data),
        float_weight_bytes=sum(t.data.nbytes for t in lowered.graph.constants() if t.data is not None),
        min_runtime_version=compat.min_runtime_version,
        timings=tuple(steps.timings),
        verification=verification,
        compat=compat,
        inferred_inputs=source.origins,
        narrowed_int64=tuple(lowered.narrowed),
        integer_limits=tuple(_limits(lowered)),
        warnings=tuple(told),
        notes=(
            *notes,
            *source.notes,
            *_state_notes(lowered),
            *([] if quantized is None else [n for n in quantized.notes if n not in told]),
        ),
        search=search,
    )


def _doubts(quantized: QuantizeResult) -> list[str]:
    return [] if quantized.calibration is None else quantized.calibration.doubts


def _limits(lowered: Lowered) -> Iterator[IntegerLimits]:
    for spec in [*lowered.inputs, *(state.input for state in lowered.states)]:
        if spec.limits is not None:
            yield IntegerLimits(spec.name, *spec.limits)


def _state_notes(lowered: Lowered) -> Iterator[str]:
    for state in lowered.states:
        yield (
            f"buffer '{state.buffer}' changes in forward: output '{state.output.name}' of one call is input "
            f"'{state.input.name}' of the next"
        )


def _transposes(graph: Graph) -> Iterator[TransposeNote]:
    """Every TRANSPOSE that stayed. Weights never need one, so each moves an activation at run time."""
    readers = graph.consumers()
    for op in graph.ops:
        if op.kind == "TRANSPOSE":
            users = ", ".join(sorted({reader.kind for reader in readers.get(op.output, [])})) or "the output"
            yield TransposeNote(
                op.name, op.output.shape, f"{users} needs another axis order than its input has", op.source
            )
