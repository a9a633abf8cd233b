"""Denoising diffusion GAN: Xiao, Kreis & Vahdat 2022 (arXiv:2112.07804)."""

from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor, nn

from gan_cli.config.named import Named
from gan_cli.config.registry import Component
from gan_cli.config.schema import Config
from gan_cli.data.spec import Spec
from gan_cli.diffusion import noise_schedules, predictions
from gan_cli.diffusion.denoiser import Denoiser
from gan_cli.diffusion.posterior import transition
from gan_cli.games.diffusion_samples import HERE, DiffusionSamples
from gan_cli.games.game import Batch, Turn, games
from gan_cli.games.request import Request
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Critic
from gan_cli.losses.terms import Terms
from gan_cli.networks.network import reads_labels
from gan_cli.utils.errors import ConfigError

COARSE = Named(name="vp_steps", timesteps=4)


class Step(NamedTuple):
    """A random step of the forward process, from x_s to the noisier x_t."""

    after: Tensor  # x_s, (N, *shape)
    before: Tensor  # x_t
    time: Tensor  # what networks are told of t, (N,)
    marginals: tuple[Tensor, ...]  # alpha and sigma of t, then of s, (N, 1, ...)


@games.register("ddgan")
class DDGAN(DiffusionSamples):
    """A diffusion in a few large steps, each of which a GAN learns to undo.

    The denoiser takes x_t, t and a latent to data x_0, from which x_s is drawn, q(x_s | x_t, x_0)
    with s one step before t. The discriminator compares it with x_s of the data, given x_t and t:
    Equations 4 to 6. The latent makes the denoised distribution one of several modes, which large
    steps need.
    """

    players = {"discriminator": ("discriminator",), "generator": ("denoiser",)}
    averaged = ("denoiser",)
    samples_from = "denoiser"
    critics = ("discriminator",)
    conditional = False
    augments = True
    augments_together = True
    capturable = True
    passes = frozenset[str]()
    guidance = 1.0
    label_dropout = 0.0

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        schedule: Named = COARSE,  # of the noise, in few steps: a name with options
    ) -> None:
        super().__init__(networks, objective)
        self.noise_schedule = noise_schedules.build(schedule, where=f"{HERE}.schedule")
        self.prediction = predictions.build({"name": "x0"}, where=HERE)
        self.clip = self.denoiser.bounded
        steps = self.noise_schedule.timesteps
        self.usual = {"name": "ancestral", "steps": steps, "variance": "small"}
        self.constrain()

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        denoiser = config.model.networks.get("denoiser", {})
        here = "model.networks.denoiser"
        if not denoiser.get("step_latent_dim"):
            yield f"{here}.step_latent_dim: the steps need a latent; set it to 64, say"
        if denoiser.get("predicts_variance"):
            yield f"{here}.predicts_variance: the variance of steps is known; set it false"
        if reads_labels(denoiser):
            yield f"{here}.conditioning: game 'ddgan' passes no labels; set it to none"
        options = config.model.game["schedule"]
        try:
            schedule = noise_schedules.build(options, where=f"{HERE}.schedule")
        except ConfigError as error:
            yield from error.faults
            return
        if schedule.timesteps is None:
            name = options["name"]
            yield f"{HERE}.schedule: '{name}' has no steps to be learned; use vp_steps or cosine"

    @classmethod
    def spec_of(cls, role: str, spec: Spec, options: Component) -> Spec:  # noqa: ARG003
        """Returns, for the discriminator, the spec of both ends of a step."""
        channels, *size = spec.shape
        return spec.with_shape((2 * channels, *size)) if role == "discriminator" else spec

    def place(self, device: torch.device) -> None:
        super().place(device)
        self.noise_schedule.place(device)

    # ---- Training

    def turns(self, step: int) -> Iterator[Turn]:
        self.objective.schedule(step)
        yield Turn("generator", self.generator_loss)
        yield from self.critic_turns("discriminator", self.discriminator_loss, step)

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        step = self.step_of(batch["real"])
        with torch.no_grad():
            fake = self.undone(step)
        return self.objective.critic_terms(self.judge(step), (step.after,), (fake,), due)

    def generator_loss(self, batch: Batch) -> Terms:
        step = self.step_of(batch["real"])
        fake = self.undone(step)
        return self.objective.generator_terms(self.judge(step), (fake,), (step.after,))

    def judge(self, step: Step) -> Critic:
        """Returns the discriminator as a function of x_s; one draw augments both ends."""
        network: Any = self.networks["discriminator"]

        def critic(after: Tensor) -> Tensor:
            after, before = self.augment_together(after, step.before)
            return network(after, before.to(after.dtype), step.time)

        return critic

    def step_of(self, real: Tensor) -> Step:
        """Draws a step for each of the data (N, *shape)."""
        schedule, shape = self.noise_schedule, (-1, *(1,) * (real.ndim - 1))
        time = schedule.draw(len(real), real.device)
        alpha, sigma = (x.view(shape) for x in schedule.marginal(time))
        alpha_s, sigma_s = (x.view(shape) for x in schedule.marginal(time - 1))
        first = (time == 0).view(shape)  # whose s is that of the data
        alpha_s, sigma_s = alpha_s.masked_fill(first, 1.0), sigma_s.masked_fill(first, 0.0)
        marginals = (alpha, sigma, alpha_s, sigma_s)
        after = alpha_s * real + sigma_s * torch.randn_like(real)
        noise = transition(*marginals).large.sqrt() * torch.randn_like(real)
        return Step(after, alpha / alpha_s * after + noise, schedule.label(time), marginals)

    def undone(self, step: Step) -> Tensor:
        """Draws x_s of the model for x_t."""
        size = self.step_latent_dim
        latent = torch.randn(len(step.before), size, device=step.before.device)
        x0 = self.data(step.before, step.time, latent)
        posterior = transition(*step.marginals)
        noise = posterior.small.sqrt() * torch.randn_like(x0)
        return posterior.mean(step.before, x0) + noise

    def data(self, before: Tensor, time: Tensor, latent: Tensor) -> Tensor:
        """Returns x_0 of the denoiser, in [-1, 1] if data are."""
        network: Any = self.networks["denoiser"]
        x0 = network(before, time, None, latent).float()
        return x0.tanh() if self.clip else x0

    @property
    def step_latent_dim(self) -> int:
        network: Any = self.networks["denoiser"]
        return network.step_latent_dim

    # ---- Samples

    def check_request(self, request: Request) -> None:
        """Raises ConfigError if samples are to be drawn otherwise than they were learned."""
        super().check_request(request)
        if request.sampler and self.options_of(request.sampler) != self.usual:
            steps = self.noise_schedule.timesteps
            raise ConfigError(
                f"sampler: this model has learned its own {steps} steps, which no other sampler "
                "can take; leave sampler and steps out"
            )

    def denoise(self, request: Request) -> Denoiser:
        """Returns the function from noisy samples of the request to data, with its latents."""

        def network(x: Tensor, time: Tensor) -> Tensor:
            latent = request.layer_noise.normal(self.step_latent_dim).to(self.device)
            return self.data(x, time, latent)

        return Denoiser(network, self.noise_schedule, self.prediction)

    def noise_of(self, request: Request, samples: Tensor) -> NoReturn:  # noqa: ARG002
        raise ConfigError(
            "task: samples of this model have no noise of their own, since each step draws some; "
            "use a run of model=ddpm"
        )
