"""Denoising diffusion: Ho, Jain & Abbeel 2020 (arXiv:2006.11239). A game of one player."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from gan_cli.config.named import Named
from gan_cli.config.ranges import NonNegative, Share
from gan_cli.config.schema import Config
from gan_cli.diffusion import noise_schedules, predictions, weightings
from gan_cli.diffusion.denoiser import split
from gan_cli.diffusion.likelihood import log_density
from gan_cli.diffusion.variational import bound
from gan_cli.games.diffusion_options import ADVICE, part_errors
from gan_cli.games.diffusion_samples import HERE, DiffusionSamples
from gan_cli.games.game import Batch, Turn, games
from gan_cli.games.request import Request
from gan_cli.losses.objective import Objective
from gan_cli.losses.terms import Terms
from gan_cli.utils.errors import ConfigError

LINEAR, EPSILON, SIMPLE = Named(name="linear"), Named(name="epsilon"), Named(name="simple")
SAMPLER = Named(name="dpm_solver", steps=20)  # few, since every preview and score draws samples


@games.register("diffusion")
class Diffusion(DiffusionSamples):
    """The denoiser learns to remove noise; a sampler starts from noise and removes all of it.

    The loss is the weighted squared error of what the denoiser predicts. If it also predicts the
    variance of steps, that is learned by the variational bound (arXiv:2102.09672). With labels, a
    share of them is hidden, so that samples can be guided (arXiv:2207.12598).
    """

    players = {"denoiser": ("denoiser",)}
    averaged = ("denoiser",)
    samples_from = "denoiser"
    advice = ADVICE
    capturable = True

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective | None = None,
        *,
        schedule: Named = LINEAR,  # of the noise: a name, or a name with options
        prediction: Named = EPSILON,  # of the network: epsilon, x0, v or edm
        weighting: Named = SIMPLE,  # of the errors at different times: simple or min_snr
        sampler: Named = SAMPLER,  # of previews, health, metrics, and where none is asked for
        clip: bool | None = None,  # clip estimated data to [-1, 1]; null: if they are bounded
        variance_weight: NonNegative = 1.0,  # of the bound, times T / 1000; for a learned variance
        label_dropout: Share = 0.1,  # share of the labels hidden in training, for guidance
        guidance: NonNegative = 1.0,  # weight of the label in samples; 1: as learned, 0: none
    ) -> None:
        super().__init__(networks, objective)
        self.noise_schedule = noise_schedules.build(schedule, where=f"{HERE}.schedule")
        self.prediction = predictions.build(prediction, where=f"{HERE}.prediction")
        self.weighting = weightings.build(weighting, where=f"{HERE}.weighting")
        self.clip = self.denoiser.bounded if clip is None else clip
        self.label_dropout, self.guidance = label_dropout, guidance
        self.variance_weight = variance_weight
        if self.denoiser.predicts_variance and self.noise_schedule.timesteps is None:
            raise ConfigError(
                f"{HERE}.schedule: a learned variance is that of a step between timesteps; use "
                "linear, cosine or sigmoid, or model.networks.denoiser.predicts_variance=false"
            )
        self.usual = sampler
        self.sampler_of({}, f"{HERE}.sampler")

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        yield from part_errors(config.model.game, HERE)

    def place(self, device: torch.device) -> None:
        super().place(device)
        self.noise_schedule.place(device)

    def turns(self, step: int) -> Iterator[Turn]:  # noqa: ARG002
        yield Turn("denoiser", self.loss)

    def loss(self, batch: Batch) -> Terms:
        """Returns the weighted squared error at a random time for each sample."""
        real = batch["real"]
        schedule, prediction = self.noise_schedule, self.prediction
        time = schedule.draw(len(real), real.device)
        alpha, sigma = (x.view(-1, *(1,) * (real.ndim - 1)) for x in schedule.marginal(time))
        eps = torch.randn_like(real)
        x = alpha * real + sigma * eps
        scaled = prediction.input_scale(alpha, sigma) * x
        output = self.networks["denoiser"](scaled, schedule.label(time), self.hidden_labels(batch))
        output, spread = split(output.float(), self.denoiser.predicts_variance)
        error = (output - prediction.target(real, eps, alpha, sigma)).square()
        terms = {"denoising": (self.weighting(prediction, alpha, sigma) * error).mean()}
        if spread is not None:
            x0 = prediction.x0(output.detach(), x, alpha, sigma)
            bits = bound(schedule, real, x0, time, spread, self.denoiser.bounded).mean()
            terms["variance"] = self.variance_weight * (schedule.timesteps or 0) / 1000 * bits
        return Terms(terms)

    def log_density(self, request: Request, samples: Tensor, steps: int, exact: bool) -> Tensor:
        """Returns the log densities (N,) of samples, by the flow of the network as it is learned.

        Guidance and clipping, which change what is drawn, have no part in it.
        """
        denoise = replace(self.denoise(replace(request, guidance=1.0)), clip=False)
        probes = None
        if not exact:
            probes = request.noise.normal(*samples.shape[1:]).sign().to(samples)
        return log_density(denoise, self.noise_schedule, samples, steps, probes)

    def hidden_labels(self, batch: Batch) -> Tensor | None:
        """Returns the labels (N,), a random share of which is replaced by that for none."""
        if not self.labelled:
            return None
        label = batch["label"]
        hidden = torch.rand(len(label), device=label.device) < self.label_dropout
        return label.masked_fill(hidden, self.denoiser.classes)
