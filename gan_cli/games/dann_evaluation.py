"""Scores of domain adaptation on held-out images."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset
from gan_cli.data.kinds import kind_of
from gan_cli.metrics.scorecard import Scorecard

CHUNK = 500  # images evaluated at a time
Embed = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]  # features, class and domain logits


def held_out_accuracies(embed: Embed, dataset: Dataset, device: torch.device) -> Scorecard:
    """Class accuracy for each labelled domain, and how accurately the critics separate domains."""
    held: dict[str, Tensor] = dataset.held_out()  # type: ignore[attr-defined]
    values, domain_logits = {}, {}
    for domain in reversed(domains(held)):  # the target first: its accuracy is the main score
        to_model = kind_of(dataset.spec.fields[domain]).to_model
        parts = [embed(to_model(part.to(device))) for part in held[domain].split(CHUNK)]
        # On the CPU, since MPS has no float64.
        logits = torch.cat([part[1].cpu() for part in parts])  # (N, classes)
        domain_logits[domain] = torch.cat([part[2].cpu() for part in parts])
        domain_logits[domain] = domain_logits[domain].reshape(len(logits), -1)
        if f"{domain}_label" in held:
            hits = logits.argmax(1) == held[f"{domain}_label"]
            values[f"{domain}_accuracy"] = hits.double().mean().item()
    *sources, target = (domain_logits[domain] for domain in domains(held))  # (N, sources) each
    accuracies = [balanced_accuracy(s[:, k], target[:, k]) for k, s in enumerate(sources)]
    values["domain_accuracy"] = sum(accuracies) / len(accuracies)
    return Scorecard(values, {next(iter(values)): False})


def domains(batch: Mapping[str, Tensor]) -> list[str]:
    """Returns the keys of images: the sources in the order of the data set, then the target."""
    sources = [k for k in batch if k.startswith("source") and not k.endswith("label")]
    return [*sources, "target"]


def balanced_accuracy(source: Tensor, target: Tensor) -> float:
    """Mean of both domains' accuracies, with the threshold halfway between their mean logits.

    Domain logits are (N,) and (M,), on the CPU. The threshold is not zero, which is a decision
    boundary for some losses only.
    """
    halfway = (source.mean() + target.mean()) / 2
    right = (source > halfway).double().mean() + (target < halfway).double().mean()
    return right.item() / 2
