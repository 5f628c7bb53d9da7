from __future__ import annotations

import textwrap

import pytest

from mobilekit.compat.config import ConfigError, read_config
from mobilekit.compat.setup_ci import find_models, write_config
from mobilekit.errors import OutputError

SOURCE = """
    import torch
    from torch import nn

    def make() -> nn.Module: ...
    def make_with_inputs() -> tuple[torch.nn.Module, tuple]: ...
    def quoted(width: int = 3) -> "nn.Module": ...
    def needs(width) -> nn.Module: ...
    def keyword(*, width) -> nn.Module: ...
    def helper(): ...
    def _private() -> nn.Module: ...
    class Net(nn.Module):
        def __init__(self, width=3): ...
    class Wide(nn.Module):
        def __init__(self, width): ...
    raise SystemExit("this code must not run")
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.py").write_text(textwrap.dedent(SOURCE))
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "detector.tflite").write_bytes(b"")
    (tmp_path / "nets" / "detector.tflite").write_bytes(b"")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "other.tflite").write_bytes(b"")
    return tmp_path


def test_models_are_found_without_running_code(project):
    assert [(found.name, found.model) for found in find_models(project)] == [
        ("detector", "detector.tflite"),
        ("nets-detector", "nets/detector.tflite"),
        ("make", "nets/net.py:make"),
        ("make_with_inputs", "nets/net.py:make_with_inputs"),
        ("quoted", "nets/net.py:quoted"),
        ("Net", "nets/net.py:Net"),
    ]


def test_what_is_written_is_read_and_what_was_there_stays(project):
    (project / "pyproject.toml").write_text('[project]\nname = "app"')
    path, found = write_config(project)
    config = read_config(path)
    assert [entry.model for entry in config.models] == [entry.model for entry in found]
    assert path.read_text().startswith('[project]\nname = "app"\n\n[tool.mobilekit]\n')
    with pytest.raises(ConfigError, match="already; nothing was changed"):
        write_config(project)


def test_a_project_without_models_gets_a_section_to_fill_in(tmp_path):
    path, found = write_config(tmp_path)
    assert found == []
    assert "No model was found" in path.read_text()
    with pytest.raises(ConfigError, match="no models are listed"):
        read_config(path)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_config(tmp_path)
