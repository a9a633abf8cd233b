"""Initializations that a whole network shares."""

from typing import Literal

from torch import nn

Initialization = Literal["orthogonal", "normal", "glorot"]
GLOROT = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Linear)


def initialize_weights(network: nn.Module, kind: Initialization) -> None:
    """Draws the weights of all linear layers, convolutions and embeddings; biases are 0.

    "orthogonal": Saxe et al. 2014 (arXiv:1312.6120), rows or columns of a weight that is flattened
    to (outputs, rest) are orthonormal. "normal": N(0, 0.02^2). "glorot": uniform (Glorot & Bengio
    2010).
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
            if kind == "orthogonal":
                nn.init.orthogonal_(module.weight)
            elif kind == "normal":
                nn.init.normal_(module.weight, 0, 0.02)
            else:
                nn.init.xavier_uniform_(module.weight)
            bias = getattr(module, "bias", None)
            if bias is not None:
                nn.init.zeros_(bias)


def initialize_glorot(network: nn.Module) -> None:
    """Draws the weights of linear layers and convolutions uniformly (Glorot & Bengio 2010).

    Biases are 0; embeddings stay as they are.
    """
    for module in network.modules():
        if isinstance(module, GLOROT):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
