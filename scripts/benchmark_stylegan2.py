"""Training steps of StyleGAN2 against a plain loop of the same networks: benchmark.py stylegan2.

The plain loop has the form of the authors' code in its reference operations: FIR filters as
depthwise convolutions with all 16 taps, which see the zeros between upsampled pixels and compute
outputs that are then left out; R1 and path lengths in optimizer steps of their own. It exists in
two forms: with the kernels of each sample in a grouped convolution, and with scaled activations,
as the authors train. Both loops are checked to compute the same images and logits. Seconds are
those of the processor, so that other work beside it changes little; take OMP_NUM_THREADS=1.
"""

import argparse
import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from benchmark_loops import Loop, compare, configure, loop_of, repeating
from torch import Tensor, nn

from gan_cli.config.schema import Config
from gan_cli.data.sets import datasets
from gan_cli.games.build import build_game
from gan_cli.networks.layers import modulated, resample
from gan_cli.training.run import Run

BATCH = 32
SETTING = [
    *("model=stylegan2", "dataset=synthetic", "dataset.size=32", "dataset.channels=3"),
    *("dataset.count=2048", f"batch_size={BATCH}", "metrics=none", "run=benchmark"),
    *("every.preview=0", "every.checkpoint=0", "every.evaluate=0"),
]
EVERY_R1, EVERY_PATH = 16, 4
GAMMA, PATH_WEIGHT, DECAY, HALF_LIFE = 0.05, 2.0, 0.01, 5000


# ---- The operations of the plain loop


def fir(x: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """[1, 3, 3, 1] over (N, C, H, W) with zeros between the pixels; the gain is up^2."""
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1))
    x = F.pad(x.reshape(n, c, h * up, w * up), (*pad, *pad))
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8 * up
    kernel = torch.outer(taps, taps).expand(c, 1, 4, 4)
    return F.conv2d(x, kernel, groups=c)[:, :, ::down, ::down]


def grouped(self: Any, x: Tensor, w: Tensor) -> Tensor:
    """A modulated convolution with the kernels of each sample."""
    n, c, h, width = x.shape
    weight = self.weight[None] * self.style(w)[:, None, :, None, None]
    weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x = x.reshape(1, n * c, h, width)
    if self.smooth is None:
        return F.conv2d(x, weight.flatten(0, 1), padding=1, groups=n).unflatten(1, (n, -1))[0]
    weight = weight.transpose(1, 2).flatten(0, 1)
    x = F.conv_transpose2d(x, weight, stride=2, groups=n).unflatten(1, (n, -1))[0]
    return 4 * fir(x, pad=(1, 1))


def scaled(self: Any, x: Tensor, w: Tensor) -> Tensor:
    """A modulated convolution by scales of its inputs and outputs."""
    scale = self.style(w)
    weight = self.weight[None] * scale[:, None, :, None, None]
    demodulation = (weight.square().sum((2, 3, 4)) + 1e-8).rsqrt()[:, :, None, None]
    x = x * scale[:, :, None, None]
    if self.smooth is None:
        return F.conv2d(x, self.weight, padding=1) * demodulation
    x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
    return 4 * fir(x, pad=(1, 1)) * demodulation


PLAIN: dict[type[nn.Module], Callable[..., Tensor]] = {
    resample.Upsample: lambda _, x: fir(x, up=2, pad=(2, 1)),
    resample.Downsample: lambda _, x: fir(x, down=2, pad=(1, 1)),
    resample.Smooth: lambda _, x: fir(x, pad=(2, 2)),
}


def plainly(network: nn.Module, convolution: Callable[..., Tensor]) -> Any:
    """A copy of a network whose layers compute the same plainly."""
    network = copy.deepcopy(network)
    operations = {**PLAIN, modulated.ModulatedConv2d: convolution}
    for module in network.modules():
        if type(module) in operations:
            module.forward = MethodType(operations[type(module)], module)
    return network


# ---- Loops


def plain_loop(config: Config, convolution: Callable[..., Tensor]) -> Loop:
    """Four phases with optimizer steps of their own, and a moving average; no logs."""
    dataset = datasets.build(config.dataset, where="dataset")
    networks = build_game(config.model, config.loss, config.augment, dataset.spec).networks
    g, d = (plainly(networks[role], convolution) for role in ("generator", "discriminator"))
    check_equal(networks, g, d)
    images = dataset.tensors()["real"]  # type: ignore[index]
    average = copy.deepcopy(g)
    adam_g, adam_d = (
        torch.optim.Adam(net.parameters(), 2.5e-3 * k / (k + 1), (0.0, 0.99 ** (k / (k + 1))))
        for net, k in ((g, EVERY_PATH), (d, EVERY_R1))
    )
    mean_length, step = torch.zeros(()), 0

    def latents(count: int = BATCH) -> Tensor:
        return torch.randn(count, g.latent_dim)

    def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    torch.nan_to_num_(parameter.grad, 0, 1e5, -1e5)
        optimizer.step()

    def one() -> None:
        nonlocal mean_length, step
        index = torch.randint(len(images), (BATCH,))
        real = images[index].float() / 127.5 - 1
        d.requires_grad_(False)
        update(adam_g, F.softplus(-d(g(latents()))).mean())
        if step % EVERY_PATH == 0:
            w = g.styles(latents(BATCH // 2))
            made = g.synthesis(w)
            noise = torch.randn_like(made) / (made.shape[2] * made.shape[3]) ** 0.5
            (slope,) = torch.autograd.grad((made * noise).sum(), w, create_graph=True)
            length = slope.square().sum(2).mean(1).sqrt()
            mean_length = mean_length.lerp(length.mean().detach(), DECAY)
            penalty = (length - mean_length).square().mean()
            update(adam_g, penalty * PATH_WEIGHT * EVERY_PATH)
        d.requires_grad_(True)
        with torch.no_grad():
            fake = g(latents())
        update(adam_d, F.softplus(d(fake)).mean() + F.softplus(-d(real)).mean())
        if step % EVERY_R1 == 0:
            real.requires_grad_()
            (slope,) = torch.autograd.grad(d(real).sum(), real, create_graph=True)
            update(adam_d, slope.square().sum((1, 2, 3)).mean() * GAMMA / 2 * EVERY_R1)
        with torch.no_grad():
            for mean, value in zip(average.parameters(), g.parameters(), strict=True):
                mean.lerp_(value, 1 - 0.5 ** (BATCH / HALF_LIFE))
        step += 1

    return repeating(one)


def check_equal(networks: nn.ModuleDict, g: Any, d: Any) -> None:
    """AssertionError if the plain networks compute something else."""
    latent = torch.randn(3, g.latent_dim)
    with torch.no_grad():
        noise = torch.randn(3, g.noise_size)
        image = networks["generator"].eval()(latent, noise=noise)
        torch.testing.assert_close(g.eval()(latent, noise=noise), image, rtol=1e-3, atol=1e-4)
        logit = networks["discriminator"](image)
        torch.testing.assert_close(d(image), logit, rtol=1e-3, atol=1e-4)
    g.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="?")
    parser.add_argument("--steps", type=int, default=16, help="timed steps a block (%(default)s)")
    parser.add_argument("--pairs", type=int, default=5, help="rounds (%(default)s)")
    given = parser.parse_args()
    words = [*SETTING, "device=cpu"]
    bfloat16 = ["device.precision=bfloat16", "device.channels_last=true"]
    config = configure(words)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        loops = {
            "plain, grouped kernels": plain_loop(config, grouped),
            "plain, scaled activations": plain_loop(config, scaled),
            "gan-train, float32": loop_of(Run(config, folder / "float32")),
            "gan-train, bfloat16": loop_of(
                Run(configure([*words, *bfloat16]), folder / "bfloat16")
            ),
        }
        compare("StyleGAN2 of 32 x 32 pixels", loops, given.steps, given.pairs)


if __name__ == "__main__":
    main()
