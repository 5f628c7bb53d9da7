from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest

from mobilekit.compat import tables
from mobilekit.compat.tables import NAMES, TableError, builtin_table, read_table, resolve, table_problems
from mobilekit.errors import InputError
from mobilekit.graph.schema import KIND_TO_CODE

TARGETS = [name for name in NAMES if name != "runtime"]


@pytest.mark.parametrize("name", TARGETS)
def test_packaged_tables_are_well_formed(name):
    assert list(table_problems(builtin_table(name))) == []


@pytest.mark.parametrize("name", [*TARGETS, "runtime", "tensorrt"])
def test_every_table_says_where_it_is_from(name):
    table = builtin_table(name)
    assert table["source"]["paths"]
    assert table["source"]["retrieved"]
    assert table["title"]
    assert table["ops"]


def test_the_table_of_builtins_fits_the_schema():
    for kind, entry in builtin_table("runtime")["ops"].items():
        assert KIND_TO_CODE[kind] == entry["code"]
        for version, release in entry["versions"].items():
            assert int(version) >= 1
            assert len(tables.parse_release(release)) == 3


def test_all_means_every_target_once_and_in_order():
    assert [target.name for target in resolve("all")] == list(NAMES)
    assert len(NAMES) == 10


def test_the_catalogue_names_every_target_with_its_source():
    found = {info.name: info for info in tables.catalogue()}
    assert list(found) == [*NAMES, "tensorrt"]
    assert found["cpu"].aliases == ("xnnpack",)
    assert found["cpu"].ops == 59
    assert (found["nnapi"].level_name, found["nnapi"].default_level) == ("Android SDK", 31)
    assert all(info.table_version.endswith("2026-11-22") for info in found.values())


def test_aliases_levels_and_commas():
    found = resolve("xnnpack, nnapi:29,qualcomm,cpu")
    assert [target.shown for target in found] == ["cpu", "nnapi:29", "qnn"]
    assert resolve(["runtime:2.14"])[0].release == "2.14"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("coremll", "unknown target 'coremll'; did you mean 'coreml'? Known are runtime, cpu, gpu"),
        ("toaster", "unknown target 'toaster'; Known are runtime, cpu"),
        ("tensorrt", "TensorRT's table is over ONNX ops"),
        ("nnapi:pie", "'nnapi:pie': the Android SDK must be a whole number, e.g. nnapi:31"),
        ("cpu:3", "target 'cpu' has no levels"),
        ("runtime:two", "'two' is no release; expected numbers such as 2.14"),
        ("", "no target was named"),
    ],
)
def test_unknown_targets_are_named_with_a_way_out(word, message):
    with pytest.raises(InputError) as caught:
        resolve(word)
    assert message in str(caught.value)


def own_table(**changes):
    table = {
        "format": 1,
        "target": "toaster",
        "names": ["toaster"],
        "title": "A toaster",
        "source": {"repo": "example/toaster", "paths": ["ops.md"], "commit": None, "retrieved": "2026-11-22"},
        "dtype_scope": "runtime",
        "ops": {"RELU": {"dtypes": ["fp32"], "constraints": [{"kind": "max_rank", "value": 4}]}},
    }
    return {**table, **changes}


def write(tmp_path, table):
    path = tmp_path / "toaster.json"
    path.write_text(table if isinstance(table, str) else json.dumps(table, indent=2))
    return str(path)


def test_a_table_of_ones_own_is_a_target(tmp_path):
    (target,) = resolve(write(tmp_path, own_table()))
    assert (target.name, target.table_version) == ("toaster", "example/toaster, 2026-11-22")


def ops(entry, name="RELU"):
    return {"ops": {name: {"dtypes": ["fp32"], "constraints": [], **entry}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"formt": 1}, "line 30: key 'formt' is not known, did you mean 'format'?"),
        ({"format": 2}, "line 2: format 2 is not known, this mobilekit reads 1"),
        ({"dtype_scope": "all"}, "line 16: dtype_scope 'all' is none of"),
        (ops({}, "RELLU"), "line 18: 'RELLU' is no TFLite op, did you mean 'RELU'?"),
        (ops({"constrains": []}), "key 'constrains' is not known, did you mean 'constraints'?"),
        (ops({"dtypes": ["float"]}), "'float' is no type"),
        (ops({"constraints": [{"kind": "max_rnk"}]}), "rule kind 'max_rnk' is not known, did you mean 'max_rank'?"),
        (ops({"constraints": [{"kind": "max_rank"}]}), "a 'max_rank' rule needs the key 'value'"),
        (ops({"constraints": [{"kind": "max_rank", "value": 4, "index": 0}]}), "key 'index' is not known"),
        (ops({"constraints": [{"kind": "relation", "rule": "axes_last", "text": ""}]}), "did you mean 'axis_last'?"),
        (ops({"constraints": [{"kind": "any_of", "options": [[{"kind": "rnk"}]]}]}), "rule kind 'rnk' is not known"),
        (ops({"constraints": ["max_rank"]}), "a rule is an object with a 'kind'"),
    ],
)  # fmt: skip
def test_a_typo_is_named_with_line_and_key(tmp_path, changes, message):
    with pytest.raises(TableError) as caught:
        read_table(write(tmp_path, own_table(**changes)))
    assert "toaster.json, line " in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_key_broken_json_and_a_missing_file(tmp_path):
    table = own_table()
    del table["source"]
    with pytest.raises(TableError, match="line 1: key 'source' is missing"):
        read_table(write(tmp_path, table))
    with pytest.raises(TableError, match="line 2: not JSON"):
        read_table(write(tmp_path, '{"format": 1,\n "ops": }'))
    with pytest.raises(TableError, match="cannot read the table"):
        read_table(tmp_path / "none.json")


def rules_of(table):
    for op, entry in table["ops"].items():
        for number, rule in enumerate(entry.get("constraints", [])):
            yield op, number, rule


@pytest.mark.parametrize("name", TARGETS)
def test_a_broken_kind_anywhere_in_a_packaged_table_is_found(name):
    """Mutation: break the first rule of each op in turn; each time exactly that is reported."""
    table = builtin_table(name)
    for op in {op for op, number, _ in rules_of(table)}:
        broken = copy.deepcopy(table["ops"][op])
        broken["constraints"][0]["kind"] += "x"
        changed = {**table, "ops": {**table["ops"], op: broken}}
        found = [where for where, _ in table_problems(changed)]
        assert found == [("ops", op, "constraints", 0, "kind")]


def test_loading_tables_needs_no_torch():
    code = "import sys, mobilekit.compat.tables as t; t.resolve('all'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
