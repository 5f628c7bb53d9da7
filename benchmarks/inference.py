"""Our MobileNetV2 files beside the peers': inference time, interleaved, and fidelity on 20 labelled photos.

Every file runs in the same LiteRT, one thread, in one process, in turns, so that a slow moment of the machine hits
all of them. Fidelity: SQNR at the logits against PyTorch, top-1 agreement with PyTorch, labels right; none of the
photos was used for calibration.

    python benchmarks/inference.py [--rounds 60] [--classic .venv-classic/bin/python] [--litert PYTHON]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import support
from benchmarks.convert import LITERT, ONNX2TF, QUIET
from benchmarks.interleaved import pairwise_ratio, time_interleaved
from mobilekit.conversion.verify import sqnr_db
from mobilekit.runtime import Interpreter


def our_files(photos: Path) -> dict[str, bytes]:
    import torch

    import mobilekit

    model, example = support.mobilenet_v2(), torch.zeros(1, 3, 224, 224)
    batches = torch.from_numpy(np.load(photos)).split(1)
    return {
        "mobilekit float": mobilekit.convert(model, example).bytes,
        "mobilekit int8": mobilekit.convert(model, example, quantize="int8", calibration=batches).bytes,
    }


def peer_files(photos: Path, classic: Path, litert: Path | None) -> dict[str, bytes]:
    """The files of each peer whose environment is there."""
    found: dict[str, bytes] = {}
    peers = (
        ("onnx2tf", classic, ONNX2TF, {"float": "out/m_float32.tflite", "int8": "out/m_full_integer_quant.tflite"}),
        ("litert-torch", litert, LITERT, {"float": "float.tflite", "int8": "m_int8.tflite"}),
    )
    for name, python, program, files in peers:
        if python is None or not python.exists():
            print(f"{name} left out: no environment for it was given")
            continue
        with tempfile.TemporaryDirectory() as folder:
            support.run_process([str(python), "-c", program, str(support.ROOT), str(photos), folder], environment=QUIET)
            for kind, file in files.items():
                found[f"{name} {kind}"] = (Path(folder) / file).read_bytes()
    return found


def noise_for(data: bytes) -> list[np.ndarray]:
    """One seeded input as the file takes it."""
    info = Interpreter(data).inputs[0]
    noise = np.random.default_rng(0).uniform(-1, 1, info.shape) * (100 if info.dtype == "int8" else 1)
    return [noise.astype(info.dtype)]


def fidelity(files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    import torch

    model, photos = support.mobilenet_v2(), support.labelled_photos()
    with torch.no_grad():
        expected = [model(torch.from_numpy(image)).numpy() for image, _ in photos]
    rows = {}
    for name, data in files.items():
        interpreter = Interpreter(data)
        got = [_logits(interpreter, image) for image, _ in photos]
        rows[name] = {
            "sqnr_db": [sqnr_db(e.astype(np.float64), g) for e, g in zip(expected, got, strict=True)],
            "agreement": sum(int(e.argmax() == g.argmax()) for e, g in zip(expected, got, strict=True)),
            "right": sum(int(g.argmax() == label) for g, (_, label) in zip(got, photos, strict=True)),
            "max_abs_error": max(float(np.abs(e - g).max()) for e, g in zip(expected, got, strict=True)),
        }
    return rows


def _logits(interpreter: Interpreter, image: np.ndarray) -> np.ndarray:
    info, out = interpreter.inputs[0], interpreter.outputs[0]
    nhwc = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
    if info.scale:
        nhwc = np.clip(np.rint(nhwc / info.scale) + info.zero_point, -128, 127).astype(np.int8)
    raw = interpreter.run([nhwc])[0].astype(np.float64)
    return (raw - out.zero_point) * out.scale if out.scale else raw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--classic", type=Path, default=support.ROOT / ".venv-classic" / "bin" / "python")
    parser.add_argument("--litert", type=Path, default=None)
    options = parser.parse_args()

    support.print_machine()
    with support.photo_file() as photos:
        files = {**our_files(photos), **peer_files(photos, options.classic, options.litert)}
    quality = fidelity(files)
    inputs = {name: noise_for(data) for name, data in files.items()}
    times = time_interleaved(files, inputs, lives=6, rounds=options.rounds, turn_ms=25.0, budget_s=600.0)

    print(f"\n{'':22}{'ms a run (thread CPU)':>28}{'MB':>8}{'SQNR dB':>9}{'agree':>7}{'right':>7}{'max |d|':>11}")
    for name, data in files.items():
        row = quality[name]
        print(
            f"{name:22}{support.summary(times[name]):>28}{len(data) / 1e6:8.2f}{statistics.median(row['sqnr_db']):9.1f}"
            f"{row['agreement']:7}{row['right']:7}{row['max_abs_error']:11.2g}"
        )
    ratios = {}
    print()
    for kind in ("float", "int8"):
        ours = times[f"mobilekit {kind}"]
        for name in files:
            if name.endswith(kind) and not name.startswith("mobilekit"):
                ratio = pairwise_ratio(ours, times[name])
                ratios[f"mobilekit / {name}"] = ratio
                print(f"mobilekit / {name:22} {ratio:6.3f}   (bar 1.02)")
    path = support.write_results("inference", {"ratios": ratios, "fidelity": quality, "ms_a_run": times})
    print(f"\nraw values: {path.relative_to(support.ROOT)}")


if __name__ == "__main__":
    main()
