"""Pictures of numbers on a line: the data's density, samples, and what the critic thinks."""

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.ground_truth import Density
from gan_cli.plots.canvas import Canvas, Limits
from gan_cli.plots.critic_map import Judge
from gan_cli.plots.scatter import FAKE, REAL

BINS, FINE = 48, 480  # bars of a histogram; points of a curve
CRITIC = (60, 60, 60)


def density_plot(
    real: Tensor, fake: Tensor, density: Density | None = None, judge: Judge | None = None
) -> np.ndarray:
    """Histograms of real (N, 1) and generated samples (M, 1), uint8 (512, 512, 3).

    Where the data's density is known it stands for the real ones. The critic's logits have a scale
    of their own, which the legend tells. The limits are those of the data.
    """
    across, bins = bars_of(real)
    x = across.left + torch.linspace(0, 1, FINE) * across.width
    truth = histogram(real, bins) if density is None else curve(x, density.log(x).exp())
    limits = Limits(across.left, 0.0, across.width, 1.25 * truth[:, 1].max().item())
    canvas = Canvas(limits)
    canvas.area(truth, REAL, 0.35)
    drawn = histogram(fake, bins)
    drawn[:, 1].clamp_(max=limits.height)  # a collapsed generator's would leave the picture
    canvas.area(drawn, FAKE, 0.3)
    canvas.line(truth, REAL, 1.0, width=2)
    canvas.line(drawn, FAKE, 1.0, width=2)
    outside = int(((fake < bins[0]) | (fake > bins[-1])).sum())
    legend = [("real", REAL), (f"fake ({outside} outside)" if outside else "fake", FAKE)]
    logits = judge(x[:, None].to(real.device)) if judge else None
    if logits is not None:
        low, high = logits.min().item(), logits.max().item()
        canvas.line(curve(x, raised(logits.cpu(), limits.height)), CRITIC, 1.0, width=2)
        legend.append((f"critic, {low:.3g} to {high:.3g}", CRITIC))
    canvas.legend(legend)
    return canvas.picture()


def histogram_plot(samples: Tensor) -> np.ndarray:
    """Generated samples (N, 1) alone; uint8 (512, 512, 3)."""
    across, bins = bars_of(samples)
    drawn = histogram(samples, bins)
    canvas = Canvas(Limits(across.left, 0.0, across.width, 1.25 * drawn[:, 1].max().item()))
    canvas.area(drawn, FAKE, 0.3)
    canvas.line(drawn, FAKE, 1.0, width=2)
    return canvas.picture()


def bars_of(samples: Tensor) -> tuple[Limits, Tensor]:
    """Limits across samples (N, 1), and the bounds of the bars between them, (BINS + 1,)."""
    across = Limits.around(torch.cat([samples, samples], 1))
    return across, torch.linspace(across.left, across.left + across.width, BINS + 1)


def curve(x: Tensor, y: Tensor) -> Tensor:
    """(N,) and (N,) to points (N, 2)."""
    return torch.stack([x.double(), y.double()], 1)


def histogram(samples: Tensor, bins: Tensor) -> Tensor:
    """The outline of the bars, (2 BINS, 2), on the scale of a density."""
    counts, _ = np.histogram(samples.flatten().cpu().numpy(), bins.numpy())
    height = torch.from_numpy(counts) / len(samples) / (bins[1] - bins[0])
    edges = bins.repeat_interleave(2)[1:-1]  # each bar's left and right end
    return curve(edges, height.repeat_interleave(2))


def raised(logits: Tensor, height: float) -> Tensor:
    """Between 5 and 95 % of the picture's height."""
    spread = (logits.max() - logits.min()).clamp(min=1e-12)
    return height * (0.05 + 0.9 * (logits - logits.min()) / spread)
