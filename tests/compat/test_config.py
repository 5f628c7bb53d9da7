from __future__ import annotations

import textwrap

import pytest

from mobilekit.compat.config import ConfigError, line_of_key, read_config

GOOD = """
    [project]
    name = "app"

    [tool.mobilekit]
    targets = ["cpu", "gpu", "nnapi:29"]
    runtime-min = "2.14"
    min-coverage = { cpu = 1.0, gpu = 0.9 }

    [[tool.mobilekit.models]]
    name = "classifier"
    model = "nets/classifier.py:make"
    min-coverage = { gpu = 0.5 }
    max-pieces = { nnapi = 3 }

    [[tool.mobilekit.models]]
    model = "detector.tflite"
    targets = ["cpu"]

    [tool.mobilekit.reports]
    junit = "out/mobilekit.xml"
"""


def write(tmp_path, text):
    path = tmp_path / "pyproject.toml"
    path.write_text(textwrap.dedent(text).lstrip())
    return path


def test_a_section_is_read_with_the_bars_of_a_model_over_those_for_all(tmp_path):
    config = read_config(write(tmp_path, GOOD))
    first, second = config.models
    assert [entry.label for entry in config.models] == ["classifier", "detector"]
    assert config.bars_of(first).min_coverage == {"cpu": 1.0, "gpu": 0.5}
    assert config.bars_of(first).max_pieces == {"nnapi": 3}
    assert config.bars_of(second).runtime_min == "2.14"
    assert config.targets_of(second) == ("cpu",)
    assert config.reports == {"junit": "out/mobilekit.xml"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("targets = [\"cpu\"]", "targts = [\"cpu\"]", "line 17: key 'targts' is not known, did you mean 'targets'?"),
        ("runtime-min", "runtim-min", "line 6: key 'runtim-min' is not known, did you mean 'runtime-min'?"),
        ('"2.14"', '"two"', "line 6: 'runtime-min' is 'two': 'two' is no release"),
        ("gpu = 0.9", "gpu = 1.5", "line 7: min-coverage of 'gpu' is 1.5, it is a share from 0 to 1 (0.95 is 95 %)"),
        ("gpu = 0.5", "gpu = 95", "line 12: min-coverage of 'gpu' is 95"),
        ("gpu = 0.9", "gpuu = 0.9", "line 7: a bar for 'gpuu', which is not among the targets; did you mean 'gpu'?"),
        ("nnapi = 3", "hexagon = 3", "line 13: a bar for 'hexagon', which is not among the targets"),
        ("nnapi = 3", "nnapi = 0", "'nnapi' is 0: Input should be greater than or equal to 1"),
        ('"nnapi:29"', '"nnap:29"', "line 5: unknown target 'nnap:29'; did you mean 'nnapi'?"),
        ('model = "detector.tflite"', 'nam = "x"', "key 'model' is missing"),
        ('"detector.tflite"', '"classifier.tflite"', "two models are called 'classifier'; give one of them"),
        ("junit =", "junitt =", "line 20: report format 'junitt' is not known, did you mean 'junit'?"),
        ("[project]", "[project", "at line 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_line_and_key(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        read_config(write(tmp_path, GOOD.replace(old, new)))
    assert "pyproject.toml" in str(caught.value)
    assert message in str(caught.value)


def test_all_mistakes_come_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_config(write(tmp_path, GOOD.replace("runtime-min", "runtim-min").replace("gpu = 0.5", "gpu = 95")))
    assert "runtim-min" in str(caught.value)
    assert "is 95" in str(caught.value)


def test_no_section_no_models_no_file(tmp_path):
    with pytest.raises(ConfigError, match=r"has no section \[tool.mobilekit\]; write one, or run: mobilekit ci init"):
        read_config(write(tmp_path, "[project]\nname = 'a'\n"))
    with pytest.raises(ConfigError, match=r"line 1: no models are listed"):
        read_config(write(tmp_path, "[tool.mobilekit]\ntargets = ['cpu']\n"))
    with pytest.raises(ConfigError, match="cannot read"):
        read_config(tmp_path / "none.toml")


def test_lines_of_keys():
    text = textwrap.dedent(GOOD).lstrip()
    assert line_of_key(text, ("targets",)) == 5
    assert line_of_key(text, ("models", 1, "targets")) == 17
    assert line_of_key(text, ("models", 0, "max-pieces", "nnapi")) == 13
    assert line_of_key(text, ("no-such",)) == 4


def test_a_target_is_found_at_its_own_bar():
    text = '[tool.mobilekit]\ntargets = ["gpu"]\nmax-pieces = { gpu = 3 }\nmin-coverage = { gpu = 95 }\n'
    assert line_of_key(text, ("min-coverage", "gpu")) == 4
    assert line_of_key(text, ("max-pieces", "gpu")) == 3
    assert line_of_key("[tool.mobilekit]\n[tool.mobilekit.min-coverage]\ngpu = 95\n", ("min-coverage", "gpu")) == 3
