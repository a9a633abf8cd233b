"""Audio: int16 (C, T) in data sets, float32 in [-1, 1] in networks, waveforms in previews."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.kinds.kind import Context, Kind, kinds
from gan_cli.data.spec import Field
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.wav import wav_bytes

FULL_SCALE = 32768  # of int16
SHOWN = 16  # waveforms in a preview
RECORDED = 90_000  # numbers of a recording, 180 kB
PAUSE = 0.1  # seconds from one sound of a recording to the next


def sample_rate(field: Field) -> int:
    """Returns the sample rate of an audio field in Hz; raises ConfigError if it has none."""
    if not field.sample_rate or field.sample_rate < 1:
        raise ConfigError(
            f"dataset: its sounds need a sample rate in Hz, and it gives {field.sample_rate}; "
            'describe them by field=Field("audio", sample_rate=16000), say'
        )
    return field.sample_rate


@kinds.register("audio")
class Audio(Kind):
    """Sound with one or more channels (C, T) at the sample rate of the field."""

    features = "spectrum"
    health_features = ("spectrum",)
    bounded = True
    previewed = SHOWN
    rounding = "rounded to int16"
    step = 1 / FULL_SCALE

    def recognizes(self, stored: Tensor) -> bool:
        return stored.ndim == 3 and (stored.dtype == torch.int16 or stored.is_floating_point())

    def check(self, field: Field) -> None:
        sample_rate(field)

    def to_model(self, stored: Tensor) -> Tensor:
        if stored.dtype == torch.int16:
            return stored.float().div_(FULL_SCALE)
        return stored

    def to_stored(self, samples: Tensor) -> Tensor:
        if not samples.is_floating_point():
            return samples
        scaled = (samples.float() * FULL_SCALE).round()
        return scaled.clamp(-FULL_SCALE, FULL_SCALE - 1).to(torch.int16)

    def picture(
        self,
        field: Field,
        columns: Sequence[Tensor],
        context: Context,  # noqa: ARG002
    ) -> np.ndarray | None:
        """Returns waveforms and spectrograms; several columns alternate sample by sample."""
        from gan_cli.plots.sound import waveforms

        rate = sample_rate(field)
        rows = max(SHOWN // len(columns), 1)
        shown = torch.stack([column[:rows] for column in columns], 1).flatten(0, 1)
        return waveforms(shown.float().cpu(), rate)

    def recording(self, field: Field, samples: Tensor) -> bytes:
        """Returns the first samples one after another, as many as RECORDED numbers hold."""
        rate = sample_rate(field)
        pause = torch.zeros(*samples.shape[1:-1], round(PAUSE * rate))
        count = max(1, RECORDED // (samples[0].numel() + pause.numel()))
        parts = [part for sound in samples[:count] for part in (sound.float().cpu(), pause)]
        return wav_bytes(self.to_stored(torch.cat(parts[:-1], 1)).numpy(), rate)

    def default_format(self, field: Field) -> str:  # noqa: ARG002
        return "wav"

    def from_array(self, array: np.ndarray) -> Tensor:
        if array.ndim != 3 or array.dtype != np.int16:
            raise ValueError(f"must be int16 (N, C, T), not {array.dtype} {array.shape}")
        return torch.from_numpy(array)
