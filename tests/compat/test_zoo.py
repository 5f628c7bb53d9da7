"""Whole networks, converted here: the table ``cpu`` against what XNNPACK takes of them, and a source line a finding."""

from __future__ import annotations

import pytest

from mobilekit.compat.check import check
from mobilekit.compat.observe import observe_xnnpack

torchvision = pytest.importorskip("torchvision")

# What `python -m benchmarks.compat` runs, cut down to the ones that XNNPACK cuts in pieces and one that it takes whole.
NETWORKS = ["mobilenet_v3_small", "densenet121", "shufflenet_v2_x0_5"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("recipe", [None, "int8"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_xnnpack_takes_what_the_table_says(name, recipe):
    import torch

    import mobilekit

    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(weights=None).eval()
    data = mobilekit.convert(model, (torch.rand(1, 3, 224, 224),), quantize=recipe, verify=False).bytes
    seen = observe_xnnpack(data)
    (cpu,) = check(data, "cpu").targets
    refused = {finding.op_index for finding in cpu.findings if not finding.supported}
    assert set(range(len(seen.ops))) - refused == seen.taken
    assert sorted(len(piece) for piece in seen.pieces) == sorted(cpu.partitions)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_finding_names_a_line_of_the_model(name):
    import torch

    model = getattr(torchvision.models, name)(weights=None).eval()
    report = check(model, "all", example_inputs=(torch.rand(1, 3, 224, 224),))
    findings = [finding for target in report.targets for finding in target.findings if not finding.supported]
    assert findings
    without = [finding for finding in findings if finding.source is None]
    assert len(without) <= 0.05 * len(findings)
