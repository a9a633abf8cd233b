"""Where and how a turn is computed: device, precision, memory format, processes, compilation.

Knows nothing about GANs: backward, autocast, all-reduce and optimizer step exist here, once.
"""

import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from gan_cli.config.registry import Component
from gan_cli.config.schema import Device
from gan_cli.games.game import Batch, Turn
from gan_cli.losses.objective import Terms, mean_terms
from gan_cli.optim.optimizers import Player
from gan_cli.utils.errors import ConfigError


def pick_device(accelerator: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU; asking for an absent device is an error."""
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if accelerator == "auto":
        accelerator = next(kind for kind, there in present.items() if there)
    if not present[accelerator]:
        usable = [kind for kind, there in present.items() if there]
        advice = "device=auto or device=" + ", device=".join(usable)
        raise ConfigError(f"device.accelerator: no '{accelerator}' device here; use {advice}")
    if accelerator == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device(accelerator)


def check_precision(device: torch.device, precision: str) -> None:
    if (
        precision == "bfloat16"
        and device.type == "cuda"
        and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        name = torch.cuda.get_device_name(device)
        raise ConfigError(
            f"device.precision: {name} has no bfloat16 units and would emulate them slowly; "
            "use device.precision=float16"
        )


class Runtime:
    """One process of a run; `world` of them average their gradients."""

    def __init__(self, config: Device, accumulate: int = 1, clip_norm: float | None = None) -> None:
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        self.device = pick_device(config.accelerator)
        check_precision(self.device, config.precision)
        self.dtype: torch.dtype = getattr(torch, config.precision)
        self.channels_last = config.channels_last
        self.accumulate, self.clip_norm = accumulate, clip_norm
        self.compile = config.compile
        self.compiled: dict[Hashable, Callable[[Batch], Terms]] = {}
        configure_torch(config)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        if self.world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")

    def place(self, networks: nn.ModuleDict) -> nn.ModuleDict:
        """Networks on the device, equal on every rank, and frozen until their player's turn."""
        networks.to(self.device).requires_grad_(False)
        if self.channels_last:
            networks.to(memory_format=torch.channels_last)
        if self.world > 1:
            for tensor in [*networks.parameters(), *networks.buffers()]:
                dist.broadcast(tensor, 0)
        return networks

    def player(self, networks: Iterable[nn.Module], options: Component) -> Player:
        enabled = self.dtype == torch.float16  # bfloat16 has the range of float32
        scaler = torch.amp.GradScaler(self.device.type, enabled=enabled)
        return Player(networks, options, scaler)

    def seed(self, *entropy: int) -> None:
        """Noise depends on these numbers and the rank alone: a resumed run repeats it exactly."""
        state = np.random.SeedSequence([*entropy, self.rank]).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0]))

    def play(self, turn: Turn, player: Player, batch: Batch) -> Terms:
        """One optimizer step: only this player's parameters gather gradients."""
        loss = self.loss_of(turn)
        player.train(True)
        played = [self.backward(loss, part, player) for part in self.parts(batch)]
        player.train(False)
        norm = self.step(player)
        if turn.after is not None:
            turn.after()
        terms = mean_terms(played)
        return Terms(terms.losses, {**terms.observed, "gradient_norm": norm})

    def backward(self, loss: Callable[[Batch], Terms], part: Batch, player: Player) -> Terms:
        with self.autocast():
            terms = loss(part)
        total = torch.stack(list(terms.losses.values())).sum() / self.accumulate
        player.scaler.scale(total).backward()
        return Terms({name: term.detach() for name, term in terms.losses.items()}, terms.observed)

    def step(self, player: Player) -> Tensor:
        """Average, unscale, clip, apply; the gradient's norm before clipping."""
        gradients = player.gradients()
        self.average(gradients)
        player.scaler.unscale_(player.optimizer)
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(player.parameters, self.clip_norm, norm)
        player.scaler.step(player.optimizer)
        player.scaler.update()
        player.optimizer.zero_grad(set_to_none=True)
        return norm.detach()

    def autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, self.dtype, enabled=self.dtype != torch.float32, cache_enabled=True
        )

    def parts(self, batch: Batch) -> list[Batch]:
        if self.accumulate == 1:
            return [batch]
        chunks = {key: value.chunk(self.accumulate) for key, value in batch.items()}
        return [{key: c[i] for key, c in chunks.items()} for i in range(self.accumulate)]

    def loss_of(self, turn: Turn) -> Callable[[Batch], Terms]:
        """The turn's loss, compiled as a whole if asked: a compiled network alone under a gradient
        penalty fails, since torch.compile has no double backward."""
        if not self.compile:
            return turn.loss
        key = (turn.player, turn.variant)
        if key not in self.compiled:
            self.compiled[key] = torch.compile(turn.loss, dynamic=False)
        return self.compiled[key]

    def average(self, gradients: list[Tensor]) -> None:
        """One flat all-reduce by hand: DDP's hooks and double backward do not mix."""
        if self.world == 1:
            return
        flat = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, tensor: Tensor) -> Tensor:
        """Over all processes."""
        if self.world > 1:
            dist.all_reduce(tensor)
            tensor = tensor / self.world
        return tensor

    def any(self, flag: bool) -> bool:
        """Is the flag up in any process?"""
        if self.world == 1:
            return flag
        return bool(self.mean(torch.tensor(float(flag), device=self.device)))

    def share(self, text: str) -> str:
        """Rank 0's, on every rank."""
        box = [text]
        if self.world > 1:
            dist.broadcast_object_list(box, 0)
        return box[0]

    @contextmanager
    def one_first(self) -> Iterator[None]:
        """Rank 0 goes first, the others when it is through: one download, not eight."""
        if self.world > 1 and self.rank > 0:
            dist.barrier()
        yield
        if self.world > 1 and self.rank == 0:
            dist.barrier()

    def describe(self) -> str:
        name = self.device.type
        if name == "cuda":
            name = torch.cuda.get_device_name(self.device)
        elif name == "cpu":
            name = f"cpu ({torch.get_num_threads()} threads)"
        return f"{name}, {str(self.dtype).removeprefix('torch.')}"

    def close(self) -> None:
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()


def configure_torch(config: Device) -> None:
    """Process-wide switches."""
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    torch.set_float32_matmul_precision("high" if config.tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = config.tf32
    torch.backends.cudnn.benchmark = not config.deterministic
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(config.deterministic)
