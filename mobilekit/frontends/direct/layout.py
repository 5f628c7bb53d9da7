"""How an input of the graph is stored: channels last where the first op that cares wants an image."""

from __future__ import annotations

import torch

# Ops whose input is an image stored channels last; what they read decides how a graph input is stored.
_IMAGE_OPS = (
    "conv",
    "pool",
    "upsample",
    "interpolate",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
    "grid_sampl",
    "batch_norm",
    "instance_norm",
    "group_norm",
    "im2col",
)
# Ops that take any order, looked through when asking what reads an input.
_TRANSPARENT_OPS = (
    "add",
    "sub",
    "mul",
    "div",
    "relu",
    "clamp",
    "hardtanh",
    "pad",
    "sigmoid",
    "to",
    "_to_copy",
    "cat",
    "neg",
)


def feeds_image_op(node: torch.fx.Node) -> bool:
    """Whether the first op that cares how ``node`` is stored wants it channels last."""
    example = node.meta.get("val")
    if not isinstance(example, torch.Tensor) or example.dim() < 3:
        return False
    queue, seen = [node], {node}
    while queue:
        for user in queue.pop(0).users:
            name = getattr(user.target, "_opname", "")
            if any(name.startswith(op) or op in name for op in _IMAGE_OPS):
                return True
            if name.strip("_").split(".")[0] in _TRANSPARENT_OPS and user not in seen:
                seen.add(user)
                queue.append(user)
    return False
