"""A small causal transformer: Vaswani et al. 2017 (arXiv:1706.03762), normalized before layers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Count, Depth, Positive, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.sequences import SequenceGenerator, State, embedded
from gan_cli.networks.network import networks
from gan_cli.utils.errors import ConfigError


@networks.register("transformer_generator")
class TransformerGenerator(SequenceGenerator):
    """Attends to all tokens so far; in sampling, their keys and values are kept."""

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels
        depth: Depth = 2,  # blocks of attention and a hidden layer
        heads: Count = 4,  # of the attention
        hidden: Count = 4,  # units of the hidden layer, in widths
        init_std: Positive = 0.02,  # of the embeddings and the output
    ) -> None:
        super().__init__(spec)
        if width % heads:
            raise ConfigError(f"heads: {heads} do not divide width={width}; type heads=1, say")
        self.heads, self.size = heads, width // heads
        self.embedding = nn.Parameter(init_std * torch.randn(self.tokens, width))
        self.position = nn.Parameter(init_std * torch.randn(self.length, width))
        self.blocks = nn.ModuleList(Block(width, heads, hidden * width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, self.tokens)
        nn.init.normal_(self.output.weight, std=init_std)
        nn.init.zeros_(self.output.bias)

    def start(self, rows: int) -> State:
        empty = self.embedding.new_zeros(rows, self.heads, 0, self.size)
        return (empty,) * (2 * len(self.blocks))

    def advance(self, previous: Tensor, state: State) -> tuple[Tensor, State]:
        place = state[0].shape[2]
        x = (embedded(previous, self.embedding) + self.position[place])[:, None]
        kept: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            x, *memory = block(x, state[2 * i : 2 * i + 2])
            kept += memory
        return self.output(self.norm(x[:, 0])), tuple(kept)

    def all_logits(self, inputs: Tensor) -> Tensor:
        x = embedded(inputs, self.embedding) + self.position[: inputs.shape[1]]
        for block in self.blocks:
            x, *_ = block(x)
        return self.output(self.norm(x))


class Block(nn.Module):
    """Causal self-attention and a hidden layer, each with a skip connection."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_hidden = nn.LayerNorm(width), nn.LayerNorm(width)
        self.joined, self.projected = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.hidden = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor, memory: State = ()) -> tuple[Tensor, Tensor, Tensor]:
        """Features (N, T, C), after those whose keys and values are in `memory`, if any."""
        joined = self.joined(self.before_attention(x))
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in joined.chunk(3, 2)
        )  # (N, heads, T, C / heads) each
        if memory:
            key, value = (
                torch.cat([old.to(new.dtype), new], 2)
                for old, new in zip(memory, (key, value), strict=True)
            )
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=not memory)
        x = x + self.projected(seen.transpose(1, 2).flatten(2))
        return x + self.hidden(self.before_hidden(x)), key, value
