"""How a diffusion game draws samples: with the sampler of a request, or that of its config."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from torch import Tensor

from gan_cli.diffusion import samplers
from gan_cli.diffusion.denoiser import Denoise, Denoiser
from gan_cli.diffusion.guidance import guided
from gan_cli.diffusion.inpainting import projected
from gan_cli.diffusion.inversion import inverted
from gan_cli.diffusion.predictions import Prediction
from gan_cli.diffusion.samplers.sampler import Sampler
from gan_cli.diffusion.schedules.schedule import NoiseSchedule
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.networks.layers.denoising import Denoises
from gan_cli.networks.network import reads_labels
from gan_cli.utils.errors import ConfigError

HERE = "model.game"


class DiffusionSamples(Game):
    """The half of the game that draws; `gan_cli.games.diffusion` has the one that trains."""

    noise_schedule: NoiseSchedule
    prediction: Prediction
    usual: Mapping[str, Any]  # name and options of the sampler of the config
    clip: bool  # are estimated data clipped to [-1, 1]?
    guidance: float  # weight of the label
    label_dropout: float  # share of the labels hidden in training

    @property
    def denoiser(self) -> Denoises:
        return cast(Denoises, self.networks["denoiser"])

    @property
    def labelled(self) -> bool:
        return reads_labels(self.networks["denoiser"])

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
