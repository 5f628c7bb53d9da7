"""How long a whole cold conversion takes, against its floor and against the classic route.

MobileNetV2 with its ImageNet weights to verified int8, 16 calibration photos, every command a process of its own:

    floor      import torch and torchvision, build the model, torch.export; nothing else
    mobilekit  the same, then convert(quantize="int8", calibration=16 photos), verified, written
    onnx2tf    the same model through torch.onnx.export and onnx2tf to int8, in the classic environment
    litert     the same model through litert-torch and ai-edge-quantizer, in an environment with them

    python benchmarks/convert.py [--runs 5] [--classic .venv-classic/bin/python] [--litert PYTHON]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import support

FLOOR = """
import sys; sys.path.insert(0, sys.argv[1])
import torch
from benchmarks.support import mobilenet_v2
model = mobilenet_v2()
torch.export.export(model, (torch.zeros(1, 3, 224, 224),))
"""

MOBILEKIT = """
import sys; sys.path.insert(0, sys.argv[1])
import numpy as np
import mobilekit, torch
from benchmarks.support import mobilenet_v2
photos = torch.from_numpy(np.load(sys.argv[2]))
result = mobilekit.convert(
    mobilenet_v2(), torch.zeros(1, 3, 224, 224), quantize="int8", calibration=photos.split(1),
    output=sys.argv[3] + "/m.tflite",
)
assert result.report.verification.passed and result.report.full_integer
"""

ONNX2TF = """
import os, sys; sys.path.insert(0, sys.argv[1])
import numpy as np
import torch
from benchmarks.support import mobilenet_v2
photos = np.load(sys.argv[2])
os.chdir(sys.argv[3])
# onnx2tf would download this array in the middle of a conversion.
np.save("calibration_image_sample_data_20x128x128x3_float32.npy", np.zeros((20, 128, 128, 3), np.float32))
np.save("calibration.npy", photos.transpose(0, 2, 3, 1))
torch.onnx.export(
    mobilenet_v2(), (torch.zeros(1, 3, 224, 224),), "m.onnx",
    input_names=["image"], output_names=["logits"], dynamo=False,
)
import onnx2tf
onnx2tf.convert(
    input_onnx_file_path="m.onnx", output_folder_path="out", output_integer_quantized_tflite=True, non_verbose=True,
    custom_input_op_name_np_data_path=[["image", "calibration.npy", [[[[0.0, 0.0, 0.0]]]], [[[[1.0, 1.0, 1.0]]]]]],
)
assert os.path.exists("out/m_full_integer_quant.tflite"), os.listdir("out")
"""

LITERT = """
import os, sys; sys.path.insert(0, sys.argv[1])
import numpy as np
import torch
from benchmarks.support import mobilenet_v2
photos = np.load(sys.argv[2])
os.chdir(sys.argv[3])
import litert_torch
from ai_edge_quantizer import quantizer, recipe
nhwc = litert_torch.to_channel_last_io(mobilenet_v2(), args=[0])
litert_torch.convert(nhwc, (torch.zeros(1, 224, 224, 3),)).export("float.tflite")
q = quantizer.Quantizer("float.tflite", recipe.static_wi8_ai8())
inputs = [{"args_0": p[None].transpose(0, 2, 3, 1)} for p in photos]
calibrated = q.calibrate({"serving_default": inputs})
q.quantize(calibrated).export_model("m_int8.tflite", overwrite=True)
"""

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="counted runs of floor and mobilekit, after one warm-up")
    parser.add_argument("--peer-runs", type=int, default=2, help="runs of each peer, which take a minute each")
    parser.add_argument("--classic", type=Path, default=support.ROOT / ".venv-classic" / "bin" / "python")
    parser.add_argument("--litert", type=Path, default=None)
    options = parser.parse_args()

    programs = {"floor": (sys.executable, FLOOR), "mobilekit": (sys.executable, MOBILEKIT)}
    if options.classic.exists():
        programs["onnx2tf"] = (str(options.classic), ONNX2TF)
    else:
        print(f"onnx2tf left out: there is no {options.classic} (make classic)")
    if options.litert is not None:
        programs["litert"] = (str(options.litert), LITERT)

    support.print_machine()
    costs: dict[str, list[support.ProcessCost]] = {name: [] for name in programs}
    with support.photo_file() as photos:
        for turn in range(-1, options.runs):
            for name, (python, program) in programs.items():
                if name not in ("floor", "mobilekit") and not 0 <= turn < options.peer_runs:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    command = [python, "-c", program, str(support.ROOT), str(photos), folder]
                    cost = support.run_process(command, environment=QUIET)
                if turn >= 0:
                    costs[name].append(cost)
                print(
                    f"  {'warm-up' if turn < 0 else f'run {turn + 1}':8} {name:10} {cost.cpu_s:7.2f} s CPU", flush=True
                )

    print(f"\n{'':12}{'wall s':>26}{'CPU s':>26}{'peak MB':>26}")
    for name, rows in costs.items():
        columns = [support.summary([getattr(r, key) for r in rows]) for key in ("wall_s", "cpu_s", "peak_rss_mb")]
        print(f"{name:12}" + "".join(f"{column:>26}" for column in columns))
    ratios = print_ratios(costs)
    path = support.write_results(
        "convert",
        {
            "ratios": ratios,
            "runs": {
                name: [{k: v for k, v in asdict(row).items() if k != "output"} for row in rows]
                for name, rows in costs.items()
            },
        },
    )
    print(f"\nraw values: {path.relative_to(support.ROOT)}")


def print_ratios(costs: dict[str, list[support.ProcessCost]]) -> dict[str, float]:
    """The figures that are promised, each beside its bar."""

    def median(name: str, key: str) -> float:
        return statistics.median(getattr(row, key) for row in costs[name])

    ratios = {
        f"mobilekit / floor, {key}": median("mobilekit", key) / median("floor", key)
        for key in ("wall_s", "cpu_s", "peak_rss_mb")
    }
    bars = dict.fromkeys(ratios, 1.5)
    for peer in ("onnx2tf", "litert"):
        if costs.get(peer):
            for key in ("wall_s", "cpu_s"):
                floor = median("floor", key)
                label = f"(mobilekit - floor) / ({peer} - floor), {key}"
                ratios[label] = (median("mobilekit", key) - floor) / (median(peer, key) - floor)
                bars[label] = 0.1
    print()
    for label, value in ratios.items():
        print(f"{label:52} {value:6.3f}   (bar {bars[label]})")
    return ratios


if __name__ == "__main__":
    main()
