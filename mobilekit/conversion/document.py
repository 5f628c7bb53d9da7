"""What a conversion knows of a file, as the document beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from torch.utils import _pytree as pytree

from mobilekit._version import __version__
from mobilekit.conversion.adapter import Adapter
from mobilekit.frontends.direct.lower import InputSpec, OutputSpec, StateSpec
from mobilekit.graph.ir import Quantization
from mobilekit.results import ConversionReport
from mobilekit.sidecar import AffineSpec, ClassificationSpec, PreprocessSpec, Sidecar, TensorSpec
from mobilekit.sidecar import StateSpec as SidecarState


def make_sidecar(
    label: str,
    data: bytes,
    adapter: Adapter,
    report: ConversionReport,
    preprocess: PreprocessSpec | None,
    postprocess: ClassificationSpec | None,
    labels: Sequence[str] | None,
) -> Sidecar:
    """The sidecar of the file ``data``, whose inputs and outputs ``adapter`` knows."""
    stored_outputs = iter(adapter.stored_outputs)
    given = [*adapter.inputs, *(state.input for state in adapter.states)]
    inputs = [tensor_spec(spec, stored) for spec, stored in zip(given, adapter.stored_inputs, strict=True)]
    made = [*adapter.outputs, *(state.output for state in adapter.states)]
    outputs = [tensor_spec(spec, next(stored_outputs)) for spec in made if spec.tensor is not None]
    return Sidecar(
        model=label,
        mobilekit_version=__version__,
        sha256=hashlib.sha256(data).hexdigest(),
        min_runtime_version=report.min_runtime_version,
        quantize=report.quantize,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        output_structure=_structure(adapter.out_structure),
        states=tuple(_state_spec(state) for state in adapter.states),
        preprocess=preprocess,
        postprocess=postprocess,
        labels=None if labels is None else tuple(labels),
    )


def _state_spec(state: StateSpec) -> SidecarState:
    values = state.initial.reshape(-1).tolist()
    uniform = len(set(values)) <= 1
    return SidecarState(
        buffer=state.buffer,
        input=state.input.name,
        output=state.output.name,
        initial=tuple(float(value) for value in (values[:1] if uniform else values)),
    )


def tensor_spec(spec: InputSpec | OutputSpec, stored: tuple[str, Quantization | None]) -> TensorSpec:
    assert spec.tensor is not None
    shape = spec.tensor.shape_signature or spec.tensor.shape
    return TensorSpec(
        name=spec.name,
        shape=shape,
        dtype=stored[0],
        quantization=_affine(stored[1]),
        model_shape=tuple(shape[spec.order.index(axis)] for axis in range(len(shape))),
        model_dtype=spec.dtype,
        order=spec.order,
        limits=spec.limits if isinstance(spec, InputSpec) else None,
    )


def _affine(quantization: Quantization | None) -> AffineSpec | None:
    if quantization is None:
        return None
    return AffineSpec(scale=float(quantization.scale[0]), zero_point=int(quantization.zero_point[0]))


def _structure(structure: pytree.TreeSpec) -> str | None:
    """None for one tensor, and for nestings of the user's own classes, which PyTorch cannot write as JSON."""
    if structure.is_leaf():
        return None
    try:
        return pytree.treespec_dumps(structure)
    except NotImplementedError:
        return None
