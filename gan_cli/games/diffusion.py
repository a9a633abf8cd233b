"""Denoising diffusion: Ho, Jain & Abbeel 2020 (arXiv:2006.11239). A game of one player."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from gan_cli.config.named import Named
from gan_cli.config.ranges import NonNegative, Share
from gan_cli.config.schema import Config
from gan_cli.diffusion import noise_schedules, predictions, samplers, weightings
from gan_cli.diffusion.denoiser import Denoise, Denoiser, split
from gan_cli.diffusion.guidance import guided
from gan_cli.diffusion.inpainting import projected
from gan_cli.diffusion.inversion import inverted
from gan_cli.diffusion.samplers.sampler import Sampler
from gan_cli.diffusion.variational import bound
from gan_cli.games.diffusion_options import ADVICE, part_errors
from gan_cli.games.game import Batch, Game, Turn, games
from gan_cli.games.request import Request
from gan_cli.losses.objective import Objective
from gan_cli.losses.terms import Terms
from gan_cli.networks.layers.denoising import Denoises
from gan_cli.networks.network import reads_labels
from gan_cli.utils.errors import ConfigError

HERE = "model.game"
LINEAR, EPSILON, SIMPLE = Named(name="linear"), Named(name="epsilon"), Named(name="simple")
SAMPLER = Named(
    name="dpm_solver", steps=20
)  # of few steps, since every preview and score draws samples


@games.register("diffusion")
class Diffusion(Game):
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

    @property
    def labelled(self) -> bool:
        return reads_labels(self.networks["denoiser"])

    def place(self, device: torch.device) -> None:
        super().place(device)
        self.noise_schedule.place(device)

    @property
    def denoiser(self) -> Denoises:
        return cast(Denoises, self.networks["denoiser"])

    # ---- Training

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

    def hidden_labels(self, batch: Batch) -> Tensor | None:
        """Returns the labels (N,), a random share of which is replaced by that for none."""
        if not self.labelled:
            return None
        label = batch["label"]
        hidden = torch.rand(len(label), device=label.device) < self.label_dropout
        return label.masked_fill(hidden, self.denoiser.classes)

    # ---- Samples

    def sampler_of(self, options: Mapping[str, Any], where: str = "sampler") -> Sampler:
        """Returns the sampler of a request, or that of the config with other options.

        Raises ConfigError if it does not exist or does not go with the model.
        """
        sampler = samplers.build(self.options_of(options), where=where)
        try:
            sampler.check(self.noise_schedule, self.denoiser.predicts_variance)
        except ConfigError as error:
            raise ConfigError(*(f"{where}.{fault}" for fault in error.faults)) from None
        return sampler

    def options_of(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of a sampler, with those of the config if it is the same one."""
        same = options.get("name", self.usual["name"]) == self.usual["name"]
        return {**(self.usual if same else {}), **options}

    def check_request(self, request: Request) -> None:
        """Raises ConfigError if the sampler, the guidance or the truncation does not fit."""
        self.sampler_of(request.sampler or {})
        if request.truncation is not None:
            raise ConfigError("truncation: is for latents, and diffusion has none; leave it out")
        if request.guidance is not None and not self.labelled:
            raise ConfigError(
                "guidance: weighs the label, and the model was trained without; leave it out"
            )
        if self.guidance_of(request) != 1 and self.label_dropout == 0:
            raise ConfigError(
                "guidance: needs a model that has learned without labels, too; train it with "
                f"{HERE}.label_dropout=0.1, or type guidance=1"
            )

    def protocol(self, request: Request) -> dict[str, Any]:
        """Returns the sampler, the guidance if there are labels, and the calls for a sample."""
        sampler = self.sampler_of(request.sampler or {})
        entries = {"sampler": self.options_of(request.sampler or {})}
        calls = sampler.calls(self.noise_schedule)
        if not self.labelled:
            return {**entries, "network_calls": calls}
        guidance = self.guidance_of(request)
        calls *= 1 if guidance in (0, 1) else 2
        return {**entries, "guidance": guidance, "network_calls": calls}

    def guidance_of(self, request: Request) -> float:
        return self.guidance if request.guidance is None else request.guidance

    def sample(self, request: Request) -> Tensor:
        return self.drawn(request, self.denoise(request))

    def drawn(self, request: Request, denoise: Denoise) -> Tensor:
        """Returns the samples that the sampler of a request draws by `denoise`."""
        sampler = self.sampler_of(request.sampler or {})
        return sampler.sample(denoise, self.noise_schedule, self.start(request), request.noise)

    def path(self, request: Request) -> Iterator[Tensor]:
        """Yields the start and what it is after each step, scaled to about the size of data."""
        sampler = self.sampler_of(request.sampler or {})
        start = self.start(request)
        yield start / self.noise_schedule.prior_std
        states = sampler.path(self.denoise(request), self.noise_schedule, start, request.noise)
        for level, x in states:
            yield x / level.size

    def noise_of(self, request: Request, samples: Tensor) -> Tensor:
        """Returns the noise (N, D) that the sampler of a request leads to about `samples`."""
        sampler = self.sampler_of(request.sampler or {})
        if not sampler.deterministic:
            raise ConfigError(
                "sampler: draws noise on the way, so that no start leads to a given sample; type "
                "sampler=dpm_solver, or another that is deterministic"
            )
        steps = sampler.steps
        noise = inverted(self.denoise(request), self.noise_schedule, samples, steps)
        return noise.flatten(1) / self.noise_schedule.prior_std

    def inpaint(self, request: Request, samples: Tensor, known: Tensor) -> Tensor:
        """Returns samples (N, *shape) that equal the given ones where `known` is 1."""
        return self.drawn(request, projected(self.denoise(request), samples, known))

    def start(self, request: Request) -> Tensor:
        """Returns the noise (N, *shape) from which the samples of a request start."""
        if request.latent is not None:
            start = request.latent.view(-1, *self.denoiser.shape)
        else:
            start = request.noise.normal(*self.denoiser.shape)
        return self.noise_schedule.prior_std * start.to(self.device)

    def denoise(self, request: Request) -> Denoiser:
        """Returns the function from noisy samples of the request to estimates."""
        label = None
        if self.labelled and request.label is not None:
            label = request.label.to(self.device)
        weight = self.guidance_of(request)
        network = guided(self.networks["denoiser"], label, self.denoiser.classes, weight)
        return Denoiser(
            network,
            self.noise_schedule,
            self.prediction,
            self.clip,
            self.denoiser.predicts_variance,
        )
