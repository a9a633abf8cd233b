"""What a metric is, and an evaluation that leaves no trace in the training around it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from gan_cli.data.registry import Dataset
from gan_cli.registry import ConfigError, Registry

Sampler = Callable[[int, torch.Generator], Tensor]  # (count, rng) -> images in [-1, 1]


class Metric(Protocol):
    """Built from (dataset, device) and its config keys; called with count -> generated samples."""

    name: ClassVar[str]
    lower_is_better: ClassVar[bool]

    def __call__(self, generate: Callable[[int], Tensor]) -> float: ...


metrics: Registry[Metric] = Registry("metric")


class Evaluation:
    """All metrics of a run, each over the same generated samples every time it is asked."""

    def __init__(self, metrics: Mapping[str, Metric], device: torch.device, seed: int = 0) -> None:
        self.metrics = dict(metrics)
        self.device = device
        self.seed = seed

    @classmethod
    def from_config(
        cls, nodes: Mapping[str, Any], dataset: Dataset, device: torch.device
    ) -> "Evaluation":
        """From ``{name: options}``; ConfigError lists what is wrong with all of them."""
        built: dict[str, Metric] = {}
        faults: list[str] = []
        for name, options in nodes.items():
            node = {"name": name, **(options or {})}
            try:
                built[name] = metrics.build(node, dataset, device, where=f"metrics.{name}")
            except ConfigError as error:
                faults += error.faults
        if faults:
            raise ConfigError(*faults)
        return cls(built, device)

    def evaluate(self, sample: Sampler, network: nn.Module) -> dict[str, float]:
        """Every metric of `sample`, which draws from `network` with the CPU generator handed it."""
        with torch.no_grad(), evaluation_mode(network):
            return {name: self.measure(metric, sample) for name, metric in self.metrics.items()}

    def measure(self, metric: Metric, sample: Sampler) -> float:
        # A network may draw noise of its own, so the global streams are seeded, then put back.
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.seed)
            rng = torch.Generator().manual_seed(self.seed)
            return metric(lambda count: sample(count, rng))


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """eval() within; after it every submodule is back in the mode that it had."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
