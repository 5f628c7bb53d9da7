"""Convert, verify and time the models of a project's configuration, for ``mobilekit ci``.

Both functions run in processes of their own (:mod:`mobilekit.compat.pool`) and hand over by a file in a folder: a
process that timed a model with torch in its memory would not have measured what a phone does.
"""

from __future__ import annotations

from pathlib import Path

import mobilekit
from mobilekit.bench.api import bench
from mobilekit.compat.ci import located
from mobilekit.compat.config import ModelEntry
from mobilekit.files import write_file
from mobilekit.graph import reader
from mobilekit.loading import zeros_of
from mobilekit.results.compat import ConversionFigures, LatencyFigures


def file_of(entry: ModelEntry, folder: Path) -> Path:
    """Where the converted file of a model is kept in a run; labels are unique, file names once written so."""
    return folder / f"{entry.label.replace('/', '_')}.tflite"


def convert_entry(entry: ModelEntry, *, root: Path, folder: Path) -> ConversionFigures:
    """Convert one model and verify it against PyTorch; the file lies in ``folder`` afterwards.

    A .tflite file without a recipe is taken as it is: there is nothing to convert, and nothing to hold it against.
    Raises what :func:`mobilekit.convert` raises.
    """
    source = located(entry.model, root)
    path = file_of(entry, folder)
    if source.lower().endswith(".tflite") and entry.quantize is None:
        graph = reader.read_file(source)
        write_file(path, Path(source).read_bytes())
        sidecar = Path(source).with_suffix(".json")
        if sidecar.is_file():
            write_file(path.with_suffix(".json"), sidecar.read_bytes())
        quantized = any(tensor.quantization is not None for tensor in graph.tensors())
        return ConversionFigures(
            "as given", "as given" if quantized else "none", path.stat().st_size, None, False, 0, None, 0.0
        )
    result = mobilekit.convert(
        source,
        zeros_of(entry.input_shapes) if entry.input_shapes else None,
        quantize=entry.quantize,
        calibration=None if entry.calibration is None else root / entry.calibration,
        name=entry.label,
    )
    result.save(path)
    report = result.report
    outputs = () if report.verification is None else report.verification.outputs
    return ConversionFigures(
        backend=report.backend,
        quantize=report.quantize,
        size_bytes=report.size_bytes,
        sqnr_db=min((output.sqnr_db for output in outputs if output.real_valued), default=None),
        full_integer=report.full_integer,
        float_islands=len(report.float_islands),
        calibration=report.calibration,
        seconds=sum(step.wall_s for step in report.timings),
        warnings=report.warnings,
    )


def time_entry(entry: ModelEntry, *, folder: Path, seconds: float) -> LatencyFigures:
    """Time the file that :func:`convert_entry` left, from camera to screen, on this machine.

    Raises :class:`~mobilekit.errors.InputError` for a model whose input is no picture.
    """
    report = bench(file_of(entry, folder), seconds=seconds)
    inference = next(stage.summary for stage in report.stages if stage.name == "inference")
    return LatencyFigures(
        processing_ms=report.processing.p50_ms,
        inference_ms=inference.p50_ms,
        camera_to_screen_p90_ms=report.delivered.p90_ms,
        doubts=report.doubts,
    )
