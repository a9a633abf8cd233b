"""The U-Net of DDPM (Ho et al. 2020, arXiv:2006.11239) in one dimension, for waveforms."""

from torch import Tensor

from gan_cli.config.ranges import Count, Depth, Share, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.denoising import InWords, LabelConditioning
from gan_cli.networks.layers.sound_sizes import check_sound
from gan_cli.networks.layers.unet import UNet
from gan_cli.networks.network import networks
from gan_cli.utils.errors import ConfigError


@networks.register("sound_unet")
class SoundUNet(UNet):
    """The U-Net over frames: `frame` successive samples of a sound are the channels of a place.

    It is as deep as for images at a fraction of the cost, since most of its maps are short.
    """

    inputs_in_words = InWords

    def __init__(
        self,
        spec: Spec,
        *,
        frame: Count = 8,  # samples of sound in a frame
        width: Units = 64,  # channels at full length
        multipliers: tuple[Count, ...] = (1, 2, 2, 2),  # of the channels, at each length
        blocks: Depth = 1,  # residual blocks at each length
        attention: tuple[Count, ...] = (),  # lengths in frames of the maps with self-attention
        heads: Count = 1,  # of the attention
        dropout: Share | None = 0.0,  # share of features left out in training; null: none
        conditioning: LabelConditioning = "none",  # embed: the label is added to the time
        predicts_variance: bool = False,  # twice the outputs, for a learned variance
    ) -> None:
        check_frames(spec, frame, len(multipliers) - 1)
        channels, length = spec.shape
        super().__init__(
            spec,
            frame * channels,
            length // frame,
            1,
            width=width,
            multipliers=multipliers,
            blocks=blocks,
            attention=attention,
            heads=heads,
            dropout=dropout or 0.0,
            conditioning=conditioning,
            predicts_variance=predicts_variance,
        )
        self.frame = frame

    def forward(
        self,
        sample: Tensor,
        time: Tensor,
        label: Tensor | None = None,
        latent: Tensor | None = None,
    ) -> Tensor:
        """Sounds (N, C, T) and times (N,) to outputs (N, C, T), or (N, 2 C, T)."""
        frames = sample.unflatten(2, (-1, self.frame)).transpose(2, 3).flatten(1, 2)
        outputs = super().forward(frames, time, label, latent)  # (N, C frame, T / frame)
        return outputs.unflatten(1, (-1, self.frame)).transpose(2, 3).flatten(2)


def check_frames(spec: Spec, frame: int, halvings: int) -> None:
    """Raises ConfigError unless sounds are whole frames that can be halved so often."""
    check_sound(spec)
    length, factor = spec.shape[1], frame << halvings
    if length % factor:
        whole = max(round(length / factor), 1) * factor
        raise ConfigError(
            f"multipliers: {halvings + 1} of them halve {length} samples {halvings} times, in "
            f"frames of {frame}, and {length} is not divisible by {factor}; use fewer multipliers "
            f"or a shorter frame, or dataset.length={whole}"
        )
