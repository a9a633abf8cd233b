"""The runtime: device, precision, memory format, random state and processes."""

import numpy as np
import torch
from torch import nn

from gan_cli.config.schema import Device
from gan_cli.runtime.device import check_precision, configure_torch, pick_device
from gan_cli.runtime.graphs import Graphs
from gan_cli.runtime.processes import Processes
from gan_cli.runtime.random_state import seed_generators
from gan_cli.utils.errors import ConfigError


class Runtime:
    """Places and seeds computations, and knows nothing about GANs.

    Creating one sets PyTorch's process-wide switches.
    """

    def __init__(self, config: Device) -> None:
        self.device = pick_device(config.accelerator)
        check_precision(self.device, config.precision)
        self.dtype: torch.dtype = getattr(torch, config.precision)
        wanted = config.channels_last
        # On a CPU, float32 steps take 1.08 (dcgan) to 1.26 times (sngan) as long without; on CUDA
        # dcgan takes 1.13 times. On MPS nothing was measured.
        self.channels_last = self.device.type != "mps" if wanted == "auto" else wanted
        configure_torch(config)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        self.processes = Processes(self.device, config.timeout)
        self.graphs = Graphs() if self.records_graphs(config.graphs) else None

    def records_graphs(self, wanted: bool | str) -> bool:
        """Whether turns are recorded as CUDA graphs; ConfigError if they have to be and cannot."""
        why = None
        if self.device.type != "cuda":
            why = f"the device is {self.device.type}, not cuda"
        elif self.dtype == torch.float16:
            why = "the scale of float16 gradients is decided on the CPU; bfloat16 needs none"
        elif self.processes.world > 1:
            why = "several processes average their gradients between the kernels"
        if wanted is True and why is not None:
            raise ConfigError(f"device.graphs: {why}; use device.graphs=auto")
        return wanted is not False and why is None

    def place(self, networks: nn.ModuleDict) -> nn.ModuleDict:
        """Moves networks to the device, makes them equal on every rank, and freezes them.

        A player unfreezes its networks for its turn.
        """
        networks.to(self.device).requires_grad_(False)
        if self.channels_last:
            networks.to(memory_format=torch.channels_last)
        self.processes.broadcast([*networks.parameters(), *networks.buffers()])
        return networks

    def average_buffers(self, networks: nn.Module) -> None:
        """Averages the statistics that networks keep, such as those of batch norm, over processes.

        Each process computes them from its own share of a batch.
        """
        if self.processes.world > 1:
            self.processes.average([b for b in networks.buffers() if b.is_floating_point()])

    def seed(self, *entropy: int) -> None:
        """Seeds the global random state as a function of `entropy` and the rank."""
        state = np.random.SeedSequence([*entropy, self.processes.rank]).generate_state(1, np.uint64)
        seed_generators(self.device, int(state[0]))

    def autocast(self) -> torch.autocast:
        """Returns the autocast context of the precision."""
        return torch.autocast(
            self.device.type, self.dtype, enabled=self.dtype != torch.float32, cache_enabled=True
        )

    def describe(self) -> str:
        """Returns device and precision for messages."""
        name = self.device.type
        if name == "cuda":
            name = torch.cuda.get_device_name(self.device)
        elif name == "cpu":
            name = f"cpu ({torch.get_num_threads()} threads)"
        return f"{name}, {str(self.dtype).removeprefix('torch.')}"
