"""The convolutional discriminator of SeqGAN: Yu et al. 2017 (arXiv:1609.05473).

Convolutions of several widths over embedded tokens, the largest value of each over time (Kim 2014,
arXiv:1408.5882), and highway layers (Srivastava et al. 2015, arXiv:1505.00387).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Count, Natural, NonNegative, Share, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.norm import apply_spectral_norm
from gan_cli.networks.layers.sequences import embedded, token_field
from gan_cli.networks.network import networks
from gan_cli.utils.errors import ConfigError


@networks.register("text_cnn_discriminator")
class TextCNNDiscriminator(nn.Module):
    """Takes token numbers (N, T), or mixtures of one-hots (N, T, V), which can be differentiated.

    The published output has two classes; one logit is their difference.
    """

    auxiliary, conditional, pointwise = False, False, True

    def __init__(
        self,
        spec: Spec,
        *,
        embedding: Units = 64,  # length of the vector of a token
        sizes: tuple[Count, ...] = (1, 2, 3, 4, 5),  # tokens that filters see
        counts: tuple[Units, ...] = (32, 64, 64, 32, 32),  # filters of each size
        highway: Natural = 1,  # highway layers
        dropout: Share = 0.25,  # share of the features that training hides
        l2: NonNegative = 0.2,  # weight of half the squared norm of the output layer
        spectral_norm: bool = False,  # spectral normalization of all weights but the embedding
    ) -> None:
        super().__init__()
        field = token_field(spec)
        check_filters(sizes, counts, field.shape[0])
        self.l2 = l2
        self.inputs_in_words = {"tokens": f"token numbers, 0 to {len(field.vocabulary) - 1}"}
        self.embedding = nn.Parameter(torch.empty(len(field.vocabulary), embedding))
        nn.init.uniform_(self.embedding, -1, 1)
        self.filters = nn.ModuleList(
            nn.Conv1d(embedding, count, size) for size, count in zip(sizes, counts, strict=True)
        )
        self.highways = nn.ModuleList(Highway(sum(counts)) for _ in range(highway))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(sum(counts), 1)
        if spectral_norm:
            apply_spectral_norm(self)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T) or (N, T, V) to logits (N,)."""
        if tokens.is_floating_point() or tokens.numel() < len(self.embedding):
            x = embedded(tokens, self.embedding).transpose(1, 2)  # (N, E, T)
            h = torch.cat([conv(x).amax(2) for conv in self.filters], 1).relu()
        else:
            filters: Any = self.filters  # a ModuleList of nn.Conv1d
            h = torch.cat([self.looked_up(tokens, conv) for conv in filters], 1).relu()
        for layer in self.highways:
            h = layer(h)
        return self.output(self.dropout(h))[:, 0]

    def looked_up(self, tokens: Tensor, conv: nn.Conv1d) -> Tensor:
        """Returns the largest outputs (N, F) of a convolution over embedded tokens (N, T).

        The output of each token at each place of a filter is computed once and looked up, which is
        faster if there are fewer tokens than places in all texts.
        """
        size, count = conv.kernel_size[0], len(self.embedding)
        table = (self.embedding @ conv.weight.permute(2, 1, 0)).float().flatten(0, 1)  # (S V, F)
        index = tokens.unfold(1, size, 1) + count * torch.arange(size, device=tokens.device)
        summed = F.embedding_bag(index.flatten(0, 1), table, mode="sum")
        return summed.unflatten(0, (tokens.shape[0], -1)).amax(1) + conv.bias

    def regularization(self) -> Tensor:
        """Returns the penalty on the output layer, 0-d."""
        squares = [weight.square().sum() for weight in self.output.parameters()]
        return self.l2 / 2 * torch.stack(squares).sum()


class Highway(nn.Module):
    """g * relu(W x) + (1 - g) * x, with a gate g of x."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate, self.transform = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(x))
        return gate * self.transform(x).relu() + (1 - gate) * x


def check_filters(sizes: tuple[int, ...], counts: tuple[int, ...], length: int) -> None:
    """Raises ConfigError for filters that do not fit the sequences."""
    if not sizes or len(sizes) != len(counts):
        raise ConfigError(
            f"counts: lists {len(counts)}, and there are {len(sizes)} sizes of filters; give each "
            "size a count"
        )
    if max(sizes) > length:
        fitting = ",".join(str(size) for size in sizes if size <= length) or "1"
        raise ConfigError(
            f"sizes: a filter of {max(sizes)} tokens is longer than the sequences of {length}; "
            f"leave out the longer ones, as in sizes=[{fitting}], with as many counts"
        )
