from __future__ import annotations

import copy

import pytest

from mobilekit.compat.drift import SWITCHES, VERSIONS, against_checkout, between, ops_in_switch, versions_in
from mobilekit.compat.tables import builtin_table
from mobilekit.errors import InputError

SOURCE = """
bool Take(int op);  // a declaration
bool Other(int op) { switch (op) { case kTfLiteBuiltinAbs: return true; } }
bool Take(int op) {
  if (op) { Other(op); }
  switch (op) {
    case kTfLiteBuiltinConv2d:
    case kTfLiteBuiltinReluN1To1: { return true; }
    case kTfLiteBuiltinDelegate: return false;
  }
}
"""


def test_ops_are_read_from_the_one_switch():
    assert ops_in_switch(SOURCE, "Take(") == {"CONV_2D", "RELU_N1_TO_1"}
    assert ops_in_switch(SOURCE, None) == {"ABS", "CONV_2D", "RELU_N1_TO_1"}
    assert ops_in_switch(SOURCE, "NoSuch(") == set()


def test_versions_are_read_as_the_map_holds_them():
    text = (
        '{{BuiltinOperator_ABS, 1}, "1.13.0"},\n {{BuiltinOperator_ABS, 2}, "2.4.0"}, {{BuiltinOperator_ABS, 2}, "9.9"}'
    )
    assert versions_in(text) == {"ABS": {"1": "1.13.0", "2": "2.4.0"}}


def camel(kind):
    return "".join(part.capitalize() for part in kind.split("_"))


@pytest.fixture
def checkout(tmp_path):
    """Sources that say exactly what the tables say."""
    for target, (name, function) in SWITCHES.items():
        cases = "\n".join(f"case kTfLiteBuiltin{camel(kind)}:" for kind in builtin_table(target)["ops"])
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"int {function}int op) {{ switch (op) {{ {cases} return 1; }} }}")
    pairs = [
        f'{{{{BuiltinOperator_{kind}, {version}}}, "{release}"}},'
        for kind, entry in builtin_table("runtime")["ops"].items()
        for version, release in entry["versions"].items()
    ]
    path = tmp_path / VERSIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(pairs))
    return tmp_path


def test_sources_that_say_the_same_have_no_difference(checkout):
    assert against_checkout(checkout) == []


def test_every_difference_is_one_line(checkout):
    for name, old, new in [
        (SWITCHES["cpu"][0], "kTfLiteBuiltinAbs:", "kTfLiteBuiltinWhere:"),
        (VERSIONS, '{{BuiltinOperator_ABS, 1}, "1.13.0"},', '{{BuiltinOperator_ABS, 1}, "1.14.0"},'),
        (VERSIONS, "{{BuiltinOperator_ABS, 5}", "{{BuiltinOperator_ABS, 6}"),
    ]:
        path = checkout / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    (checkout / SWITCHES["coreml"][0]).unlink()
    (checkout / SWITCHES["nnapi"][0]).write_text("// nothing")
    assert against_checkout(checkout) == [
        "cpu: WHERE is new",
        "cpu: ABS is gone",
        "nnapi: no switch over ops was found; the source has changed its form",
        "coreml: there is no tflite/delegates/coreml/coreml_delegate.mm",
        "runtime: ABS version 1 is from 1.14.0, the table says 1.13.0",
        "runtime: ABS version 6 is new, from 2.12.0",
        "runtime: ABS version 5 is gone",
    ]


def test_a_folder_that_is_no_checkout(tmp_path):
    with pytest.raises(InputError, match="is no checkout of LiteRT"):
        against_checkout(tmp_path)


def test_two_tables():
    old = builtin_table("cpu")
    new = copy.deepcopy(old)
    assert between(old, new) == []
    del new["ops"]["ABS"]
    new["ops"]["WHERE"] = {"dtypes": [], "constraints": []}
    new["ops"]["NEG"]["dtypes"] = ["fp32"]
    new["ops"]["EXP"]["constraints"][0]["max"] = 2
    assert between(old, new) == [
        "WHERE: added",
        "ABS: removed",
        'EXP: rule added {"kind": "num_inputs", "max": 2, "min": 1}',
        'EXP: rule removed {"kind": "num_inputs", "max": 1, "min": 1}',
        'NEG: dtypes ["fp32", "fp16"] -> ["fp32"]',
    ]
