"""Small networks that find things: detectors, key points, embeddings, point clouds. Seeded, no weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.zoo.blocks import Built, conv, noise


class C2f(nn.Module):
    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.half = outputs // 2
        self.first = conv(width, outputs, 1, 1, nn.SiLU)
        self.block = nn.Sequential(conv(self.half, self.half, 3, 1, nn.SiLU), conv(self.half, self.half, 3, 1, nn.SiLU))
        self.last = conv(3 * self.half, outputs, 1, 1, nn.SiLU)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = list(self.first(x).chunk(2, 1))
        parts.append(parts[-1] + self.block(parts[-1]))
        return self.last(torch.cat(parts, 1))


class Yolo(nn.Module):
    """Shaped like YOLOv8: C2f blocks, SPPF, a top-down path, and boxes read from a distribution over distances."""

    def __init__(self, classes: int = 8, bins: int = 16) -> None:
        super().__init__()
        self.bins, self.classes = bins, classes
        self.stem = nn.Sequential(conv(3, 16, 3, 2, nn.SiLU), conv(16, 32, 3, 2, nn.SiLU), C2f(32, 32))
        self.p3 = nn.Sequential(conv(32, 48, 3, 2, nn.SiLU), C2f(48, 48))
        self.p4 = nn.Sequential(conv(48, 64, 3, 2, nn.SiLU), C2f(64, 64))
        self.sppf_in, self.sppf_out = conv(64, 32, 1, 1, nn.SiLU), conv(128, 64, 1, 1, nn.SiLU)
        self.merge = C2f(112, 48)
        self.heads = nn.ModuleList(nn.Conv2d(w, 4 * bins + classes, 1) for w in (48, 64))
        self.register_buffer("weights", torch.arange(bins, dtype=torch.float32))
        self.register_buffer("anchors", torch.cat([self._grid(16, 8), self._grid(8, 16)], 1))

    @staticmethod
    def _grid(size: int, stride: int) -> torch.Tensor:
        y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
        return torch.stack([x.flatten(), y.flatten(), torch.full((size * size,), float(stride))])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        p3 = self.p3(self.stem(x))
        y = self.sppf_in(self.p4(p3))
        pools = [y]
        for _ in range(3):
            pools.append(F.max_pool2d(pools[-1], 5, 1, 2))
        p4 = self.sppf_out(torch.cat(pools, 1))
        p3 = self.merge(torch.cat([F.interpolate(p4, scale_factor=2.0, mode="nearest"), p3], 1))
        out = torch.cat([head(p).flatten(2) for head, p in zip(self.heads, (p3, p4), strict=True)], 2)
        box, scores = out.split((4 * self.bins, self.classes), 1)
        distance = box.view(box.shape[0], 4, self.bins, -1).softmax(2)
        distance = (distance * self.weights.view(1, 1, -1, 1)).sum(2)
        near, far = distance.chunk(2, 1)
        first, last = self.anchors[:2] - near, self.anchors[:2] + far
        boxes = torch.cat([(first + last) / 2, last - first], 1) * self.anchors[2:]
        return torch.cat([boxes, scores.sigmoid()], 1)


class YoloV5Head(nn.Module):
    """The older head: anchors, five-dimensional views, in-place slices avoided."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*(conv(i, o, 3, 2, nn.LeakyReLU) for i, o in ((3, 16), (16, 32), (32, 64))))
        self.head = nn.Conv2d(64, 3 * 13, 1)
        self.register_buffer("anchor", torch.rand(1, 3, 1, 1, 2, generator=torch.Generator().manual_seed(0)) * 50)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.head(self.body(x))
        n, _, h, w = y.shape
        y = y.view(n, 3, 13, h, w).permute(0, 1, 3, 4, 2).contiguous().sigmoid()
        rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        grid = torch.stack((columns, rows), 2).view(1, 1, h, w, 2).float()
        xy = (y[..., :2] * 2.0 - 0.5 + grid) * 8
        wh = (y[..., 2:4] * 2) ** 2 * self.anchor
        return torch.cat((xy, wh, y[..., 4:]), -1).view(n, -1, 13)


class Ssd(nn.Module):
    """Box and class heads over two scales, no NMS."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.Sequential(conv(3, 16, 3, 2), conv(16, 32, 3, 2)), conv(32, 64, 3, 2)])
        self.box = nn.ModuleList(nn.Conv2d(w, 24, 3, padding=1) for w in (32, 64))
        self.kind = nn.ModuleList(nn.Conv2d(w, 30, 3, padding=1) for w in (32, 64))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        boxes, kinds = [], []
        for stage, box, kind in zip(self.stages, self.box, self.kind, strict=True):
            x = stage(x)
            boxes.append(box(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, 4))
            kinds.append(kind(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, 5))
        return {"boxes": torch.cat(boxes, 1), "scores": torch.cat(kinds, 1).softmax(-1)}


class CenterNet(nn.Module):
    """Heat map with its peaks: a max-pool that keeps local maxima, and top-k."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 16, 3, 2), conv(16, 32, 3, 2))
        self.heat, self.size = nn.Conv2d(32, 4, 1), nn.Conv2d(32, 2, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = self.body(x)
        heat = self.heat(x).sigmoid()
        peaks = heat * (F.max_pool2d(heat, 3, 1, 1) == heat).float()
        scores, where = peaks.flatten(1).topk(20)
        return scores, where, self.size(x)


class Hourglass(nn.Module):
    """Key points: heat maps, and the soft argmax over them."""

    def __init__(self, points: int = 7) -> None:
        super().__init__()
        self.stem, self.down, self.middle = conv(3, 24, 3, 2), conv(24, 48, 3, 2), conv(48, 48)
        self.up = nn.ConvTranspose2d(48, 24, 4, 2, 1)
        self.head = nn.Conv2d(24, points, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        skip = self.stem(x)
        heat = self.head(F.relu(self.up(self.middle(self.down(skip))) + skip))
        n, k, h, w = heat.shape
        share = heat.view(n, k, -1).softmax(-1).view(n, k, h, w)
        x_mean = (share.sum(2) * torch.arange(w, dtype=torch.float32)).sum(-1)
        y_mean = (share.sum(3) * torch.arange(h, dtype=torch.float32)).sum(-1)
        return heat, torch.stack([x_mean, y_mean], -1)


class SpatialTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.locate = nn.Sequential(conv(1, 8, 7, 2), conv(8, 10, 5, 2), nn.Flatten(), nn.Linear(490, 6))
        self.classify = nn.Sequential(conv(1, 8, 3, 2), conv(8, 16, 3, 2), nn.Flatten(), nn.Linear(784, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = torch.tensor([1.0, 0, 0, 0, 1, 0])
        theta = (self.locate(x) * 0.1 + identity).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        return self.classify(F.grid_sample(x, grid, align_corners=False)).log_softmax(-1)


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 16, 3, 2), conv(16, 32, 3, 2), nn.AdaptiveAvgPool2d(2), nn.Flatten())

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return F.cosine_similarity(F.normalize(self.body(a)), F.normalize(self.body(b)))


class PointNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.align = nn.Sequential(nn.Conv1d(3, 16, 1), nn.BatchNorm1d(16), nn.ReLU())
        self.matrix = nn.Linear(16, 9)
        self.points = nn.Sequential(nn.Conv1d(3, 32, 1), nn.BatchNorm1d(32), nn.ReLU(), nn.Conv1d(32, 64, 1))
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        turn = self.matrix(self.align(x).max(2)[0]).view(-1, 3, 3) + torch.eye(3)
        x = torch.bmm(x.transpose(2, 1), turn).transpose(2, 1)
        return self.head(torch.max(self.points(x), 2)[0])


MODELS: dict[str, Callable[[], Built]] = {
    "yolo_v8_shaped": lambda: (Yolo(), (noise(1, 3, 128, 128),)),
    "yolo_v5_head": lambda: (YoloV5Head(), (noise(1, 3, 64, 64),)),
    "ssd_heads": lambda: (Ssd(), (noise(1, 3, 64, 64),)),
    "centernet": lambda: (CenterNet(), (noise(1, 3, 64, 64),)),
    "hourglass": lambda: (Hourglass(), (noise(1, 3, 64, 64),)),
    "spatial_transformer": lambda: (SpatialTransformer(), (noise(1, 1, 28, 28),)),
    "siamese": lambda: (Siamese(), (noise(1, 3, 32, 32), noise(1, 3, 32, 32).flip(-1))),
    "pointnet": lambda: (PointNet(), (noise(1, 3, 64),)),
}
