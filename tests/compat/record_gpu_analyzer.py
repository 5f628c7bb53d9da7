"""Records what TensorFlow's analyzer says about the GPU for the one-op cases, for ``test_gpu_analyzer.py``.

    python -m tests.compat.record_gpu_analyzer write FOLDER       (this environment: writes the files)
    OLD_PYTHON tests/compat/record_gpu_analyzer.py ask FOLDER     (TensorFlow 2.16 or 2.17: writes the answers)

The analyzer's GPU check was emptied in TensorFlow 2.18 (tensorflow/tensorflow issue 77042): since then it calls every
model compatible, so newer ones are no use here.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from pathlib import Path

ANSWERS = Path(__file__).parent / "gpu_analyzer.json"
_TROUBLE = re.compile(r"Subgraph#0 has GPU delegate compatibility issues")
_REASON = re.compile(r"GPU COMPATIBILITY WARNING: (?!Subgraph)(.*)")


def write_files(folder: Path) -> None:
    from mobilekit.graph.writer import write
    from tests.compat.xnnpack_cases import cases

    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for index, (name, graph) in enumerate(cases()):
        (folder / f"{index:04}.tflite").write_bytes(write(graph))
        names.append(name)
    (folder / "names.json").write_text(json.dumps(names))


def ask(folder: Path) -> None:
    import tensorflow as tf

    names = json.loads((folder / "names.json").read_text())
    answers = {}
    for index, name in enumerate(names):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            tf.lite.experimental.Analyzer.analyze(model_path=str(folder / f"{index:04}.tflite"), gpu_compatibility=True)
        text = printed.getvalue()
        reason = _REASON.search(text)
        answers[name] = (reason.group(1) if reason else "refused") if _TROUBLE.search(text) else ""
    ANSWERS.write_text(json.dumps({"tensorflow": tf.__version__, "answers": answers}, indent=1) + "\n")


if __name__ == "__main__":
    {"write": write_files, "ask": ask}[sys.argv[1]](Path(sys.argv[2]))
