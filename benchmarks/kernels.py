"""Kernels against what people write, the best library path, and the floor: ``python benchmarks/kernels.py``.

Thread CPU time of one thread, contenders interleaved call by call, every frame cold (a ring larger than the last-level
cache). Raw values, machine facts and versions go to benchmarks/results/kernels.json; the table on the screen is
their median. Needs opencv; libyuv (Debian: libyuv-dev) and a C++ compiler for those rows, which are otherwise
reported as missing.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import functools
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mobilekit import kernels
from mobilekit.kernels import Image, Preprocessor, reference

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "kernels.json"

RING_BYTES = 80 << 20
"""More than twice the last-level cache of the machines in use (32 MB): a frame is gone when its turn comes again."""

BILINEAR = 2
"""libyuv::kFilterBilinear."""

Contender = Callable[[np.ndarray, np.ndarray], Any]
"""(frame, out) -> anything; ``out`` holds int8 size x size x 3 and may be left alone by contenders that return an
array."""


def build_peers() -> tuple[ctypes.CDLL | None, str]:
    """cpp/bench/peers.cc as a library, or None and the reason."""
    library = Path(tempfile.mkdtemp()) / "peers.so"
    command = ["g++", "-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", str(ROOT / "cpp/bench/peers.cc")]
    try:
        done = subprocess.run([*command, "-lyuv", "-o", str(library)], capture_output=True, text=True, check=False)
    except OSError as error:
        return None, str(error)
    if done.returncode != 0:
        return None, done.stderr.strip().splitlines()[0]
    peers = ctypes.CDLL(str(library))
    peers.peer_read_rows.restype = ctypes.c_uint64
    peers.peer_read.restype = ctypes.c_uint64
    peers.peer_libyuv_version.restype = ctypes.c_char_p
    return peers, ""


def camera_scene(width: int, height: int) -> np.ndarray:
    """RGB float64 levels with shading, hard coloured edges and sensor noise."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width] / float(max(width, height))
    rgb = np.stack([120 + 90 * np.sin(5 * x + c) * np.cos(4 * y - c) for c in range(3)], axis=2)
    for _ in range(60):
        left, top = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(4, width // 4), rng.integers(4, height // 4)
        rgb[top : top + h, left : left + w] = rng.integers(10, 245, 3)
    clipped: np.ndarray = np.clip(rgb + rng.normal(0, 2, rgb.shape), 0, 255)
    return clipped


def to_nv21(rgb: np.ndarray, color: str) -> np.ndarray:
    """The scene as a camera would deliver it: chroma averaged over 2x2 pixels, bytes."""
    height, width = rgb.shape[:2]
    matrix, offset = reference.color_matrix(color)
    yuv = rgb @ np.linalg.inv(matrix).T + offset
    chroma = yuv[:, :, 1:].reshape(height // 2, 2, width // 2, 2, 2).mean(axis=(1, 3))[:, :, ::-1]
    planes = np.concatenate([yuv[:, :, 0].ravel(), chroma.ravel()])
    return np.clip(np.rint(planes), 0, 255).astype(np.uint8).reshape(height * 3 // 2, width)


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def preprocess_contenders(width: int, height: int, size: int, peers: ctypes.CDLL | None) -> dict[str, Contender]:
    """All compute int8 = level - 128 of the turned, resized frame. OpenCV and libyuv decode BT.601 limited range."""
    ours = Preprocessor((size, size), rotation=90, color="bt601-limited", zero_point=-128, dtype="int8")

    def mobilekit(frame: np.ndarray, out: np.ndarray) -> Any:
        return ours(Image.nv21(frame, width, height), out)

    def opencv_as_written(frame: np.ndarray, _: np.ndarray) -> Any:
        rgb = cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_NV21)
        rgb = cv2.rotate(rgb, cv2.ROTATE_90_CLOCKWISE)
        rgb = cv2.resize(rgb, (size, size), interpolation=cv2.INTER_LINEAR)
        real = (rgb.astype(np.float32) / 255.0 - 0.5) / 0.5
        return np.clip(np.round(real / np.float32(1 / 127.5) - 0.5), -128, 127).astype(np.int8)

    def opencv_planes_first(frame: np.ndarray, out: np.ndarray) -> Any:
        luma = cv2.resize(frame[:height], (size, size), interpolation=cv2.INTER_LINEAR)
        chroma = frame[height:].reshape(height // 2, width // 2, 2)
        chroma = cv2.resize(chroma, (size // 2, size // 2), interpolation=cv2.INTER_LINEAR)
        rgb = cv2.cvtColorTwoPlane(luma, chroma, cv2.COLOR_YUV2RGB_NV21)
        rgb = cv2.rotate(rgb, cv2.ROTATE_90_CLOCKWISE)
        return np.bitwise_xor(rgb, 0x80, out=out.view(np.uint8))

    contenders: dict[str, Contender] = {
        "mobilekit": mobilekit,
        "opencv_as_written": opencv_as_written,
        "library_opencv_planes_first": opencv_planes_first,
    }
    if peers is not None:

        def libyuv(frame: np.ndarray, out: np.ndarray) -> Any:
            if peers.peer_libyuv_nv21_rotate90(pointer(frame), width, height, size, BILINEAR, pointer(out)) != 0:
                raise RuntimeError("libyuv failed")
            return out

        contenders["library_libyuv"] = libyuv
        contenders["floor_read_rows"] = lambda frame, _: peers.peer_read_rows(pointer(frame), width, height, size)
    return contenders


def measure(contenders: dict[str, Contender], frames: list[np.ndarray], size: int, rounds: int) -> dict[str, list[int]]:
    """Thread CPU time in ns of every call; each call takes the next frame of the ring."""
    times: dict[str, list[int]] = {name: [] for name in contenders}
    out = np.empty((size, size, 3), np.int8)
    at = 0
    for round_number in range(rounds + 3):  # 3 rounds of warm-up are not kept
        for name, call in contenders.items():
            frame = frames[at % len(frames)]
            at += 1
            start = time.thread_time_ns()
            call(frame, out)
            elapsed = time.thread_time_ns() - start
            if round_number >= 3:
                times[name].append(elapsed)
    return times


def error_levels(contenders: dict[str, Contender], width: int, height: int, size: int) -> dict[str, dict[str, float]]:
    """Distance in levels to float64 that converts and clamps every pixel and then resizes, on one scene."""
    frame = to_nv21(camera_scene(width, height), "bt601-limited")
    options = {"rotation": 90, "color": "bt601-limited", "dtype": "uint8"}
    request = Preprocessor((size, size), **options).request(Image.nv21(frame, width, height))  # type: ignore[arg-type]
    truth = reference.levels(request, color_first=True)
    result = {}
    for name, call in contenders.items():
        if name.startswith("floor"):
            continue
        out = np.empty((size, size, 3), np.int8)
        answer = call(frame, out)
        levels = np.asarray(answer).reshape(size, size, 3).view(np.int8 if answer.dtype == np.int8 else np.uint8)
        signed = levels.view(np.int8).astype(np.float64) + 128
        distance = np.abs(signed - truth)
        result[name] = {
            "mean": float(distance.mean()),
            "p99": float(np.percentile(distance, 99)),
            "max": float(distance.max()),
        }
    return result


def preprocess_rows(peers: ctypes.CDLL | None, rounds: int) -> list[dict[str, Any]]:
    rows = []
    for width, height in ((1920, 1080), (1280, 720)):
        scene = to_nv21(camera_scene(width, height), "bt601-limited")
        frames = [np.roll(scene, 16 * i, axis=1) for i in range(RING_BYTES // scene.nbytes + 1)]
        for size in (224, 320, 640):
            contenders = preprocess_contenders(width, height, size, peers)
            raw = measure(contenders, frames, size, rounds)
            rows.append(
                {
                    "task": f"nv21 {width}x{height}, rotate 90, bilinear, {size}x{size} int8",
                    "ring_bytes": sum(frame.nbytes for frame in frames),
                    "thread_cpu_ns": raw,
                    "error_levels": error_levels(contenders, width, height, size),
                    "summary": summary(raw),
                }
            )
            print_row(rows[-1])
    return rows


def rgba_rows(rounds: int) -> list[dict[str, Any]]:
    """RGBA 1080p -> 224 float32 in 0..1, without rotation; bilinear, and a filter that averages."""
    import PIL.Image

    scene = np.rint(camera_scene(1920, 1080)).astype(np.uint8)
    rgba = np.concatenate([scene, np.full((1080, 1920, 1), 255, np.uint8)], axis=2)
    frames = [np.roll(rgba, 16 * i, axis=1) for i in range(RING_BYTES // rgba.nbytes + 1)]

    def ours(filter: str) -> Contender:
        run = Preprocessor((224, 224), std=255, dtype="float32", filter=filter)
        out = np.empty((1, 224, 224, 3), np.float32)
        return lambda frame, _: run(Image.rgba(frame), out)

    def opencv_as_written(method: int) -> Contender:
        def call(frame: np.ndarray, _: np.ndarray) -> Any:
            rgb = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGBA2RGB), (224, 224), interpolation=method)
            return rgb.astype(np.float32) / 255.0

        return call

    def opencv_resize_first(method: int) -> Contender:
        def call(frame: np.ndarray, _: np.ndarray) -> Any:
            rgb = cv2.cvtColor(cv2.resize(frame, (224, 224), interpolation=method), cv2.COLOR_RGBA2RGB)
            return cv2.multiply(rgb, (1 / 255.0,) * 4, dtype=cv2.CV_32F)

        return call

    def pil(frame: np.ndarray, _: np.ndarray) -> Any:
        small = PIL.Image.fromarray(frame).resize((224, 224), PIL.Image.Resampling.BILINEAR)
        return np.asarray(small)[:, :, :3].astype(np.float32) / 255.0

    tasks: dict[str, dict[str, Contender]] = {
        "bilinear": {
            "mobilekit": ours("bilinear"),
            "opencv_as_written": opencv_as_written(cv2.INTER_LINEAR),
            "library_opencv_resize_first": opencv_resize_first(cv2.INTER_LINEAR),
        },
        "area": {
            "mobilekit": ours("area"),
            "opencv_as_written": opencv_as_written(cv2.INTER_AREA),
            "library_opencv_resize_first": opencv_resize_first(cv2.INTER_AREA),
        },
        "antialias": {"mobilekit": ours("antialias"), "library_pil": pil},
    }
    rows = []
    for name, contenders in tasks.items():
        raw = measure(contenders, frames, 224, rounds)
        rows.append({"task": f"rgba 1920x1080, {name}, 224x224 float32", "thread_cpu_ns": raw, "summary": summary(raw)})
        print_row(rows[-1])
    return rows


def yolo_head(seed: int) -> np.ndarray:
    """(1, 84, 8400) float32 as a v8 head gives it: a few objects with many boxes each, most scores near 0."""
    rng = np.random.default_rng(seed)
    objects = rng.uniform(60, 580, (20, 2))
    centre = objects[rng.integers(0, 20, 8400)] + rng.normal(0, 40, (8400, 2))
    size = rng.uniform(30, 150, (8400, 2))
    scores = rng.beta(0.05, 8, (8400, 80))
    strong = rng.random(8400) < 0.06
    scores[strong, rng.integers(0, 80, int(strong.sum()))] = rng.uniform(0.25, 0.95, int(strong.sum()))
    return np.ascontiguousarray(np.concatenate([centre, size, scores], axis=1).T.astype(np.float32))[None]


def detection_rows(peers: ctypes.CDLL | None, rounds: int) -> list[dict[str, Any]]:
    """84 x 8400 -> at most 300 detections at IoU 0.45, class by class; the tensor is cold."""
    import torch
    import torchvision

    torch.set_num_threads(1)
    heads = [yolo_head(i) for i in range(4)]
    frames = [heads[i % 4].copy() for i in range(RING_BYTES // heads[0].nbytes + 1)]
    rows = []
    for confidence in (0.25, 0.001):

        def candidates(head: np.ndarray, confidence: float = confidence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            scores = head[0, 4:].max(axis=0)  # along the memory: 4 times faster than transposing first
            kept = np.flatnonzero(scores > confidence)
            box = head[0, :4, kept]
            corners = np.concatenate([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], axis=1)
            return corners, scores[kept], head[0, 4:, kept].argmax(axis=1)

        def candidates_as_written(head: np.ndarray, confidence: float = confidence) -> tuple[np.ndarray, ...]:
            table = np.squeeze(head).T
            scores, classes = table[:, 4:].max(axis=1), table[:, 4:].argmax(axis=1)
            box = table[scores > confidence, :4]
            corners = np.concatenate([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], axis=1)
            return corners, scores[scores > confidence], classes[scores > confidence]

        def numpy_nms(head: np.ndarray, _: np.ndarray, find: Any = candidates) -> Any:
            boxes, scores, classes = find(head)
            boxes = boxes + classes[:, None] * 4096.0
            area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            order, keep = scores.argsort()[::-1], []
            while order.size and len(keep) < 300:
                i, rest = order[0], order[1:]
                keep.append(i)
                low = np.maximum(boxes[i, :2], boxes[rest, :2])
                high = np.minimum(boxes[i, 2:], boxes[rest, 2:])
                inter = np.prod(np.clip(high - low, 0, None), axis=1)
                order = rest[inter / (area[i] + area[rest] - inter) <= 0.45]
            return keep

        def opencv(head: np.ndarray, _: np.ndarray, find: Any = candidates, confidence: float = confidence) -> Any:
            boxes, scores, classes = find(head)
            xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
            return cv2.dnn.NMSBoxesBatched(xywh, scores, classes, confidence, 0.45, top_k=0)[:300]

        def with_torchvision(head: np.ndarray, _: np.ndarray, confidence: float = confidence) -> Any:
            table = torch.from_numpy(head)[0]
            scores, classes = table[4:].max(0)
            kept = scores > confidence
            box = table[:4, kept].T
            corners = torch.cat([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], 1)
            return torchvision.ops.batched_nms(corners, scores[kept], classes[kept], 0.45)[:300]

        def ours(head: np.ndarray, _: np.ndarray, confidence: float = confidence) -> Any:
            return kernels.detect_yolo(head, confidence=confidence)

        quantized = {h.ctypes.data: np.clip(np.rint(h / 2.6) - 128, -128, 127).astype(np.int8) for h in frames}
        for head in quantized.values():  # one scale for boxes and scores would flatten the scores: keep their range
            head[0, 4:] = np.clip(np.rint(heads[0][0, 4:] * 255) - 128, -128, 127)

        def ours_int8(head: np.ndarray, _: np.ndarray, confidence: float = confidence, by: Any = quantized) -> Any:
            return kernels.detect_yolo(by[head.ctypes.data], confidence=confidence, scale=1 / 255, zero_point=-128)

        contenders: dict[str, Contender] = {
            "mobilekit": ours,
            "mobilekit_int8": ours_int8,
            "numpy_as_written": functools.partial(numpy_nms, find=candidates_as_written),
            "library_numpy": numpy_nms,
            "library_opencv": opencv,
            "library_torchvision": with_torchvision,
        }
        if peers is not None:
            contenders["floor_read_tensor"] = lambda head, _: peers.peer_read(
                pointer(head), ctypes.c_int64(head.nbytes)
            )
        raw = measure(contenders, frames, 8, rounds if confidence > 0.1 else max(10, rounds // 10))
        rows.append(
            {"task": f"yolo 84x8400 + nms, confidence {confidence}", "thread_cpu_ns": raw, "summary": summary(raw)}
        )
        print_row(rows[-1])
    return rows


def text_rows(peers: ctypes.CDLL | None, rounds: int) -> list[dict[str, Any]]:
    """CTC greedy of 40 x 6625 probabilities (PaddleOCR's Chinese charset); the tensor is cold."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 1, (40, 6625)).astype(np.float32)
    logits[np.arange(40), np.where(rng.random(40) < 0.4, 0, rng.integers(1, 6625, 40))] += 12
    table = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    frames = [np.roll(table, i, axis=0).copy() for i in range(RING_BYTES // table.nbytes + 1)]

    def as_written(frame: np.ndarray, _: np.ndarray) -> Any:
        """The shape of every OCR repository's decoder: argmax, max, a mask of repeats, the mean of what is kept."""
        best, score = frame.argmax(axis=1), frame.max(axis=1)
        kept, before = [], 0
        for step, symbol in enumerate(best):
            if symbol not in (0, before):
                kept.append((int(symbol), float(score[step])))
            before = symbol
        return kept

    def with_numpy(frame: np.ndarray, _: np.ndarray) -> Any:
        best = frame.argmax(axis=1)
        kept = np.flatnonzero((best != 0) & (best != np.concatenate([[0], best[:-1]])))
        return best[kept], frame[kept, best[kept]]

    contenders: dict[str, Contender] = {
        "mobilekit": lambda frame, _: kernels.ctc_greedy(frame),
        "numpy_as_written": as_written,
        "library_numpy": with_numpy,
    }
    if peers is not None:
        contenders["floor_read_tensor"] = lambda frame, _: peers.peer_read(pointer(frame), ctypes.c_int64(frame.nbytes))
    raw = measure(contenders, frames, 8, rounds)
    row = {"task": "ctc greedy 40x6625", "thread_cpu_ns": raw, "summary": summary(raw)}
    print_row(row)
    return [row]


def segmentation_rows(peers: ctypes.CDLL | None, rounds: int) -> list[dict[str, Any]]:
    """21 x 513 x 513 scores (DeepLab, Pascal VOC) -> mask of 1920 x 1080: resize, then argmax."""
    rng = np.random.default_rng(6)
    coarse = rng.normal(0, 4, (9, 9, 21)).astype(np.float32)  # regions of some 60 pixels, as a street or a table has
    scores = np.stack([cv2.resize(coarse[:, :, c], (513, 513), interpolation=cv2.INTER_CUBIC) for c in range(21)], 2)
    rows = []
    for layout in ("nhwc", "nchw"):
        output = np.ascontiguousarray(scores if layout == "nhwc" else scores.transpose(2, 0, 1))
        frames = [output.copy() for _ in range(RING_BYTES // output.nbytes + 1)]
        quantized = {f.ctypes.data: np.clip(np.rint(f * 8), -128, 127).astype(np.int8) for f in frames}
        mask = np.empty((1080, 1920), np.uint8)

        def planes(frame: np.ndarray, layout: str = layout) -> Any:
            return [frame[:, :, c] if layout == "nhwc" else frame[c] for c in range(21)]

        def as_written(frame: np.ndarray, _: np.ndarray) -> Any:
            resized = np.stack([cv2.resize(plane, (1920, 1080)) for plane in planes(frame)])
            return resized.argmax(axis=0).astype(np.uint8)

        def running_max(frame: np.ndarray, _: np.ndarray) -> Any:
            """OpenCV's best order: one class at a time, the largest so far kept."""
            best = None
            for c, plane in enumerate(planes(frame)):
                resized = cv2.resize(plane, (1920, 1080))
                if best is None:
                    best, classes = resized, np.zeros(resized.shape, np.uint8)
                    continue
                above = cv2.compare(resized, best, cv2.CMP_GT)
                cv2.max(best, resized, dst=best)
                cv2.copyTo(np.full_like(classes, c), above, classes)
            return classes

        contenders: dict[str, Contender] = {
            "mobilekit": lambda f, _, layout=layout, out=mask: kernels.segment(f, (1080, 1920), layout=layout, out=out),  # type: ignore[misc]
            "mobilekit_int8": lambda f, _, layout=layout, out=mask, by=quantized: kernels.segment(  # type: ignore[misc]
                by[f.ctypes.data], (1080, 1920), layout=layout, out=out
            ),
            "numpy_as_written": as_written,
            "library_opencv_running_max": running_max,
        }
        if peers is not None:
            contenders["floor_read_tensor"] = lambda f, _: peers.peer_read(pointer(f), ctypes.c_int64(f.nbytes))
        raw = measure(contenders, frames, 8, max(5, rounds // 20))
        task = f"segmentation 21x513x513 {layout} -> 1920x1080 mask"
        rows.append({"task": task, "thread_cpu_ns": raw, "summary": summary(raw)})
        print_row(rows[-1])
    return rows


def summary(raw: dict[str, list[int]]) -> dict[str, float]:
    """Medians in ms and ours against the others; names tell who is what: *_as_written, library_*, floor_*."""
    median = {name: float(np.median(values)) for name, values in raw.items()}
    ours = median["mobilekit"]
    result = {f"{name}_ms": value / 1e6 for name, value in median.items()}
    for name, value in median.items():
        if name.endswith("_as_written"):
            result["times_faster_than_as_written"] = value / ours
        if name.startswith("floor_"):
            result["of_floor"] = ours / value
    result["times_faster_than_best_library"] = min(v for n, v in median.items() if n.startswith("library_")) / ours
    return result


def print_row(row: dict[str, Any]) -> None:
    print(row["task"])
    for name, value in row["summary"].items():
        error = row.get("error_levels", {}).get(name.removesuffix("_ms"))
        note = f"   error p99 {error['p99']:.1f} levels" if error else ""
        print(f"  {name:32} {value:8.3f}{note}")


def machine() -> dict[str, Any]:
    facts = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    flags = facts.get("flags", facts.get("Features", "")).split()
    kept = ("avx2", "f16c", "fma", "avx512f", "avx512bw", "avx512vbmi", "avx512_vnni", "asimd", "asimddp")
    return {
        "cpu": facts.get("model name", platform.processor()),
        "cpu_family": facts.get("cpu family"),
        "cpu_model": facts.get("model"),
        "cache": facts.get("cache size"),
        "flags": [flag for flag in kept if flag in flags],
        "cpus": os.cpu_count(),
        "load_average_1min": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="calls of every contender (default 200)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    peers, reason = build_peers()
    facts = machine()
    facts["libyuv"] = peers.peer_libyuv_version().decode() if peers else f"missing: {reason}"
    print(f"{facts['cpu']}, {facts['cpus']} cpus, load {facts['load_average_1min']:.1f}; kernels: {kernels.describe()}")
    if facts["load_average_1min"] > 0.5 * (facts["cpus"] or 1):
        print("  the machine is busy: caches and memory are shared, so ratios count and milliseconds do not")
    if not peers:
        print(f"  no libyuv and no floor: {reason}")
    document = {
        "format": 1,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": facts,
        "kernels": kernels.describe(),
        "rows": [
            *preprocess_rows(peers, args.rounds),
            *rgba_rows(args.rounds),
            *detection_rows(peers, args.rounds),
            *text_rows(peers, args.rounds),
            *segmentation_rows(peers, args.rounds),
        ],
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"raw values: {args.output}")


if __name__ == "__main__":
    main()
