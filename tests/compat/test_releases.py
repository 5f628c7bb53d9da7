"""The table of builtin versions against the old runtime itself: it loads exactly what the table says it can."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from mobilekit.compat.tables import builtin_table, parse_release
from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.writer import write

SCRIPT = Path(__file__).parent / "load_with_old_runtime.py"

# Ops whose options the runtime reads on loading and that may not be empty.
OPTIONS = {"BUCKETIZE": {"boundaries": [0.5]}}

PAIRS = [(kind, int(v)) for kind, entry in builtin_table("runtime")["ops"].items() for v in entry["versions"]]


def one_op_file(kind: str, version: int) -> bytes:
    """A file of one op at a version; only loading it makes sense."""
    x, y = Tensor("x", (1, 2), "float32"), Tensor("y", (1, 2), "float32")
    return write(Graph("main", [x], [y], [Op(kind, [x], [y], OPTIONS.get(kind, {}), version=version)]))


@pytest.mark.classic
def test_the_old_runtime_loads_exactly_what_the_table_says(classic_python, tmp_path):
    for kind, version in PAIRS:
        (tmp_path / f"{kind}.{version}.tflite").write_bytes(one_op_file(kind, version))
    done = subprocess.run([classic_python, SCRIPT, tmp_path], capture_output=True, text=True, check=True, timeout=120)
    answers = json.loads(done.stdout)
    mine = parse_release(answers["version"])
    releases = builtin_table("runtime")["ops"]
    wrong = [
        (kind, version, answers["errors"].get(f"{kind}.{version}"))
        for kind, version in PAIRS
        if (parse_release(releases[kind]["versions"][str(version)]) <= mine)
        != (f"{kind}.{version}" not in answers["errors"])
    ]
    assert wrong == []
    loaded = len(PAIRS) - len(answers["errors"])
    assert len(PAIRS) > 400
    assert 0 < loaded < len(PAIRS)
