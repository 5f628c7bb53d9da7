"""The libmobilekit.so that the APK ships, run here: arm64 under qemu, x86-64 as it is, through its JNI functions.

bionic is stood in for by a libc.so of the five functions that the library needs.
"""

# ruff: noqa: E501 (tables and commands of tools are read across)

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobilekit import kernels
from mobilekit.tasks.detection import DECODERS
from tests.android.support import case_bytes, head_bytes, module, need, run_checked, text_bytes
from tests.android.test_jvm import detections, preprocessor_of, readings
from tests.kernels.cases import read_cases

HERE = Path(__file__).parent
MACHINES = {
    "arm64-v8a": ("aarch64-linux-gnu-g++", ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]),
    "x86_64": ("g++", []),
}
SHIM = """
#include <stddef.h>
#include <stdlib.h>
void* memcpy(void* to, const void* from, size_t n) { char* t = to; const char* f = from; while (n--) *t++ = *f++; return to; }
void* memmove(void* to, const void* from, size_t n) {
  char* t = to; const char* f = from;
  if (t < f) while (n--) *t++ = *f++; else while (n--) t[n] = f[n];
  return to;
}
void* memset(void* to, int v, size_t n) { char* t = to; while (n--) *t++ = (char)v; return to; }
int memcmp(const void* a, const void* b, size_t n) {
  const unsigned char *x = a, *y = b;
  for (; n--; ++x, ++y) if (*x != *y) return *x - *y;
  return 0;
}
void __stack_chk_fail(void) { abort(); }
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=list(MACHINES))
def run_library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Cases -> [(status, output bytes)]."""
    abi = request.param
    compiler, emulator = MACHINES[abi]
    need({"clang++": "clang", "ld.lld": "lld", compiler: "g++-aarch64-linux-gnu g++"})
    if emulator:
        need({emulator[0]: "qemu-user-static"})
    build = module("build")
    build.BUILD.mkdir(exist_ok=True)
    library = build.build_library(next(a for a in build.ABIS if a.name == abi))
    folder = tmp_path_factory.mktemp(abi)
    (folder / "shim.c").write_text(SHIM)
    (folder / "shim.map").write_text("LIBC { global: *; };")
    run_checked([compiler.replace("g++", "gcc"), "-shared", "-fPIC", "-O1", "-fno-builtin", "-fno-tree-loop-distribute-patterns",
                 "-Wl,-soname,libc.so", f"-Wl,--version-script={folder / 'shim.map'}", folder / "shim.c", "-o", folder / "libc.so"])  # fmt: skip
    driver = folder / "driver"
    headers = [f"-I{build.jni_headers()}", f"-I{build.jni_headers()}/linux"]
    run_checked([compiler, "-std=c++17", "-O1", *headers, HERE / "jni_driver.cc", "-ldl", "-o", driver])

    def run(cases: bytes) -> bytes:
        (folder / "cases").write_bytes(cases)
        path = ["-E", f"LD_LIBRARY_PATH={folder}"] if emulator else []
        environment = {} if emulator else {"LD_LIBRARY_PATH": str(folder)}
        run_checked(
            [*emulator, *path, driver, library, folder / "cases", folder / "answers"],
            env={"PATH": "/usr/bin:/bin", **environment},
        )
        return (folder / "answers").read_bytes()

    return run


def test_gives_the_bytes_of_python_on_every_case(run_library) -> None:
    requests = [case.request() for case in read_cases()]
    assert len(requests) > 100
    answers = run_library(b"".join(map(case_bytes, requests)))
    at = 0
    for case, request in zip(read_cases(), requests, strict=True):
        expected = kernels.run(request).tobytes()
        (status,) = struct.unpack_from("<i", answers, at)
        assert status == 0, case
        assert answers[at + 4 : at + 4 + len(expected)] == expected, case
        at += 4 + len(expected)
    assert at == len(answers)


def test_heads_give_the_detections_of_python(run_library) -> None:
    """yoloScratchBytes, detectYolo and boxesToFrame, over every strange frame of test_jvm."""
    asked, expected = [], []
    for _, case, document, values in detections():
        request = preprocessor_of(case).request(case["image"])
        spec, q = document.postprocess, document.outputs[0].quantization
        asked.append(head_bytes(values, request, spec, q))
        decoder = DECODERS[spec.decoder]
        found = kernels.detect_yolo(
            values, confidence=spec.score_threshold, iou_threshold=spec.iou_threshold, layout=decoder.layout,
            objectness=decoder.objectness, max_detections=spec.max_results, scale=q.scale if q else 1.0,
            zero_point=q.zero_point if q else 0,
        )  # fmt: skip
        boxes = kernels.boxes_to_frame(found.boxes, request)
        expected.append(struct.pack("<i", len(found)) + b"".join(
            box.tobytes() + np.float32(score).tobytes() + struct.pack("<2i", index, anchor)
            for box, score, index, anchor in zip(boxes, found.scores, found.classes, found.anchors, strict=True)
        ))  # fmt: skip
    assert sum(map(len, expected)) > 300 * 28
    assert run_library(b"".join(asked)) == b"".join(expected)


def test_texts_give_the_symbols_of_python(run_library) -> None:
    asked, expected = [], []
    for _, document, values in readings():
        q, blank = document.outputs[0].quantization, document.postprocess.blank
        asked.append(text_bytes(values, blank, q))
        read = kernels.ctc_greedy(values, blank=blank, scale=q.scale if q else 1.0, zero_point=q.zero_point if q else 0)
        expected.append(
            struct.pack("<i", len(read)) + read.symbols.tobytes() + read.steps.tobytes() + read.scores.tobytes()
        )
    assert run_library(b"".join(asked)) == b"".join(expected)


def test_refuses_heads_and_texts_that_cannot_be(run_library) -> None:
    _, case, document, values = detections()[0]
    head = head_bytes(values, preprocessor_of(case).request(case["image"]), document.postprocess, None)
    anchors = bytearray(head)
    struct.pack_into("<i", anchors, 4 * 3, values.shape[-1] + 1)  # one more than the tensor has
    threshold = bytearray(head)
    struct.pack_into("<d", threshold, 4 * 9 + 8, 1.5)
    _, document, values = readings()[0]
    text = text_bytes(values, 0, None)
    steps, blank = bytearray(text), bytearray(text)
    struct.pack_into("<i", steps, 4 * 3, values.shape[-2] + 1)
    struct.pack_into("<i", blank, 4 * 5, values.shape[-1])
    answers = run_library(b"".join((anchors, threshold, steps, blank)))
    # -BUFFER_TOO_SMALL, -THRESHOLD, -BUFFER_TOO_SMALL, -RANGE of cpp/include/mobilekit/status.h.
    assert struct.unpack("<4i", answers) == (-6, -20, -6, -16)


def test_refuses_what_cannot_be(run_library) -> None:
    good = next(c.request() for c in read_cases() if c.fields["format"] == "nv21" and c.number("width") > 30)
    short = replace(good.image)
    object.__setattr__(short, "planes", (good.image.planes[0][:-1], *good.image.planes[1:]))
    strides = replace(good.image)
    object.__setattr__(strides, "row_strides", (good.image.width - 1, *good.image.row_strides[1:]))
    empty = replace(good.image)
    object.__setattr__(empty, "planes", (np.zeros(0, np.uint8), *good.image.planes[1:]))
    broken = [
        replace(good, image=short),
        replace(good, image=strides),
        replace(good, image=empty),
        replace(good, rotation=45),
    ]
    answers = run_library(b"".join(map(case_bytes, broken)))
    # BUFFER_TOO_SMALL, ROW_STRIDE, NULL_POINTER, ROTATION of cpp/include/mobilekit/status.h; no output follows a status.
    assert struct.unpack("<4i", answers) == (6, 4, 1, 8)
