"""torchvision's mobile networks end to end: numbers equal PyTorch's, and plain CNNs hold no transpose."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch.nn.modules.batchnorm import _BatchNorm

from tests.frontends.direct.harness import check_lowering, random

# name -> transposes. ShuffleNet's channel shuffle is one by nature, in each of its 16 units.
_NETWORKS = {
    "mobilenet_v2": 0,
    "mobilenet_v3_small": 0,
    "mobilenet_v3_large": 0,
    "resnet18": 0,
    "efficientnet_b0": 0,
    "mnasnet0_5": 0,
    "squeezenet1_1": 0,
    "shufflenet_v2_x0_5": 16,
    "regnet_y_400mf": 0,
    "regnet_x_400mf": 0,
}
# The contract of a float conversion; measured 1e-6 to 2e-5 on these.
_TOLERANCE = 1e-3


@pytest.mark.parametrize("name", _NETWORKS)
def test_network(name: str) -> None:
    torch.manual_seed(0)
    network = getattr(torchvision.models, name)(num_classes=10)
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            # Fresh statistics (0 and 1) would let a batch norm that is folded wrongly pass.
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2.0)
    outcome = check_lowering(network, random(1, 3, 64, 64), delegate="xnnpack", tolerance=_TOLERANCE)
    assert outcome.kinds.get("TRANSPOSE", 0) == _NETWORKS[name]
