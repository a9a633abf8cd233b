"""SeqGAN: Yu et al. 2017 (arXiv:1609.05473). Generators of text, whose tokens have no gradient."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Count, Natural, NonNegative, Positive, Share
from gan_cli.data.dataset import Dataset
from gan_cli.games.game import Batch, Turn, games
from gan_cli.games.rollouts import one_hot, relaxed_sequences, rollouts, sequences
from gan_cli.games.text_samples import TextSamples
from gan_cli.games.text_scores import likelihoods
from gan_cli.losses.adversarial import Minimax
from gan_cli.losses.objective import Objective
from gan_cli.losses.terms import Terms
from gan_cli.metrics.scorecard import Scorecard
from gan_cli.utils.modes import evaluation_mode

Reward = Literal["probability", "log_probability", "logit", "constant", "random"]
ROWS = {"cpu": 1024}  # sequences that the critic judges at a time, by device; others: MORE
MORE = 16_384


@games.register("seqgan")
class SeqGAN(TextSamples):
    """The generator learns the text by likelihood, then the critic, then both play.

    Policy gradient: the value of a token is the mean reward of `rollouts` completions of the text
    up to it (Equation 4). gumbel: the critic's gradient passes through one-hot tokens.
    """

    players = {
        "likelihood": ("generator",),
        "generator": ("generator",),
        "discriminator": ("discriminator",),
    }
    critics = ("discriminator",)
    augments = True
    relaxes = True
    passes = frozenset()

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        pretrain: Natural = 2000,  # first steps, of maximum likelihood
        pretrain_critic: Natural = 500,  # steps of the critic after them
        likelihood_every: Natural = 0,  # later steps of likelihood: every n-th; 0: none
        estimator: Literal["policy_gradient", "gumbel"] = "policy_gradient",
        rollouts: Count = 16,  # completions of each beginning
        rollout_rate: Share = 0.8,  # of the weights that complete: share that stays in a step
        reward: Reward | None = None,  # null: probability if logits are log odds, otherwise logit
        baseline: Literal["none", "others"] = "others",  # others: mean value of the other samples
        gumbel_temperature: Positive = 1.0,
        entropy: NonNegative = 0.0,  # weight of the entropy of tokens, which keeps samples diverse
        temperature: Positive = 1.0,  # of samples; below 1: safer and less diverse
    ) -> None:
        super().__init__(networks, objective)
        self.first_critic, self.first = pretrain, pretrain + pretrain_critic
        self.likelihood_every, self.estimator = likelihood_every, estimator
        self.rollouts, self.rollout_rate = rollouts, rollout_rate
        odds = isinstance(objective.loss, Minimax)
        self.reward: Reward = reward or ("probability" if odds else "logit")
        self.baseline, self.gumbel_temperature = baseline, gumbel_temperature
        self.entropy, self.temperature = entropy, temperature
        self.policy = deepcopy(self.generator).requires_grad_(False)
        by_gradient = any(penalty.by_gradient for penalty in objective.penalties.values())
        self.relaxed = estimator == "gumbel" or by_gradient  # does the critic take one-hots?
        self.constrain()

    def place(self, device: torch.device) -> None:
        super().place(device)
        self.policy.to(device)

    def schedule(self, step: int) -> None:
        super().schedule(step)
        if step == self.first:
            self.follow(0.0)

    def turns(self, step: int) -> Iterator[Turn]:
        if step < self.first_critic:
            yield Turn("likelihood", self.likelihood_loss)
            return
        if step >= self.first:
            if self.likelihood_every and (step - self.first) % self.likelihood_every == 0:
                yield Turn("likelihood", self.likelihood_loss)
            loss = self.gumbel_loss if self.estimator == "gumbel" else self.policy_loss
            yield Turn("generator", loss, after=self.after_generator)
        turns = self.critic_turns("discriminator", self.discriminator_loss, step)
        for i, turn in enumerate(turns):
            alone = step < self.first and i == 0  # no generator has drawn a batch before it
            yield replace(turn, draw=True) if alone else turn

    def likelihood_loss(self, batch: Batch) -> Terms:
        """Returns the negative log likelihood of a real token, given those before it."""
        real = batch["real"]
        return Terms({"likelihood": -self.generator.log_likelihood(real).mean() / real.shape[1]})

    def policy_loss(self, batch: Batch) -> Terms:
        """Returns -sum_t A_t log p(y_t | y_1..y_t-1), whose gradient is that of -E[reward]."""
        tokens = sequences(self.generator, len(batch["real"]))
        batch["fake"] = tokens
        values = self.values(batch, tokens)
        logs = self.generator(tokens)  # (N, T, V)
        chosen = logs.gather(2, tokens[..., None])[..., 0]
        policy = -(self.advantage(values) * chosen).sum(1).mean()
        terms = Terms({"policy": policy}, {"reward": values[:, -1].mean()})
        return terms | self.entropy_terms(logs)

    def gumbel_loss(self, batch: Batch) -> Terms:
        """Returns the loss of the generator, whose gradient passes through relaxed tokens."""
        real = batch["real"]
        fake, logs = relaxed_sequences(self.generator, len(real), self.gumbel_temperature)
        batch["fake"] = fake.detach().argmax(2)
        critic, given = self.critic("discriminator", batch), (self.seen(real),)
        return self.objective.generator_terms(critic, (fake,), given) | self.entropy_terms(logs)

    def entropy_terms(self, logs: Tensor) -> Terms:
        """Returns the entropy of a token, given those before it, of log probabilities (N, T, V)."""
        entropy = -(logs.exp() * logs).sum(2).mean()
        losses = {"entropy_bonus": -self.entropy * entropy} if self.entropy else {}
        return Terms(losses, {"token_entropy": entropy.detach()})

    @torch.no_grad()
    def values(self, batch: Batch, tokens: Tensor) -> Tensor:
        """Returns the value (N, T) of each token: the mean reward of texts that go on from it."""
        if self.reward == "constant":
            return torch.ones(tokens.shape, device=tokens.device)
        if self.reward == "random":
            return torch.rand(self.rollouts, *tokens.shape, device=tokens.device).mean(0)
        completed = rollouts(self.policy, tokens, self.rollouts)  # (T - 1, K, N, T)
        texts = torch.cat([completed.flatten(0, 2), tokens])
        rewards = self.rewards(batch, texts)
        ends = len(texts) - len(tokens)
        going_on = rewards[:ends].view(completed.shape[:3]).mean(1)  # (T - 1, N)
        return torch.cat([going_on, rewards[None, ends:]]).T

    def rewards(self, batch: Batch, tokens: Tensor) -> Tensor:
        """Returns the reward (N,) of whole sequences."""
        critic = self.critic("discriminator", batch)
        with evaluation_mode(self.networks["discriminator"]):
            parts = tokens.split(ROWS.get(tokens.device.type, MORE))
            logits = torch.cat([critic(part).float() for part in parts])
        if self.reward == "logit":
            return logits
        return logits.sigmoid() if self.reward == "probability" else F.logsigmoid(logits)

    def advantage(self, values: Tensor) -> Tensor:
        """Returns the values (N, T) above the mean of the other samples at the same time.

        That of the sample itself would depend on its tokens, and bias the gradient.
        """
        if self.baseline == "none" or len(values) == 1:
            return values
        others = (values.sum(0) - values) / (len(values) - 1)
        return values - others

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        if "fake" not in batch:
            batch["fake"] = sequences(self.generator, len(batch["real"]))
        critic = self.critic("discriminator", batch)
        real, fake = self.seen(batch["real"]), self.seen(batch["fake"])
        terms = self.objective.critic_terms(critic, (real,), (fake,), due)
        network: Any = self.networks["discriminator"]
        if getattr(network, "l2", 0):
            terms = terms | Terms({"l2": network.regularization()})
        return terms

    def seen(self, tokens: Tensor) -> Tensor:
        """Returns tokens (N, T) as the critic's turns take them."""
        return one_hot(tokens, self.generator.tokens) if self.relaxed else tokens

    def after_generator(self, terms: Terms) -> None:
        super().after_generator(terms)
        self.follow(self.rollout_rate)

    @torch.no_grad()
    def follow(self, rate: float) -> None:
        """Moves the weights that complete texts to the generator's; embeddings at once."""
        ours, theirs = dict(self.policy.named_parameters()), self.generator.named_parameters()
        for name, weight in theirs:
            ours[name].lerp_(weight, 1.0 if name == "embedding" else 1 - rate)

    def evaluate(self, dataset: Dataset) -> Scorecard:
        """Returns likelihoods; with a known law of the data, divergences from it."""
        return likelihoods(self.generator, dataset)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "policy": dict(self.policy.state_dict())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.policy.load_state_dict(state["policy"])
