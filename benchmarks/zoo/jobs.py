"""What a worker's child does, one function a task: convert with ours or a peer, quantize, compare, time, run on 2.14.

A task takes the network's name and its folder, leaves its file there as ``<task>.tflite``, and returns what goes into
``<task>.json``. Imports stand inside the tasks: each environment has only its own.

``samples.npz`` is written by the task ``mobilekit``: ``torch_i`` the model's flattened inputs, ``reference_i`` what
PyTorch returns for them, ``stored_i`` the same inputs as our file takes them, ``file_i`` what our file returns.
"""

from __future__ import annotations

import json
import os
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Found = dict[str, Any]
_SAMPLES = "samples.npz"
# onnx2tf would download this array in the middle of a conversion.
_ONNX2TF_SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"


def run(job: dict[str, Any]) -> None:
    """Do one job and write what it found; a tool's error is a finding, not a failure of the job."""
    warnings.simplefilter("ignore")
    folder = Path(job["folder"]).resolve()
    try:
        found = TASKS[job["task"]](job["network"], folder)
    except Exception as error:  # whatever a tool throws is its outcome
        found = {"outcome": type(error).__name__, "error": _short(error)}
    path = folder / f"{job['task']}.json"
    path.write_text(json.dumps({"outcome": "ok", **found}), encoding="utf-8")


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."


class _Clock:
    """Wall and CPU seconds, the CPU of finished child processes included."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), sum(os.times()[:4])

    def read(self, name: str) -> dict[str, float]:
        return {f"{name}_s": time.perf_counter() - self._wall, f"{name}_cpu_s": sum(os.times()[:4]) - self._cpu}


def _network(name: str) -> tuple[Any, tuple[Any, ...]]:
    """The network, after one tiny export: what torch loads on its first export is nobody's to pay."""
    import torch

    from benchmarks.zoo.networks import build

    torch.export.export(torch.nn.Linear(2, 2).eval(), (torch.ones(1, 2),))
    return build(name)


# -- ours ----------------------------------------------------------------------------------------------------------


def convert_mobilekit(name: str, folder: Path) -> Found:
    """The floor (one export), then convert with verification."""
    import torch

    import mobilekit
    from mobilekit.errors import UnsupportedOpsError

    model, inputs = _network(name)
    clock = _Clock()
    with torch.no_grad():
        torch.export.export(model, inputs)
    found: Found = clock.read("floor")
    clock = _Clock()
    try:
        result = mobilekit.convert(model, inputs, name=name)
    except UnsupportedOpsError as error:
        missing = sorted({f"{op.op} ({op.reason})" for op in error.ops})
        return {**found, "outcome": "unsupported", "error": ", ".join(missing)}
    found |= clock.read("total")
    (folder / "mobilekit.tflite").write_bytes(result.bytes)
    _write_samples(result, model, inputs, folder / _SAMPLES)
    report = result.report
    assert report.verification is not None
    worst = max(report.verification.outputs, key=lambda o: o.max_abs_error / max(1.0, o.max_abs_reference))
    return found | {
        "steps_s": {step.step: step.wall_s for step in report.timings},
        "max_abs_error": worst.max_abs_error,
        "max_abs_reference": worst.max_abs_reference,
        "sqnr_db": min(output.sqnr_db for output in report.verification.outputs),
        "backend": report.backend,
        "ops": report.op_counts,
        "transposes": [
            {"name": note.name, "shape": list(note.shape), "reason": note.reason, "source": str(note.source or "")}
            for note in report.transposes
        ],
        "size_mb": report.size_bytes / 1e6,
        "weights_mb": report.float_weight_bytes / 1e6,
        "min_runtime_version": report.min_runtime_version,
    }


def _write_samples(result: Any, model: Any, inputs: tuple[Any, ...], path: Path) -> None:
    import torch

    from mobilekit.runtime import Interpreter

    adapter = result._adapter
    stored = adapter.stored(adapter.real(adapter.leaves(inputs)))
    arrays = {f"torch_{i}": tensor.numpy() for i, tensor in enumerate(inputs)}
    with torch.no_grad():
        arrays |= {f"reference_{i}": out.numpy() for i, out in enumerate(_leaves(model(*inputs)))}
    arrays |= {f"stored_{i}": array for i, array in enumerate(stored)}
    arrays |= {f"file_{i}": array for i, array in enumerate(Interpreter(result.bytes).run(stored))}
    np.savez(path, **arrays)


def _leaves(output: Any) -> list[Any]:
    from torch.utils import _pytree as pytree

    return list(pytree.tree_leaves(output))


def quantize_int8(name: str, folder: Path) -> Found:
    """Convert in int8 on synthetic calibration data, run it, and run the fake-quantized float graph beside it."""
    import mobilekit
    from benchmarks.zoo.fake_quantized import median_sqnr_db

    model, inputs = _network(name)
    clock = _Clock()
    result = mobilekit.convert(model, inputs, quantize="int8", name=name)
    report = result.report
    found = clock.read("total") | {
        "full_integer": report.full_integer,
        "float_islands": sorted({f"{island.kind}: {island.reason}" for island in report.float_islands}),
        "float_ops": len(report.float_islands),
        "ops": sum(report.op_counts.values()),
        "size_mb": report.size_bytes / 1e6,
        "float_weights_mb": report.float_weight_bytes / 1e6,
        "min_runtime_version": report.min_runtime_version,
    }
    return found | median_sqnr_db(result, model, inputs)


# -- peers ---------------------------------------------------------------------------------------------------------


def convert_litert(name: str, folder: Path) -> Found:
    """litert-torch, told that 4-d inputs and outputs are channels last, which saves its file their transposes."""
    import litert_torch
    import torch

    model, inputs = _network(name)
    with torch.no_grad():
        output = model(*inputs)
    images = [i for i, tensor in enumerate(inputs) if tensor.ndim == 4]
    flat = output if isinstance(output, tuple) else (output,)
    maps = [i for i, tensor in enumerate(flat) if isinstance(tensor, torch.Tensor) and tensor.ndim == 4]
    args = tuple(t.permute(0, 2, 3, 1).contiguous() if i in images else t for i, t in enumerate(inputs))
    clock = _Clock()
    wrapped = litert_torch.to_channel_last_io(model, args=images, outputs=maps) if images or maps else model
    litert_torch.convert(wrapped.eval(), args).export(str(folder / "litert.tflite"))
    return clock.read("total")


def convert_onnx2tf(name: str, folder: Path) -> Found:
    """torch.onnx.export and onnx2tf."""
    import onnx2tf
    import torch

    model, inputs = _network(name)
    os.chdir(folder)
    np.save(_ONNX2TF_SAMPLE, np.zeros((20, 128, 128, 3), np.float32))
    clock = _Clock()
    names = [f"in{i}" for i in range(len(inputs))]
    torch.onnx.export(model, inputs, "model.onnx", input_names=names, dynamo=False)
    onnx2tf.convert(
        input_onnx_file_path="model.onnx",
        output_folder_path="onnx2tf",
        copy_onnx_input_output_names_to_tflite=True,
        non_verbose=True,
    )
    found: Found = clock.read("total")
    Path("onnx2tf/model_float32.tflite").replace("onnx2tf.tflite")
    return found


# -- files side by side --------------------------------------------------------------------------------------------


def compare_files(name: str, folder: Path) -> Found:
    """Each peer's file: its error against PyTorch, transposes and ops; then all that are right, timed in turns."""
    from benchmarks.interleaved import pairwise_ratio, time_interleaved
    from mobilekit.graph.reader import read

    with np.load(folder / _SAMPLES) as samples:
        arrays = dict(samples)
    files = {"mobilekit": (folder / "mobilekit.tflite").read_bytes()}
    inputs = {"mobilekit": _numbered(arrays, "stored")}
    found: Found = {"peers": {}}
    for tool in ("litert", "onnx2tf"):
        path = folder / f"{tool}.tflite"
        if not path.exists():
            continue
        data = path.read_bytes()
        peer: Found = {"size_mb": len(data) / 1e6}
        found["peers"][tool] = peer
        try:
            counts = read(data).op_counts()
            peer |= {"ops": counts, "transposes": counts.get("TRANSPOSE", 0)}
            given, peer["max_abs_error"], limit = _judge_peer(data, arrays)
        except Exception as error:  # the peer's file cannot be read, fed or run: its outcome
            peer |= {"outcome": type(error).__name__, "error": _short(error)}
            continue
        peer["outcome"] = "ok" if peer["max_abs_error"] <= limit else "mismatch"
        if peer["outcome"] == "ok":
            files[tool], inputs[tool] = data, given
    if len(files) > 1:
        times = time_interleaved(files, inputs)
        found["ms_a_run"] = times
        found["ratios"] = {
            tool: pairwise_ratio(times["mobilekit"], times[tool]) for tool in times if tool != "mobilekit"
        }
    return found


def _numbered(arrays: dict[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    count = sum(key.startswith(prefix + "_") for key in arrays)
    return [arrays[f"{prefix}_{i}"] for i in range(count)]


def _judge_peer(data: bytes, arrays: dict[str, np.ndarray]) -> tuple[list[np.ndarray], float, float]:
    """The inputs as the peer's file takes them, its largest error against PyTorch, and what is allowed.

    A peer's file says nothing about layout: an input of another shape than PyTorch's is taken as channels last, and so
    is an output, each PyTorch output with that output of the file that comes closest: to the peer's advantage.
    """
    from mobilekit.conversion.verify import FLOAT_TOLERANCE
    from mobilekit.runtime import Interpreter

    interpreter = Interpreter(data)
    # serving_default_args_1:0, in1: by the numbers in the names, which are the positions.
    order = sorted(
        range(len(interpreter.inputs)), key=lambda i: [int(n) for n in re.findall(r"\d+", interpreter.inputs[i].name)]
    )
    given: list[Any] = [None] * len(order)
    for position, array in zip(order, _numbered(arrays, "torch"), strict=True):
        info = interpreter.inputs[position]
        shaped = array if tuple(array.shape) == tuple(info.shape) else _channels_last(array)
        given[position] = np.ascontiguousarray(shaped.astype(info.dtype))
    outputs = interpreter.run(given)
    worst, limit = 0.0, 0.0
    for reference in _numbered(arrays, "reference"):
        ref = reference.astype(np.float64)
        found = [float(np.abs(form - ref).max(initial=0)) for out in outputs for form in _forms(out, ref.shape)]
        if not found:
            raise ValueError(f"no output of the file has the shape {list(ref.shape)} or that shape, channels last")
        allowed = FLOAT_TOLERANCE * max(1.0, float(np.abs(ref).max(initial=0)))
        if min(found) / allowed >= (worst / limit if limit else 0.0):
            worst, limit = min(found), allowed
    return given, worst, limit


def _channels_last(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(array, 1, -1)


def _forms(out: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """``out`` as it is and channels first, where that gives ``shape``; NaN counts as infinitely wrong."""
    out = np.nan_to_num(out.astype(np.float64), nan=np.inf)
    forms = [out] + ([np.moveaxis(out, -1, 1)] if out.ndim > 2 else [])
    return [form for form in forms if form.shape == shape]


def run_on_2_14(name: str, folder: Path) -> Found:
    """Our float file on tflite-runtime 2.14, the same inputs; compared with what LiteRT returned for them."""
    from tflite_runtime.interpreter import Interpreter

    with np.load(folder / _SAMPLES) as samples:
        arrays = dict(samples)
    interpreter = Interpreter(str(folder / "mobilekit.tflite"), num_threads=1)
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), _numbered(arrays, "stored"), strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    error = share = 0.0
    for detail, expected in zip(interpreter.get_output_details(), _numbered(arrays, "file"), strict=True):
        got, want = interpreter.get_tensor(detail["index"]).astype(np.float64), expected.astype(np.float64)
        worst = float(np.abs(got - want).max(initial=0)) if np.isfinite(got).all() else float("inf")
        error, share = max(error, worst), max(share, worst / max(1.0, float(np.abs(want).max(initial=0))))
    return {"max_abs_error": error, "error_share": share}


TASKS: dict[str, Callable[[str, Path], Found]] = {
    "mobilekit": convert_mobilekit,
    "int8": quantize_int8,
    "litert": convert_litert,
    "onnx2tf": convert_onnx2tf,
    "compare": compare_files,
    "runtime_2_14": run_on_2_14,
}
