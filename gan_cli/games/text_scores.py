"""Scores of a generator of text that know its probabilities, which samples alone do not show."""

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, HasHeldOut
from gan_cli.data.ground_truth import HasLaw
from gan_cli.games.rollouts import sequences
from gan_cli.metrics.scorecard import Scorecard
from gan_cli.metrics.text import words_of
from gan_cli.networks.layers.sequences import SequenceGenerator
from gan_cli.utils.errors import ConfigError

COUNT = 2000  # held-out texts, and samples, at most
ROWS = 250  # texts at a time
HIGHER = ("possible", "new_words")  # is better


def likelihoods(generator: SequenceGenerator, dataset: Dataset) -> Scorecard:
    """Returns scores in nats per token of a text, whatever its length; lower is better.

    nll is of held-out text: high if the generator misses some of it (also called reverse NLL). If
    the law P of the data is known, kl_forward is KL(P || G), which adds up where G misses texts,
    and kl_reverse KL(G || P), where G makes wrong ones. Each is a mean over the same texts of the
    difference of two log probabilities, which is 0 for G = P, in every sample. oracle_nll is that
    of the samples under P, which few and frequent texts lower, too; token_entropy shows it.
    possible is the share of samples with a probability under P, new_words that of the words of
    samples which held-out text alone has.
    """
    device = next(generator.parameters()).device
    length = generator.length
    texts = torch.cat([sequences(generator, ROWS) for _ in range(COUNT // ROWS)])
    own = log_likelihoods(generator, texts)
    values: dict[str, float] = {}
    held = held_out_of(dataset)
    if held is not None:
        real = log_likelihoods(generator, held.to(device))
        values["nll"] = -real.mean().item() / length
    if held is not None and isinstance(dataset, HasLaw):
        law = dataset.law()
        values = {"kl_forward": (law.log(held) - real).mean().item() / length, **values}
        true = law.log(texts)
        values["possible"] = true.isfinite().double().mean().item()
        if true.isfinite().all():  # otherwise both are infinite
            values["kl_reverse"] = (own - true).mean().item() / length
            values["oracle_nll"] = -true.mean().item() / length
    if held is not None and not isinstance(dataset, HasLaw):
        values["new_words"] = new_words(dataset, held, texts.cpu())
    values["token_entropy"] = -own.mean().item() / length
    lower = {name: name not in HIGHER for name in values if name != "token_entropy"}
    return Scorecard(values, lower)


def new_words(dataset: Dataset, held: Tensor, texts: Tensor) -> float:
    """Returns the share of the words of samples that only held-out text has: words never seen."""
    field = dataset.spec.fields[dataset.spec.target]
    tensors = dataset.tensors()
    seen = set(words_of(field, None if tensors is None else tensors[dataset.spec.target]))
    unseen = set(words_of(field, held)) - seen
    made = words_of(field, texts)
    return sum(word in unseen for word in made) / max(len(made), 1)


def held_out_of(dataset: Dataset) -> Tensor | None:
    """Returns held-out texts (N, T) on the CPU; None if there are none."""
    if not isinstance(dataset, HasHeldOut):
        return None
    try:
        return dataset.held_out(COUNT)[dataset.spec.target]
    except ConfigError:  # as with dataset.held_out=0
        return None


def log_likelihoods(generator: SequenceGenerator, texts: Tensor) -> Tensor:
    """Returns the log probability (N,) float64, on the CPU, of texts (N, T)."""
    parts = [generator.log_likelihood(part).double().cpu() for part in texts.long().split(ROWS)]
    return torch.cat(parts)
