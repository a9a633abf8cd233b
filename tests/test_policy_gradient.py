"""The estimators of SeqGAN against exact gradients, by enumeration of all texts of 3 tokens."""

import itertools

import pytest
import torch
from torch import nn

from gan_cli.data.spec import Field, Spec
from gan_cli.games.rollouts import at_quantile, relaxed_sequences, rollouts, sequences
from gan_cli.games.seqgan import SeqGAN
from gan_cli.losses.adversarial import NonSaturating
from gan_cli.losses.objective import Objective
from gan_cli.networks.lstm_generator import LSTMGenerator
from gan_cli.networks.transformer_generator import TransformerGenerator

TOKENS, LENGTH = 3, 3
ALL = torch.tensor(list(itertools.product(range(TOKENS), repeat=LENGTH)))


def spec_of(*vocabulary):
    return Spec({"real": Field("tokens", (LENGTH,), vocabulary=vocabulary)})


class Table(nn.Module):
    """A critic with any logit for each text."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(2 * torch.randn(TOKENS**LENGTH))

    def forward(self, tokens):
        return self.logits[(tokens * torch.tensor([9, 3, 1])).sum(1)]


def game_of(generator=None, vocabulary=("a", "b", "c"), **options):
    torch.manual_seed(0)
    generator = generator or LSTMGenerator(spec_of(*vocabulary), embedding=3, width=3, init_std=1.0)
    networks = nn.ModuleDict({"generator": generator, "discriminator": Table()})
    return SeqGAN(networks, Objective(NonSaturating(), {}), rollouts=2, **options)


def gradient_of(loss, game):
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, game.generator.parameters())])


def exact_gradient(game):
    """That of -E[reward], a sum over all texts."""
    probability = game.generator.log_likelihood(ALL).exp()
    assert probability.sum().item() == pytest.approx(1, abs=1e-5)
    return gradient_of(-(probability * game.rewards({}, ALL)).sum(), game)


def mean_gradient(game, texts=1000, draws=24):
    """Mean and standard error of the estimator, over independent batches."""
    batch = {"real": ALL[:1].expand(texts, -1)}
    found = torch.stack(
        [gradient_of(game.policy_loss(dict(batch)).total(), game) for _ in range(draws)]
    )
    return found.mean(0), found.std(0) / draws**0.5


@pytest.mark.parametrize(
    ("baseline", "vocabulary"), [("none", ("a", "b", "c")), ("others", ("", "b", "c"))]
)
def test_policy_gradient_is_unbiased(baseline, vocabulary):
    game = game_of(baseline=baseline, vocabulary=vocabulary)
    mean, error = mean_gradient(game)
    exact = exact_gradient(game)
    assert exact.norm() > 5 * error.norm()
    assert ((mean - exact).abs() < 5 * error + 1e-6).all()


def test_others_as_baseline_reduce_the_variance():
    _, plain = mean_gradient(game_of(baseline="none"), draws=8)
    _, reduced = mean_gradient(game_of(baseline="others"), draws=8)
    assert reduced.norm() < 0.7 * plain.norm()


def test_baseline_of_all_samples_would_be_biased():
    """With 2 texts, subtracting the mean of both would halve the gradient."""
    game = game_of(baseline="others")
    values = torch.tensor([[1.0, 4.0], [3.0, 0.0]])
    assert game.advantage(values).tolist() == [[-2, 4], [2, -4]]


def test_a_constant_reward_teaches_nothing():
    game = game_of(reward="constant")
    mean, _ = mean_gradient(game, texts=8, draws=2)
    assert mean.abs().max() < 1e-6


def test_values_are_expected_rewards_of_completions():
    game = game_of()
    game.rollouts = 4000
    tokens = torch.tensor([[1, 0, 2], [2, 1, 1]])
    values = game.values({}, tokens)
    probability, reward = game.generator.log_likelihood(ALL).exp(), game.rewards({}, ALL)
    for text, row in zip(tokens, values, strict=True):
        for t in range(1, LENGTH + 1):
            agrees = (ALL[:, :t] == text[:t]).all(1)
            expected = (probability * reward)[agrees].sum() / probability[agrees].sum()
            assert row[t - 1].item() == pytest.approx(expected.item(), abs=0.02)


@pytest.mark.parametrize("network", [LSTMGenerator, TransformerGenerator])
@pytest.mark.parametrize("vocabulary", [("a", "b", "c"), ("", "b", "c")])
def test_samples_have_the_probabilities_of_whole_texts(network, vocabulary):
    torch.manual_seed(1)
    options = {"init_std": 1.0} | ({"width": 4, "heads": 2} if "Trans" in network.__name__ else {})
    generator = network(spec_of(*vocabulary), **options)
    drawn = sequences(generator, 20_000)
    shares = torch.bincount((drawn * torch.tensor([9, 3, 1])).sum(1), minlength=27) / len(drawn)
    probability = generator.log_likelihood(ALL).exp()
    assert (shares - probability).abs().max() < 0.02
    if "" in vocabulary:
        going_on = (ALL[:, 0] == 0) & (ALL[:, 1:] != 0).any(1)
        assert probability[going_on].sum() == 0


@pytest.mark.parametrize("network", [LSTMGenerator, TransformerGenerator])
def test_completions_keep_their_beginning_and_follow_the_law(network):
    torch.manual_seed(2)
    generator = network(spec_of("a", "b", "c"), init_std=1.0)
    tokens = torch.tensor([[0, 1, 2], [2, 2, 0]])
    completed = rollouts(generator, tokens, 3000)
    assert completed.shape == (LENGTH - 1, 3000, 2, LENGTH)
    probability = generator.log_likelihood(ALL).exp()
    for t in range(1, LENGTH):
        for i, text in enumerate(tokens):
            assert (completed[t - 1, :, i, :t] == text[:t]).all()
            agrees = (ALL[:, :t] == text[:t]).all(1)
            last = torch.bincount(completed[t - 1, :, i, -1], minlength=TOKENS) / 3000
            mass = torch.zeros(TOKENS).index_add(0, ALL[agrees][:, -1], probability[agrees])
            assert (last - mass / mass.sum()).abs().max() < 0.04


def test_relaxed_texts_are_one_hot_and_have_gradients():
    torch.manual_seed(3)
    generator = LSTMGenerator(spec_of("a", "b", "c"), init_std=1.0)
    relaxed, _ = relaxed_sequences(generator, 20_000, 1.0)
    assert ((relaxed == 0) | (relaxed == 1)).all()
    assert (relaxed.sum(2) == 1).all()
    shares = torch.bincount((relaxed.argmax(2) * torch.tensor([9, 3, 1])).sum(1), minlength=27)
    exact = generator.log_likelihood(ALL).exp()
    assert (shares / len(relaxed) - exact).abs().max() < 0.02
    weights = torch.randn(LENGTH, TOKENS)
    game = game_of(generator)
    slope = gradient_of((relaxed * weights).sum((1, 2)).mean(), game)
    true = gradient_of((exact * weights[range(LENGTH), ALL].sum(1)).sum(), game)
    assert torch.cosine_similarity(slope, true, 0) > 0.9  # biased, but in the right direction


def test_quantiles_choose_no_token_without_probability():
    logits = torch.tensor([[-1e9, 0.0, -1e9, 0.0]]).expand(4, -1)
    assert at_quantile(logits, torch.tensor([0.0, 0.49, 0.51, 0.999])).tolist() == [1, 1, 3, 3]
