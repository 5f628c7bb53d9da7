"""The app's Kotlin on this machine's JVM: the same bytes as Python, no object a frame, the activities under Robolectric."""

# ruff: noqa: E501 (tables and commands of tools are read across)

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilekit.bench import schema
from mobilekit.bench.accounting import FrameTimes, Recording, account
from mobilekit.bench.camera import CameraModel
from mobilekit.bench.display import DisplayModel
from mobilekit.kernels import Image, Preprocessor
from mobilekit.sidecar import (
    AffineSpec,
    ClassificationSpec,
    DetectionSpec,
    PreprocessSpec,
    RecognitionSpec,
    Sidecar,
    TensorSpec,
)
from mobilekit.tasks import detection, recognition
from mobilekit.tasks.classification import Postprocess
from tests.android.support import ROOT, module, need

pytestmark = pytest.mark.slow

JAVA = {"java": "openjdk-17-jdk-headless", "javac": "openjdk-17-jdk-headless", "mvn": "maven", "g++": "g++"}


def tensor(name: str, shape: tuple[int, ...], dtype: str, quantization: AffineSpec | None) -> TensorSpec:
    return TensorSpec(
        name=name, shape=shape, dtype=dtype, quantization=quantization, model_shape=shape, model_dtype="float32",
        order=tuple(range(len(shape))),
    )  # fmt: skip


def sidecar(spec: PreprocessSpec, dtype: str = "int8", layout: str = "nhwc", **rest: Any) -> Sidecar:
    depth = 1 if spec.channels == "gray" else 3
    size = (spec.height, spec.width)
    shape = (1, *size, depth) if layout == "nhwc" else (1, depth, *size)
    affine = AffineSpec(scale=0.0186584, zero_point=-14) if dtype == "int8" else None
    values: dict[str, Any] = {
        "model": "net", "mobilekit_version": "0.1.0", "sha256": "0" * 64, "min_runtime_version": "2.3.0", "quantize": "int8",
        "inputs": (tensor("in", shape, dtype, affine),),
        "outputs": (tensor("out", (1, 10), "int8", AffineSpec(scale=0.1, zero_point=3)),),
        "preprocess": spec, "postprocess": ClassificationSpec(k=5), **rest,
    }  # fmt: skip
    return Sidecar(**values)


IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
SIDECARS = {
    "imagenet": sidecar(PreprocessSpec(height=37, width=53, fit="center_crop", crop_fraction=0.875, **IMAGENET)),
    "letterbox": sidecar(PreprocessSpec(height=33, width=64, fit="letterbox", channels="bgr", mean=(0.0,), std=(255.0,)), "float32"),
    "pad-right": sidecar(PreprocessSpec(height=16, width=90, fit="pad_right", channels="gray", mean=(127.5,), std=(127.5,)), "float32"),
    "area": sidecar(PreprocessSpec(height=19, width=17, filter="area", mean=(127.5,), std=(127.5,)), "int8", "nchw"),
    "bicubic": sidecar(PreprocessSpec(height=21, width=23, filter="bicubic", mean=(0.0,), std=(1.0,)), "float32", "nchw"),
    "nearest": sidecar(PreprocessSpec(height=20, width=30, filter="nearest", pad_value=7, fit="letterbox", mean=(1.0, 2.0, 3.0), std=(2.0,))),
}  # fmt: skip


def frames() -> list[dict[str, Any]]:
    """Strange ones: odd sizes, padded rows, every order of the planes, every rotation, addresses off by one."""
    rng = np.random.default_rng(5)
    found = []
    for index, (name, document) in enumerate((n, s) for n, s in SIDECARS.items() for _ in range(6)):
        width, height = ((64, 48), (65, 33), (33, 65), (2, 2), (127, 90), (90, 127))[index % 6]
        pad, step, rotation = (0, 3, 16)[index % 3], 1 + index % 2, (0, 90, 180, 270)[index % 4]
        columns, rows = (width + 1) // 2, (height + 1) // 2
        y = rng.integers(0, 256, (height - 1) * (width + pad) + width, dtype=np.uint8)
        if step == 2:  # NV12 or NV21: the second of the pair begins a byte later and ends where the memory ends
            stride = 2 * columns + pad
            pair = rng.integers(0, 256, (rows - 1) * stride + 2 * columns, dtype=np.uint8)
            u, v = (pair, pair[1:]) if index % 4 == 1 else (pair[1:], pair)
        else:
            stride = columns + pad
            u, v = (rng.integers(0, 256, (rows - 1) * stride + columns, dtype=np.uint8) for _ in range(2))
        image = Image("yuv420", width, height, (y, u, v), (width + pad, stride, stride), step)
        found.append(
            {"name": f"{index}-{name}", "sidecar": document, "image": image, "rotation": rotation, "offset": index % 3}
        )
    return found


def expected_tensor(case: dict[str, Any]) -> bytes:
    return preprocessor_of(case)(case["image"]).tobytes()


def preprocessor_of(case: dict[str, Any]) -> Preprocessor:
    document: Sidecar = case["sidecar"]
    spec, stored = document.preprocess, document.inputs[0]
    assert spec is not None
    q = stored.quantization
    layout = "nhwc" if stored.shape[1:3] == (spec.height, spec.width) else "nchw"
    return Preprocessor(
        (spec.height, spec.width), rotation=case["rotation"], fit=spec.fit.replace("_", "-"), crop_fraction=spec.crop_fraction,
        pad_level=spec.pad_value, filter=spec.filter, channels=spec.channels, mean=spec.mean, std=spec.std,
        scale=q.scale if q else None, zero_point=q.zero_point if q else 0, dtype=stored.dtype, layout=layout,
    )  # fmt: skip


def scores() -> list[tuple[str, Sidecar, np.ndarray]]:
    rng = np.random.default_rng(6)
    labels = tuple(f"label {i}" for i in range(1000))
    found = []
    for name, dtype, classes, k, softmax in (
        ("int8", "int8", 1000, 5, True), ("ties", "int8", 10, 10, True), ("plain", "int8", 33, 3, False),
        ("float", "float32", 1000, 5, True), ("one", "float32", 1, 5, True),
    ):  # fmt: skip
        affine = AffineSpec(scale=0.0713, zero_point=-11) if dtype == "int8" else None
        values = (
            rng.integers(-128, 128, classes).astype(np.int8)
            if dtype == "int8"
            else rng.normal(0, 5, classes).astype(np.float32)
        )
        if name == "ties":
            values[:] = 4
        found.append((name, sidecar(
            SIDECARS["imagenet"].preprocess, outputs=(tensor("out", (1, classes), dtype, affine),),  # type: ignore[arg-type]
            postprocess=ClassificationSpec(k=k, softmax=softmax), labels=labels if classes == 1000 else None,
        ), values))  # fmt: skip
    return found


HEADS = (("yolov8", "float32", (1, 9, 300)), ("yolov8", "int8", (1, 9, 300)), ("yolov5", "float32", (1, 300, 10)),
         ("yolov5", "int8", (300, 10)))  # fmt: skip


def detections() -> list[tuple[str, dict[str, Any], Sidecar, np.ndarray]]:
    """A head's output over every strange frame: rotations, letterboxes and crops all have to be undone."""
    rng = np.random.default_rng(8)
    found = []
    for index, case in enumerate(frames()):
        decoder, dtype, shape = HEADS[index % len(HEADS)]
        affine = AffineSpec(scale=1 / 4, zero_point=-128) if dtype == "int8" else None
        real = rng.uniform(0, 1, shape).astype(np.float32)
        boxes = real[..., :4, :] if decoder == "yolov8" else real[..., :4]
        boxes *= 30
        document = case["sidecar"].model_copy(update={
            "outputs": (tensor("out", shape, dtype, affine),), "labels": None,
            "postprocess": DetectionSpec(decoder=decoder, score_threshold=0.5, max_results=(7, 300)[index % 2]),
        })  # fmt: skip
        found.append((f"head-{index}", case, document, (real * 4 - 128).astype(np.int8) if dtype == "int8" else real))
    return found


def readings() -> list[tuple[str, Sidecar, np.ndarray]]:
    rng = np.random.default_rng(9)
    found = []
    for name, dtype, shape, blank in (
        ("text", "float32", (1, 40, 97), 0), ("text8", "int8", (40, 97), 96), ("step", "float32", (1, 1, 2), 0),
        ("nothing", "int8", (1, 5, 3), 0),
    ):  # fmt: skip
        affine = AffineSpec(scale=0.0039, zero_point=-128) if dtype == "int8" else None
        scores = rng.integers(-128, 128, shape).astype(np.int8)
        if name == "nothing":
            scores[:] = 3  # equal: the blank is the lower class
        values = scores if dtype == "int8" else (scores / 256 + 0.5).astype(np.float32)
        found.append((name, sidecar(
            SIDECARS["pad-right"].preprocess, "float32", outputs=(tensor("out", shape, dtype, affine),),  # type: ignore[arg-type]
            postprocess=RecognitionSpec(blank=blank), labels=tuple(chr(0x4E00 + c) for c in range(shape[-1])),
        ), values))  # fmt: skip
    return found


def placements() -> list[dict[str, Any]]:
    """Every turn, mirrored and not, of one box that lies in the upper left third of the frame as stored."""
    return [
        {"frame_width": 640, "frame_height": 480, "rotation": rotation, "mirrored": mirrored, "box": [64, 48, 192, 240],
         "view": [10, 20, 480, 640] if rotation in (90, 270) else [5, 7, 320, 240]}
        for rotation in (0, 90, 180, 270) for mirrored in (False, True)
    ]  # fmt: skip


CAMERA = CameraModel("test", 10.0, 20.0, 15.0, "", "", "")


def recording() -> tuple[Recording, DisplayModel, list[list[int]]]:
    """300 frames at 29.97 fps, one in nine stalled; some of them never taken."""
    rng = np.random.default_rng(7)
    base = 5_000_000_000
    due = [base + round(k * 1e9 / 29.97) for k in range(300)]
    free, times, rows = 0, [], []
    display = DisplayModel(60.0, base + 1_234_567)
    for k, at in enumerate(due):
        taken = max(at + 50_000, free)
        if k + 1 < len(due) and taken > due[k + 1]:
            continue
        work = 22_000_000 + int(rng.integers(0, 3_000_000)) + (90_000_000 if k % 9 == 8 else 0)
        free = taken + work
        times.append(FrameTimes(k, at, taken, taken + 1_000_000, free - 200_000, free))
        t = times[-1]
        sensor = at - CAMERA.sensor_to_due_ns
        rows.append(
            [sensor, t.due_ns, t.taken_ns, t.preprocessed_ns, t.inferred_ns, t.postprocessed_ns, free + display.draw_ns]
        )
    return Recording(tuple(times), tuple(due), due[10], due[290]), display, rows


BAD_SIDECARS = {
    "not json": "model.json is not JSON",
    '{"version": 2}': "model.json has version 2, this app reads 1: install a newer app",
    '{"version": 1, "mood": 3}': "model.json: mood: no such field",
    '{"version": 1, "states": [{}]}': "model.json: states: the model keeps state from call to call, this app runs each frame for itself",
    '{"version": 1, "stages": {}}': "model.json: stages: the model is more than one run of its file, this app runs it once",
}


def described(case: dict[str, Any]) -> dict[str, Any]:
    image = case["image"]
    return {
        "name": case["name"], "sidecar": case["sidecar"].to_json(), "width": image.width, "height": image.height,
        "row_strides": image.row_strides, "chroma_pixel_stride": image.chroma_pixel_stride, "rotation": case["rotation"],
        "offset": case["offset"],
    }  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    need(JAVA)
    jvm = module("jvm")
    folder = tmp_path_factory.mktemp("jvm")
    cases: dict[str, Any] = {
        "frames": [],
        "scores": [],
        "detections": [],
        "readings": [],
        "placements": placements(),
        "sidecars": list(BAD_SIDECARS),
    }
    for case in frames():
        image = case["image"]
        for index, plane in enumerate(image.planes):
            (folder / f"{case['name']}.plane{index}").write_bytes(plane.tobytes())
        cases["frames"].append(described(case))
    for name, case, document, values in detections():
        (folder / f"{name}.scores").write_bytes(values.tobytes())
        cases["detections"].append({**described(case), "sidecar": document.to_json(), "output": name})
    for name, document, values in readings():
        (folder / f"{name}.scores").write_bytes(values.tobytes())
        cases["readings"].append({"sidecar": document.to_json(), "output": name})
    for name, document, values in scores():
        (folder / f"{name}.scores").write_bytes(values.tobytes())
        cases["scores"].append({"name": name, "sidecar": document.to_json()})
    run, display, rows = recording()
    cases["accounts"] = [{
        "frames": rows, "due": run.due_ns, "exposure": 10_000_000, "skew": 20_000_000, "refresh_hz": 60.0,
        "phase": display.phase_ns, "start": run.start_ns, "end": run.end_ns,
    }]  # fmt: skip
    cases["allocation"] = {
        "sidecar": sidecar(
            PreprocessSpec(height=224, width=224, fit="center_crop", crop_fraction=0.875, **IMAGENET)
        ).to_json()
    }
    (folder / "cases.json").write_text(json.dumps(cases))
    status, said = jvm.java("dev.mobilekit.demo.HostCheckKt", str(folder))
    assert status == 0, said
    return {"folder": folder, **json.loads((folder / "answers.json").read_text())}


def test_frames_give_the_bytes_of_python(answers: dict[str, Any]) -> None:
    cases = frames()
    assert len(cases) == len(answers["frames"]) == 36
    for case, answer in zip(cases, answers["frames"], strict=True):
        assert answer == {}, case["name"]
        assert (answers["folder"] / f"{case['name']}.tensor").read_bytes() == expected_tensor(case), case["name"]


def test_scores_give_the_answers_of_python(answers: dict[str, Any]) -> None:
    for (name, document, values), answer in zip(scores(), answers["scores"], strict=True):
        expected = Postprocess.from_sidecar(document)(values)
        assert answer["indices"] == [a.index for a in expected], name
        assert answer["bits"] == [struct.unpack("<i", struct.pack("<f", a.probability))[0] for a in expected], name
        assert answer["labels"] == [a.label for a in expected], name


def bits(values: Any) -> list[int]:
    return [int(b) for b in np.asarray(values, np.float32).ravel().view(np.int32)]


def test_detections_are_those_of_python(answers: dict[str, Any]) -> None:
    seen = 0
    for (name, case, document, values), answer in zip(detections(), answers["detections"], strict=True):
        request = preprocessor_of(case).request(case["image"])
        expected = detection.Postprocess.from_sidecar(document)(values, request)
        assert answer["classes"] == [d.index for d in expected], name
        assert answer["scores"] == bits([d.score for d in expected]), name
        assert answer["boxes"] == bits([d.box for d in expected]), name
        assert answer["allocated"] == 0, name
        seen += len(expected)
    assert seen > 300


def test_readings_are_those_of_python(answers: dict[str, Any]) -> None:
    for (name, document, values), answer in zip(readings(), answers["readings"], strict=True):
        expected = recognition.Postprocess.from_sidecar(document)(values)
        assert (answer["text"], answer["symbols"]) == (expected.text, list(expected.symbols)), name
        assert [answer["bits"]] == bits([expected.score]), name
        assert answer["allocated"] == 0, name
    assert [r["text"] == "" for r in answers["readings"]][-1]


def test_boxes_lie_where_the_pixels_lie(answers: dict[str, Any]) -> None:
    """A picture with the box painted white, turned and mirrored by numpy and stretched to the view, is white in the same place."""
    for case, answer in zip(placements(), answers["placements"], strict=True):
        picture = np.zeros((case["frame_height"], case["frame_width"]), bool)
        x1, y1, x2, y2 = case["box"]
        picture[y1:y2, x1:x2] = True
        picture = np.rot90(picture, -case["rotation"] // 90)  # rot90 turns the other way round
        if case["mirrored"]:
            picture = picture[:, ::-1]
        rows, columns = np.flatnonzero(picture.any(1)), np.flatnonzero(picture.any(0))
        left, top, width, height = case["view"]
        across, down = width / picture.shape[1], height / picture.shape[0]
        expected = [
            left + across * columns[0],
            top + down * rows[0],
            left + across * (columns[-1] + 1),
            top + down * (rows[-1] + 1),
        ]
        # Some float32 steps on numbers below 1000: 1e-3 is a thousandth of a pixel.
        assert answer == pytest.approx(expected, abs=1e-3), case


def test_accounts_as_python_does(answers: dict[str, Any]) -> None:
    run, display, _ = recording()
    expected, (answer,) = account(run, CAMERA, display), answers["accounts"]

    # Both round to 0.1 us; of a tie (times are whole ns) one may go up where the other goes down.
    def tie(values: Any) -> Any:
        return pytest.approx(values, rel=0, abs=1.001e-4)

    assert answer["delivered"] == tie(list(expected.delivered.values_ms))
    assert answer["age"] == tie(list(expected.age.values_ms))
    assert list(answer["stages"]) == [stage.name for stage in expected.stages]
    for stage in expected.stages:
        assert answer["stages"][stage.name] == tie(list(stage.summary.values_ms)), stage.name
    assert answer["p99"] == tie(expected.delivered.p99_ms)
    counts = [expected.frames_due, expected.frames_delivered, expected.frames_overwritten, expected.frames_superseded]
    assert answer["counts"] == counts
    # Sums of 200 such values, and of medians: 0.1 us in some 100 ms.
    for name, value in (("stdev", expected.delivered.stdev_ms), ("mean", expected.delivered.mean_ms),
                        ("dropped", expected.dropped_percent), ("jank", expected.jank_percent), ("fps", expected.result_fps),
                        ("drift", expected.drift_percent)):  # fmt: skip
        assert answer[name] == pytest.approx(value, rel=1e-6), name


def test_a_frame_costs_no_object(answers: dict[str, Any]) -> None:
    allocated = answers["allocated"]
    assert allocated["closed"] == 2200
    # The control run keeps an array of 24 bytes a frame: the counter counts.
    assert allocated["control_bytes"] >= 24 * allocated["frames"]
    assert allocated["bytes"] == 0


def test_a_call_costs_little(answers: dict[str, Any]) -> None:
    """Six buffers into native code and back: seen 0.1 to 0.2 us. 5 us leave room for a busy machine, and are 1/1000 of a frame."""
    assert 0 < answers["call_ns"] < 5000


def test_bad_sidecars_are_named(answers: dict[str, Any]) -> None:
    for said, expected in zip(answers["sidecars"], BAD_SIDECARS.values(), strict=True):
        assert said.startswith(expected)


# --- The activities, under Robolectric.

# A JVM each: native graphics have a class loader of their own, and a native library belongs to one.
ROBOLECTRIC = ("ActivityTest", "ScreensTest")


@pytest.fixture(scope="module")
def robolectric(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs ActivityTest.kt and ScreensTest.kt; the folder with the report of the bench and the pictures of the screens."""
    need(JAVA)
    jvm = module("jvm")
    folder = tmp_path_factory.mktemp("robolectric")
    properties = {
        **jvm.robolectric_properties(), "mobilekit.report": str(folder / "report.json"), "mobilekit.screens": str(folder),
    }  # fmt: skip
    for name in ROBOLECTRIC:
        status, said = jvm.java("org.junit.runner.JUnitCore", f"dev.mobilekit.demo.{name}", properties=properties)
        assert status == 0, said
        # As many as the source has, so that none is skipped unseen.
        written = (jvm.TESTS / f"dev/mobilekit/demo/{name}.kt").read_text().count("@Test\n")
        assert f"OK ({written} tests)" in said
    return folder


def test_activities(robolectric: Path) -> None:
    """Permission flows, life cycle, cameras, errors and the correction: one JVM for all of ActivityTest.kt."""
    assert (robolectric / "report.json").is_file()


def test_screens(robolectric: Path) -> None:
    """What they show is asserted in ScreensTest.kt; the pictures of docs/images are among them."""
    from PIL import Image as Picture

    drawn = {path.name: Picture.open(path).size for path in robolectric.glob("*.png")}
    assert len(drawn) == 6
    assert set(drawn.values()) == {(320, 480)}
    shown = {path.name for path in (ROOT / "docs" / "images").glob("android-*.png")}
    assert shown
    assert shown <= set(drawn)


def test_the_bench_of_the_app_writes_the_schema_of_python(robolectric: Path) -> None:
    report = schema.parse((robolectric / "report.json").read_text(), "the app's report")
    assert report.device == "android"
    assert report.frames_delivered > 5
    assert report.delivered.count == report.frames_delivered == len(report.stages[0].summary.values_ms)
    total = [sum(values) for values in zip(*(stage.summary.values_ms for stage in report.stages), strict=True)]
    # Ten stages, each rounded to 0.1 us.
    assert total == pytest.approx(list(report.delivered.values_ms), abs=1e-3)
    assert report.settings["fps"] == 29.97
    assert any("present times are modelled" in doubt for doubt in report.doubts)
