"""Small networks from images to images: segmentation, super-resolution, style, depth. Seeded, no weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.zoo.blocks import Built, conv, noise


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


MODELS: dict[str, Callable[[], Built]] = {
    "unet_transposed": lambda: (UNet(False), (noise(1, 3, 64, 64),)),
    "unet_bilinear": lambda: (UNet(True), (noise(1, 3, 64, 64),)),
    "espcn": lambda: (Espcn(False), (noise(1, 3, 32, 32),)),
    "espcn_bicubic": lambda: (Espcn(True), (noise(1, 3, 32, 32),)),
    "style_transfer": lambda: (Style(), (noise(1, 3, 64, 64),)),
    "dcgan": lambda: (Generator(), (noise(2, 64, 1, 1),)),
    "nafnet": lambda: (NafNet(), (noise(1, 3, 32, 32),)),
    "zero_dce": lambda: (ZeroDce(), (noise(1, 3, 32, 32),)),
    "depth": lambda: (Depth(), (noise(1, 3, 64, 48),)),
    "conv_gru": lambda: (ConvGru(), (noise(1, 3, 32, 32), noise(1, 16, 32, 32))),
}
