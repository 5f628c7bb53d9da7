"""Imported by the fork server of :mod:`mobilekit.compat.ci`, so that what every check needs is loaded once.

The first torch.export of a process loads some 1,500 modules; a model of one line makes it do so here, before the forks.
"""

from __future__ import annotations

import contextlib

with contextlib.suppress(Exception):  # Each process then loads for itself what it needs, and says what is wrong.
    import torch

    import mobilekit.frontends.direct.lower
    import mobilekit.graph.passes  # noqa: F401

    torch.export.export(torch.nn.ReLU(), (torch.zeros(1),))
