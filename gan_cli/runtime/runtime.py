"""Where and how networks compute: device, precision, memory format, processes."""

import numpy as np
import torch
from torch import nn

from gan_cli.config.schema import Device
from gan_cli.runtime.device import check_precision, configure_torch, pick_device
from gan_cli.runtime.processes import Processes


class Runtime:
    """Knows nothing about GANs. Creating one sets PyTorch's process-wide switches."""

    def __init__(self, config: Device) -> None:
        self.device = pick_device(config.accelerator)
        check_precision(self.device, config.precision)
        self.dtype: torch.dtype = getattr(torch, config.precision)
        self.channels_last = config.channels_last
        configure_torch(config)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        self.processes = Processes(self.device)

    def place(self, networks: nn.ModuleDict) -> nn.ModuleDict:
        """Networks on the device, equal on every rank, and frozen until their player's turn."""
        networks.to(self.device).requires_grad_(False)
        if self.channels_last:
            networks.to(memory_format=torch.channels_last)
        self.processes.broadcast([*networks.parameters(), *networks.buffers()])
        return networks

    def seed(self, *entropy: int) -> None:
        """Noise depends on these numbers and the rank alone: a resumed run repeats it exactly."""
        state = np.random.SeedSequence([*entropy, self.processes.rank]).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0]))

    def autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, self.dtype, enabled=self.dtype != torch.float32, cache_enabled=True
        )

    def describe(self) -> str:
        """Device and precision, for a person."""
        name = self.device.type
        if name == "cuda":
            name = torch.cuda.get_device_name(self.device)
        elif name == "cpu":
            name = f"cpu ({torch.get_num_threads()} threads)"
        return f"{name}, {str(self.dtype).removeprefix('torch.')}"
