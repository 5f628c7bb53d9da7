"""Small networks for sound, text and sequences, and the odd ones out. Seeded, no weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.zoo.blocks import Built, conv, noise, tokens


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


MODELS: dict[str, Callable[[], Built]] = {
    "crnn": lambda: (Crnn(), (noise(1, 1, 32, 96),)),
    "lstm_tagger": lambda: (Tagger(), (tokens(100, 2, 12),)),
    "gru_keyword": lambda: (Keyword(), (noise(1, 20, 40),)),
    "char_rnn": lambda: (CharRnn(), (tokens(64, 1, 1), noise(1, 1, 32))),
    "lstm_cell_decoder": lambda: (LstmCellDecoder(), (noise(2, 12),)),
    "ds_cnn": lambda: (DsCnn(), (noise(1, 1, 49, 10),)),
    "tcn": lambda: (Tcn(), (noise(1, 24, 40),)),
    "conv_tasnet": lambda: (Separator(), (noise(1, 1, 400),)),
    "wav2vec": lambda: (Wave2Vec(), (noise(1, 1, 1600),)),
    "whisper_encoder": lambda: (Whisper(), (noise(1, 40, 100),)),
    "bert": lambda: (Bert(), (tokens(120, 2, 16), (torch.arange(16) < torch.tensor([[16], [9]])).long())),
    "gpt": lambda: (Gpt(), (tokens(120, 1, 16),)),
    "transformer": lambda: (Translator(), (tokens(80, 1, 9), tokens(80, 1, 7))),
    "recommender": lambda: (Recommender(), (tokens(50, 4), tokens(80, 4), tokens(30, 4, 5))),
    "conv3d": lambda: (Volume(), (noise(1, 3, 8, 32, 32),)),
    "autoencoder": lambda: (Autoencoder(), (noise(1, 1, 28, 28),)),
}
