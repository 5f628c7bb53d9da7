"""int8 against float on real tasks, paired case by case, beside TensorFlow's converter and ai-edge-quantizer.

Models are real and come from packages (benchmarks/tasks, one file a task), but for a CRNN that is trained here. Inputs
are seeded drawings, or photos that packages carry. Calibration data are never evaluated: other photos, other seeds.

    python benchmarks/fidelity.py --make-graphs FOLDER --classic PYTHON     float graphs by onnx2tf, once
    python benchmarks/fidelity.py --graphs FOLDER [--cases 150] [--classic PYTHON] [--litert PYTHON]

ai-edge-quantizer gets our float .tflite itself, TensorFlow's converter the SavedModel of the same network. Every
difference is printed with its 95 % interval: 1000 bootstrap draws over the cases, both models on the same draw. Each
model writes its own result file as soon as it is done, so a run that breaks off loses one model.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import support
from benchmarks.tasks.common import Subject, Task
from benchmarks.tasks.digits import CRNN
from benchmarks.tasks.faces import CENTERFACE
from benchmarks.tasks.lines import PPOCR_REC
from benchmarks.tasks.pages import PICODET
from benchmarks.tasks.photos import EFFICIENTNET_LITE0, MOBILENET_V2
from benchmarks.tasks.signs import PPOCR_DET
from mobilekit.graph.ir import Graph, Signature
from mobilekit.graph.reader import read, read_file
from mobilekit.graph.writer import write
from mobilekit.quantize import preset, quantize
from mobilekit.quantize.measure import to_real, to_stored
from mobilekit.runtime import Interpreter

SUBJECTS = {s.name: s for s in (MOBILENET_V2, EFFICIENTNET_LITE0, PICODET, PPOCR_REC, PPOCR_DET, CENTERFACE, CRNN)}
BOOTSTRAPS = 1000
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
AEQ_INT8 = """
import sys
import numpy as np
from ai_edge_quantizer import quantizer, recipe
samples = np.load(sys.argv[2])
q = quantizer.Quantizer(sys.argv[1], recipe.static_wi8_ai8())
result = q.calibrate({"serving_default": [{"x": s} for s in samples]})
q.quantize(result).export_model(sys.argv[3], overwrite=True)
"""

Run = Callable[[np.ndarray], list[np.ndarray]]


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


@dataclass(frozen=True)
class Peers:
    """Pythons of the peers' environments and the folder of graphs; None leaves a peer out."""

    graphs: Path | None
    classic: Path | None
    litert: Path | None


def runner(graph: Graph) -> Run:
    interpreter = Interpreter(write(graph))

    def run(array: np.ndarray) -> list[np.ndarray]:
        outputs = interpreter.run([to_stored(graph.inputs[0], array)])
        return [to_real(tensor, output) for tensor, output in zip(graph.outputs, outputs, strict=True)]

    return run


def make_graphs(folder: Path, classic: Path, names: list[str]) -> None:
    """onnx2tf's float .tflite and SavedModel of each model, in ``folder``/<name>."""
    for name in names:
        work = folder / name
        work.mkdir(parents=True, exist_ok=True)
        input_name, shape = _write_onnx(SUBJECTS[name], work / "m.onnx")
        print(f"{name}: onnx2tf ...", flush=True)
        text = f"{input_name}:{','.join(map(str, shape))}"
        support.run_process([str(classic), "-c", MAKE_GRAPH, str(work), text])


def _write_onnx(subject: Subject, path: Path) -> tuple[str, tuple[int, ...]]:
    """The model as .onnx with its fixed input shape; gives the input's name and shape."""
    if subject.onnx is None:
        import torch

        assert subject.torch is not None
        model, example = subject.torch()
        torch.onnx.export(model, (example,), str(path), input_names=["x"], dynamo=False)
        return "x", tuple(example.shape)
    import onnx

    model = onnx.load(str(support.package_folder(subject.onnx.package) / subject.onnx.path))
    # Old exporters list weights as inputs too, and some fix shapes that onnx2tf is told to overwrite.
    weights = {w.name for w in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in weights]
    del model.graph.input[:], model.graph.value_info[:]
    model.graph.input.extend(inputs)
    for axis, size in zip(inputs[0].type.tensor_type.shape.dim, subject.onnx.shape, strict=True):
        axis.dim_value = size
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    onnx.save(model, str(path))
    return subject.onnx.input, subject.onnx.shape


def float_graph(subject: Subject, folder: Path | None) -> Graph | None:
    """By our own frontend for a PyTorch model, by onnx2tf for an .onnx."""
    if subject.torch is not None:
        import mobilekit

        return read(mobilekit.convert(*subject.torch()).bytes)
    file = folder / subject.name / "out" / "m_float32.tflite" if folder is not None else None
    return read_file(file) if file is not None and file.exists() else None


def tensorflow_int8(subject: Subject, graph: Graph, samples: list[list[np.ndarray]], peers: Peers) -> Graph | None:
    """TensorFlow's own post-training int8 of the network's SavedModel on the same samples."""
    saved = peers.graphs / subject.name / "out" if peers.graphs is not None else None
    if saved is None or peers.classic is None or not (saved / "saved_model.pb").exists():
        return None
    return _in_process(peers.classic, TF_INT8, saved, samples)


def edge_int8(subject: Subject, graph: Graph, samples: list[list[np.ndarray]], peers: Peers) -> Graph | None:
    """ai-edge-quantizer's static_wi8_ai8 of the very float graph that we quantize."""
    if peers.litert is None:
        return None
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "float.tflite"
        outputs = tuple((f"y{i}", tensor) for i, tensor in enumerate(graph.outputs))
        signature = Signature("serving_default", (("x", graph.inputs[0]),), outputs)
        file.write_bytes(write(dataclasses.replace(graph, signatures=[signature])))
        return _in_process(peers.litert, AEQ_INT8, file, samples)


def _in_process(python: Path, program: str, model: Path, samples: list[list[np.ndarray]]) -> Graph:
    with tempfile.TemporaryDirectory() as work:
        data, made = Path(work) / "samples.npy", Path(work) / "int8.tflite"
        np.save(data, np.stack([sample[0] for sample in samples]))
        support.run_process([str(python), "-c", program, str(model), str(data), str(made)])
        return read(made.read_bytes())


PEERS = {"TensorFlow int8": tensorflow_int8, "ai-edge-quantizer int8": edge_int8}


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


def measure(subject: Subject, graph: Graph, recipes: list[str], cases: int, peers: Peers) -> dict[str, Any]:
    """All candidates of one model on all its tasks: the result file's content."""
    samples = subject.calibration()
    candidates: list[tuple[str, Graph]] = []
    notes: dict[str, Any] = {}
    for name in recipes:
        start = time.process_time()
        result = quantize(graph, samples, preset(name))
        seconds = time.process_time() - start
        islands = [f"{island.kind} {island.name}" for island in result.float_islands]
        notes[name] = {
            "cpu_s": seconds, "notes": result.notes, "float_islands": islands, "full_integer": result.full_integer,
        }  # fmt: skip
        print(f"{subject.name} {name}: {seconds:.1f} s CPU, {len(islands)} float islands; {'; '.join(result.notes)}")
        candidates.append((f"mobilekit {name}", result.graph))
    for label, peer in PEERS.items():
        try:
            made = peer(subject, graph, samples, peers)
        except RuntimeError as error:  # A peer that fails is a result too.
            notes[label] = {"failed": str(error).strip().splitlines()[-1]}
            print(f"{subject.name} {label} failed: {notes[label]['failed']}", flush=True)
            continue
        if made is not None:
            candidates.append((label, made))
    run = runner(graph)
    rows = []
    for task in subject.tasks(cases):
        reference = [task.judge(index, run(array)) for index, array in enumerate(task.inputs)]
        rows += [compare(task, reference, label, runner(made)) for label, made in candidates]
    return {"rows": [asdict(row) for row in rows], "quantization": notes}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=Path, help="folder of float graphs that --make-graphs wrote")
    parser.add_argument("--make-graphs", type=Path, metavar="FOLDER")
    parser.add_argument("--classic", type=Path, help="python of the classic environment (TensorFlow, onnx2tf)")
    parser.add_argument("--litert", type=Path, help="python of an environment with ai-edge-quantizer")
    parser.add_argument("--cases", type=int, default=150, help="pages, lines or scenes a task; photos are always 20")
    parser.add_argument("--recipes", nargs="+", default=["int8"], help="presets to judge")
    parser.add_argument("--models", nargs="+", default=list(SUBJECTS), choices=list(SUBJECTS))
    options = parser.parse_args()
    if options.make_graphs is not None:
        if options.classic is None:
            parser.error("--make-graphs needs --classic")
        make_graphs(options.make_graphs, options.classic, options.models)
        return 0
    support.print_machine()
    peers = Peers(options.graphs, options.classic, options.litert)
    for name in options.models:
        graph = float_graph(SUBJECTS[name], options.graphs)
        if graph is None:
            print(f"{name} left out: no float graph in --graphs (see --make-graphs)")
            continue
        found = measure(SUBJECTS[name], graph, options.recipes, options.cases, peers)
        print(support.write_results(f"fidelity_{name}", found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
