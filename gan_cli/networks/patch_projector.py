"""The heads of CUT, which map features of patches to where they are compared.

Park et al. 2020 (arXiv:2007.15651), Section 3 and Appendix C.1.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.dcgan import initialize
from gan_cli.networks.layers.translation import check_images
from gan_cli.networks.network import networks
from gan_cli.networks.resnet_translator import Halvings


@networks.register("patch_projector")
class PatchProjector(nn.Module):
    """Two fully connected layers for each map of a `resnet_translator` of the same options."""

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # of the generator, whose maps it takes
        blocks: Depth = 9,  # of the generator
        halvings: Halvings = 2,  # of the generator
        units: Units = 256,  # of both layers, and so the dimension in which patches are compared
    ) -> None:
        super().__init__()
        check_images(spec, "source")
        halved = [width << i for i in range(1, halvings + 1)]
        blocks_seen = min(blocks, 2) * [width << halvings]
        self.map_channels = (spec.fields["source"].shape[0], *halved, *blocks_seen)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(count, units), nn.ReLU(), nn.Linear(units, units))
            for count in self.map_channels
        )
        initialize(self)

    def forward(self, maps: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Maps (N, C, H, W) and indices (P,) into their H W places to features (N, P, units).

        Each feature has length 1.
        """
        found = []
        for head, each, chosen in zip(self.heads, maps, places, strict=True):
            patches = each.flatten(2)[:, :, chosen].mT  # (N, P, C)
            found.append(F.normalize(head(patches), dim=2))
        return found
