"""The contrastive loss of patches: Park et al. 2020 (arXiv:2007.15651), Equation 3."""

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """The mean cross-entropy of finding the key of each query among all keys of its image.

    Queries and keys are features (N, P, D) of length 1 of P places; those of the same place belong
    together. Logits are the cosines over the temperature. Keys are constants.
    """
    logits = queries.float() @ keys.detach().float().mT / temperature  # (N, P, P)
    places = torch.arange(keys.shape[1], device=keys.device).expand(logits.shape[:2])
    return F.cross_entropy(logits.flatten(0, 1), places.flatten())
