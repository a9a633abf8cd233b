"""The U-Net of DDPM for images: Ho, Jain & Abbeel 2020 (arXiv:2006.11239), Appendix B.

With width=128, multipliers=[1,2,2,2], 2 blocks and attention at 16 pixels it has the 35,746,307
parameters of the CIFAR-10 model.
"""

from gan_cli.config.ranges import Count, Depth, Natural, Pixels, Share, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.denoising import InWords, LabelConditioning
from gan_cli.networks.layers.sizes import check_halvings
from gan_cli.networks.layers.unet import UNet
from gan_cli.networks.network import networks


@networks.register("ddpm_unet")
class DDPMUNet(UNet):
    """Residual blocks at several sizes, with shortcuts between the way down and the way up."""

    inputs_in_words = InWords

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 128,  # channels at full size
        multipliers: tuple[Count, ...] = (1, 2, 2, 2),  # of the channels, at each size
        blocks: Depth = 2,  # residual blocks at each size
        attention: tuple[Pixels, ...] = (16,),  # heights of the maps with self-attention
        heads: Count = 1,  # of the attention
        dropout: Share | None = 0.1,  # share of features left out in training; null: none
        conditioning: LabelConditioning = "none",  # embed: the label is added to the time
        predicts_variance: bool = False,  # twice the outputs, for a learned variance
        step_latent_dim: Natural = 0,  # length of the latent of each step, for model=ddgan
    ) -> None:
        check_halvings(spec, len(multipliers) - 1, "mlp_denoiser")
        channels, height, _ = spec.shape
        super().__init__(
            spec,
            channels,
            height,
            2,
            width=width,
            multipliers=multipliers,
            blocks=blocks,
            attention=attention,
            heads=heads,
            dropout=dropout or 0.0,
            conditioning=conditioning,
            predicts_variance=predicts_variance,
            step_latent_dim=step_latent_dim,
        )
