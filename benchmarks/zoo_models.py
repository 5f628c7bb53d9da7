"""Small networks of the kinds that people put on phones and no model library has: written here, seeded, no weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

Built = tuple[nn.Module, tuple[Any, ...]]


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), act()
    )


# -- images to images ----------------------------------------------------------------------------------------------


class UNet(nn.Module):
    def __init__(self, bilinear: bool) -> None:
        super().__init__()
        widths = (16, 32, 64)
        self.down = nn.ModuleList(
            nn.Sequential(conv(i, o), conv(o, o)) for i, o in zip((3, *widths), widths, strict=False)
        )
        self.bottom = conv(64, 128)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), nn.Conv2d(2 * w, w, 1))
            if bilinear
            else nn.ConvTranspose2d(2 * w, w, 2, 2)
            for w in widths[::-1]
        )
        self.merge = nn.ModuleList(conv(2 * w, w) for w in widths[::-1])
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for block in self.down:
            x = block(x)
            kept.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), kept.pop()], 1))
        return self.head(x)


class Espcn(nn.Module):
    """Super-resolution by pixel shuffle, on top of a bicubic picture."""

    def __init__(self, bicubic: bool) -> None:
        super().__init__()
        self.bicubic = bicubic
        self.body = nn.Sequential(nn.Conv2d(3, 32, 5, 1, 2), nn.Tanh(), nn.Conv2d(32, 27, 3, 1, 1), nn.PixelShuffle(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        if self.bicubic:
            y = y + F.interpolate(x, scale_factor=3, mode="bicubic", align_corners=False)
        return y.clamp(0, 1)


class Style(nn.Module):
    """Fast style transfer: reflection padding, instance norm, nearest upsampling."""

    def __init__(self) -> None:
        super().__init__()

        def block(i: int, o: int, k: int, s: int) -> nn.Sequential:
            norm = nn.InstanceNorm2d(o, affine=True)
            return nn.Sequential(nn.ReflectionPad2d(k // 2), nn.Conv2d(i, o, k, s), norm, nn.ReLU())

        self.encode = nn.Sequential(block(3, 16, 9, 1), block(16, 32, 3, 2), block(32, 64, 3, 2))
        self.residual = nn.ModuleList(block(64, 64, 3, 1) for _ in range(2))
        self.decode = nn.Sequential(
            nn.Upsample(scale_factor=2), block(64, 32, 3, 1), nn.Upsample(scale_factor=2), block(32, 16, 3, 1)
        )
        self.out = nn.Sequential(nn.ReflectionPad2d(4), nn.Conv2d(16, 3, 9))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.encode(x)
        for block in self.residual:
            x = x + block(x)
        return self.out(self.decode(x))


class Generator(nn.Sequential):
    """DCGAN."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for i, o, s, p in ((64, 64, 1, 0), (64, 32, 2, 1), (32, 16, 2, 1)):
            layers += [nn.ConvTranspose2d(i, o, 4, s, p, bias=False), nn.BatchNorm2d(o), nn.ReLU()]
        super().__init__(*layers, nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Tanh())


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class NafNet(nn.Module):
    """Denoising: layer norm over channels, a gate that multiplies two halves, attention over channels."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, width, 3, 1, 1), nn.Conv2d(width, 3, 3, 1, 1)
        self.norm, self.wide = LayerNorm2d(width), nn.Conv2d(width, 2 * width, 1)
        self.depthwise = nn.Conv2d(2 * width, 2 * width, 3, 1, 1, groups=2 * width)
        self.attention = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width, 1))
        self.beta = nn.Parameter(torch.full((1, width, 1, 1), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.head(x)
        first, second = self.depthwise(self.wide(self.norm(y))).chunk(2, 1)
        gated = first * second
        return x + self.tail(y + self.beta * gated * self.attention(gated))


class ZeroDce(nn.Module):
    """Low-light enhancement: one curve applied again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.curves = nn.Sequential(conv(3, 16), conv(16, 16), nn.Conv2d(16, 12, 3, 1, 1), nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for curve in torch.split(self.curves(x), 3, 1):
            x = x + curve * (torch.pow(x, 2) - x)
        return x


class Depth(nn.Module):
    """Monocular depth: bilinear upsampling to the size of the skip, inverse depth out."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(conv(i, o, 3, 2, nn.ELU) for i, o in ((3, 16), (16, 32), (32, 64)))
        self.up = nn.ModuleList(conv(i, o, 3, 1, nn.ELU) for i, o in ((96, 32), (48, 16)))
        self.head = nn.Conv2d(16, 1, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, skip.shape[2:], mode="bilinear", align_corners=False), skip], 1))
        return 1 / (0.01 + 9.99 * torch.sigmoid(self.head(x)))


class ConvGru(nn.Module):
    """Video matting's recurrent step: state in, state out."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.encode, self.head = conv(3, channels), nn.Conv2d(channels, 1, 1)
        self.gates = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.candidate = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.encode(x)
        reset, update = torch.sigmoid(self.gates(torch.cat([x, state], 1))).split(x.shape[1], 1)
        candidate = torch.tanh(self.candidate(torch.cat([x, reset * state], 1)))
        state = (1 - update) * state + update * candidate
        return torch.sigmoid(self.head(state)), state


# -- finding things ------------------------------------------------------------------------------------------------


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


# -- sound, text, sequences ----------------------------------------------------------------------------------------


class Crnn(nn.Module):
    """Text in pictures: a CNN whose columns are a sequence for a two-way LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            conv(1, 16), nn.MaxPool2d(2), conv(16, 32), nn.MaxPool2d(2), conv(32, 48), nn.MaxPool2d((8, 1))
        )
        self.rnn, self.head = nn.LSTM(48, 32, 2, bidirectional=True, batch_first=True), nn.Linear(64, 37)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        columns = self.cnn(x).squeeze(2).permute(0, 2, 1)
        return self.head(self.rnn(columns)[0]).log_softmax(-1)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(100, 24), nn.Linear(64, 9)
        self.rnn = nn.LSTM(24, 32, bidirectional=True)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(self.words(tokens).transpose(0, 1))[0]).transpose(0, 1)


class Keyword(nn.Module):
    """Keyword spotting: GRU over frames, the last state classified."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(40, 48, 2, batch_first=True), nn.Linear(48, 12)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(frames)[1][-1])


class CharRnn(nn.Module):
    """A character model with its state outside: one step."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.rnn, self.head = nn.Embedding(64, 16), nn.RNN(16, 32), nn.Linear(32, 64)

    def forward(self, letter: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out, state = self.rnn(self.letters(letter), state)
        return self.head(out), state


class LstmCellDecoder(nn.Module):
    """A decoder that unrolls its own cell."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTMCell(12, 24), nn.Linear(24, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = c = torch.zeros(x.shape[0], 24)
        outputs = []
        for _ in range(5):
            h, c = self.cell(x, (h, c))
            x = self.head(h).softmax(-1)
            outputs.append(x)
        return torch.stack(outputs, 1)


class DsCnn(nn.Sequential):
    """Keyword spotting on a spectrogram, depthwise separable."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [nn.Conv2d(1, 32, (10, 4), (2, 2), (5, 1)), nn.BatchNorm2d(32), nn.ReLU()]
        for _ in range(3):
            layers += [nn.Conv2d(32, 32, 3, padding=1, groups=32), nn.BatchNorm2d(32), nn.ReLU(), conv(32, 32, 1)]
        super().__init__(*layers, nn.AvgPool2d((25, 5)), nn.Flatten(), nn.Linear(32, 12))


class Tcn(nn.Module):
    """Dilated causal convolutions: padded on both sides, the future cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv1d(24, 24, 3, padding=2 * d, dilation=d)) for d in (1, 2, 4)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = x + F.relu(layer(x)[..., : x.shape[-1]])
        return x


class Separator(nn.Module):
    """Conv-TasNet's shape: a learned filter bank, global norm, masks, and back by a transposed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Conv1d(1, 32, 16, 8, bias=False), nn.ConvTranspose1d(32, 1, 16, 8, bias=False)
        self.norm, self.mask = (
            nn.GroupNorm(1, 32),
            nn.Sequential(nn.Conv1d(32, 64, 1), nn.PReLU(), nn.Conv1d(64, 64, 1)),
        )

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        codes = F.relu(self.encode(wave))
        masks = self.mask(self.norm(codes)).view(-1, 2, 32, codes.shape[-1]).sigmoid()
        separate = (masks * codes.unsqueeze(1)).flatten(0, 1)
        return self.decode(separate).view(wave.shape[0], 2, -1)


class Wave2Vec(nn.Module):
    """Feature encoder of wav2vec 2.0, and a positional convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv1d(1, 32, 10, 5, bias=False), nn.GroupNorm(32, 32)
        self.rest = nn.ModuleList(nn.Conv1d(32, 32, k, 2, bias=False) for k in (3, 3, 2))
        self.project, self.position = nn.Linear(32, 48), nn.Conv1d(48, 48, 16, padding=8, groups=4)
        self.layer = nn.TransformerEncoderLayer(48, 4, 96, batch_first=True, activation="gelu", norm_first=True)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        x = F.gelu(self.norm(self.first(wave)))
        for layer in self.rest:
            x = F.gelu(layer(x))
        x = self.project(x.transpose(1, 2))
        x = x + F.gelu(self.position(x.transpose(1, 2))[:, :, :-1]).transpose(1, 2)
        return self.layer(x)


class Whisper(nn.Module):
    """Whisper's encoder, small: two convolutions over frames, sinusoids, pre-norm layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(40, 48, 3, padding=1), nn.Conv1d(48, 48, 3, 2, 1)
        self.register_buffer("position", torch.randn(50, 48, generator=torch.Generator().manual_seed(0)))
        layer = nn.TransformerEncoderLayer(48, 4, 96, batch_first=True, activation="gelu", norm_first=True)
        self.layers, self.norm = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.LayerNorm(48)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        x = F.gelu(self.second(F.gelu(self.first(mel)))).permute(0, 2, 1)
        return self.norm(self.layers(x + self.position))


class Bert(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.norm = nn.Embedding(120, 48), nn.Embedding(32, 48), nn.LayerNorm(48, eps=1e-12)
        layer = nn.TransformerEncoderLayer(48, 4, 96, batch_first=True, activation="gelu")
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(48, 3)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        places = torch.arange(tokens.shape[1]).unsqueeze(0)
        x = self.norm(self.words(tokens) + self.places(places))
        x = self.layers(x, src_key_padding_mask=mask == 0)
        return self.head(torch.tanh(x[:, 0]))


class Gpt(nn.Module):
    """A decoder-only model as people write it now: RMS norm, rotary positions, grouped queries, SwiGLU, ties."""

    def __init__(self, width: int = 48, heads: int = 4, groups: int = 2, length: int = 16) -> None:
        super().__init__()
        self.heads, self.groups, self.size = heads, groups, width // heads
        self.words, self.head = nn.Embedding(120, width), nn.Linear(width, 120, bias=False)
        self.head.weight = self.words.weight
        self.norm1, self.norm2, self.norm3 = (nn.RMSNorm(width) for _ in range(3))
        self.query, self.out = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.keys = nn.Linear(width, 2 * groups * self.size, bias=False)
        self.gate, self.up = nn.Linear(width, 96, bias=False), nn.Linear(width, 96, bias=False)
        self.down = nn.Linear(96, width, bias=False)
        angles = torch.outer(torch.arange(length), 10000.0 ** (-torch.arange(0, self.size, 2) / self.size))
        self.register_buffer("cos", torch.cat([angles.cos()] * 2, -1))
        self.register_buffer("sin", torch.cat([angles.sin()] * 2, -1))

    def _turn(self, x: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, -1)
        return x * self.cos + torch.cat([-second, first], -1) * self.sin

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.words(tokens)
        n, t, _ = x.shape
        y = self.norm1(x)
        q = self._turn(self.query(y).view(n, t, self.heads, self.size).transpose(1, 2))
        k, v = self.keys(y).view(n, t, 2, self.groups, self.size).unbind(2)
        k, v = self._turn(k.transpose(1, 2)), v.transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.out(y.transpose(1, 2).reshape(n, t, -1))
        y = self.norm2(x)
        x = x + self.down(F.silu(self.gate(y)) * self.up(y))
        return self.head(self.norm3(x))


class Translator(nn.Module):
    """nn.Transformer with a causal mask."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(80, 32)
        self.core = nn.Transformer(32, 4, 1, 1, 64, batch_first=True)
        self.head = nn.Linear(32, 80)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.head(self.core(self.words(source), self.words(target), tgt_mask=mask, tgt_is_causal=True))


class Recommender(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.users, self.items, self.tags = nn.Embedding(50, 16), nn.Embedding(80, 16), nn.EmbeddingBag(30, 16)
        self.head = nn.Sequential(nn.Linear(48, 32), nn.LeakyReLU(), nn.Linear(32, 1), nn.Sigmoid())

    def forward(self, user: torch.Tensor, item: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.users(user), self.items(item), self.tags(tags)], -1)).squeeze(-1)


class Volume(nn.Sequential):
    """3d convolutions over a clip."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv3d(3, 8, 3, (1, 2, 2), 1), nn.BatchNorm3d(8), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(8, 16, 3, 1, 1),
            nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(16, 5),
        )  # fmt: skip


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(conv(1, 8, 3, 2), conv(8, 16, 3, 2), nn.Flatten(), nn.Linear(784, 16))
        self.decode = nn.Sequential(
            nn.Linear(16, 784), nn.Unflatten(1, (16, 7, 7)), nn.ConvTranspose2d(16, 8, 3, 2, 1, 1), nn.Mish(),
            nn.ConvTranspose2d(8, 1, 3, 2, 1, 1), nn.Softplus(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x))


def _tokens(high: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, high, shape, generator=torch.Generator().manual_seed(3))


def _random(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(2))


MODELS: dict[str, Callable[[], Built]] = {
    "unet_transposed": lambda: (UNet(False), (_random(1, 3, 64, 64),)),
    "unet_bilinear": lambda: (UNet(True), (_random(1, 3, 64, 64),)),
    "espcn": lambda: (Espcn(False), (_random(1, 3, 32, 32),)),
    "espcn_bicubic": lambda: (Espcn(True), (_random(1, 3, 32, 32),)),
    "style_transfer": lambda: (Style(), (_random(1, 3, 64, 64),)),
    "dcgan": lambda: (Generator(), (_random(2, 64, 1, 1),)),
    "nafnet": lambda: (NafNet(), (_random(1, 3, 32, 32),)),
    "zero_dce": lambda: (ZeroDce(), (_random(1, 3, 32, 32),)),
    "depth": lambda: (Depth(), (_random(1, 3, 64, 48),)),
    "conv_gru": lambda: (ConvGru(), (_random(1, 3, 32, 32), _random(1, 16, 32, 32))),
    "yolo_v8_shaped": lambda: (Yolo(), (_random(1, 3, 128, 128),)),
    "yolo_v5_head": lambda: (YoloV5Head(), (_random(1, 3, 64, 64),)),
    "ssd_heads": lambda: (Ssd(), (_random(1, 3, 64, 64),)),
    "centernet": lambda: (CenterNet(), (_random(1, 3, 64, 64),)),
    "hourglass": lambda: (Hourglass(), (_random(1, 3, 64, 64),)),
    "spatial_transformer": lambda: (SpatialTransformer(), (_random(1, 1, 28, 28),)),
    "siamese": lambda: (Siamese(), (_random(1, 3, 32, 32), _random(1, 3, 32, 32).flip(-1))),
    "pointnet": lambda: (PointNet(), (_random(1, 3, 64),)),
    "crnn": lambda: (Crnn(), (_random(1, 1, 32, 96),)),
    "lstm_tagger": lambda: (Tagger(), (_tokens(100, 2, 12),)),
    "gru_keyword": lambda: (Keyword(), (_random(1, 20, 40),)),
    "char_rnn": lambda: (CharRnn(), (_tokens(64, 1, 1), _random(1, 1, 32))),
    "lstm_cell_decoder": lambda: (LstmCellDecoder(), (_random(2, 12),)),
    "ds_cnn": lambda: (DsCnn(), (_random(1, 1, 49, 10),)),
    "tcn": lambda: (Tcn(), (_random(1, 24, 40),)),
    "conv_tasnet": lambda: (Separator(), (_random(1, 1, 400),)),
    "wav2vec": lambda: (Wave2Vec(), (_random(1, 1, 1600),)),
    "whisper_encoder": lambda: (Whisper(), (_random(1, 40, 100),)),
    "bert": lambda: (Bert(), (_tokens(120, 2, 16), (torch.arange(16) < torch.tensor([[16], [9]])).long())),
    "gpt": lambda: (Gpt(), (_tokens(120, 1, 16),)),
    "transformer": lambda: (Translator(), (_tokens(80, 1, 9), _tokens(80, 1, 7))),
    "recommender": lambda: (Recommender(), (_tokens(50, 4), _tokens(80, 4), _tokens(30, 4, 5))),
    "conv3d": lambda: (Volume(), (_random(1, 3, 8, 32, 32),)),
    "autoencoder": lambda: (Autoencoder(), (_random(1, 1, 28, 28),)),
}
