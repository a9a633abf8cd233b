"""Domain-adversarial training: Ganin et al. 2016 (arXiv:1505.07818)."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config import Config
from gan_cli.data.decode import decode
from gan_cli.data.domain import UNKNOWN
from gan_cli.data.registry import Dataset, datasets
from gan_cli.errors import ConfigError
from gan_cli.games.game import Batch, Game, Turn, games
from gan_cli.losses.objective import Critic, Objective, Sample, Terms
from gan_cli.metrics.evaluation import Scorecard
from gan_cli.plots import embedding, principal
from gan_cli.schedules import Schedule

CHUNK = 500  # held-out images that are scored at a time
DOMAINS = ("source", "target")


@games.register("dann")
class DANN(Game):
    """Features that tell the classes of the source, and do not tell the domain: Section 4.2.

    One player. The domain discriminator is the critic of the loss's game, with the source's
    features as the real samples; through the gradient reversal the extractor plays the same game
    with the sign turned and `adaptation` (the paper's lambda) as its weight, 0 being training on
    the source alone. `train_on` says whose labels are learned: of the target there are some if
    dataset.target_labels says so.
    """

    players = {"classifier": ("feature_extractor", "label_predictor", "domain_discriminator")}
    critics = ("domain_discriminator",)
    reads = frozenset({"source", "source_label", "target", "held_out"})
    averaged = ("feature_extractor", "label_predictor", "domain_discriminator")
    pictured = 500

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        adaptation: Schedule = Schedule(1.0),
        train_on: Literal["source", "target", "both"] = "source",
    ) -> None:
        super().__init__(networks, objective)
        check_features(networks)
        self.adaptation, self.train_on = adaptation, train_on
        self.strength = torch.zeros(())  # a tensor: its schedule neither recompiles nor recaptures
        self.constrain()

    @classmethod
    def misfits(cls, config: Config) -> Iterator[str]:
        if config.loss.critic_steps != 1 and len(cls.players) == 1:
            yield (
                f"loss.critic_steps: one player takes one step, got {config.loss.critic_steps}; "
                "set loss.critic_steps=1, or model=dann_alternating"
            )
        train_on = config.model.game["train_on"]
        known = "target_label" in datasets.entries[config.dataset["name"]].provides(config.dataset)
        if train_on != "source" and not known:
            yield (
                f"model.game.train_on: '{train_on}' needs labels of the target; set "
                "dataset.target_labels to the number that is known (null: all of them)"
            )
        if train_on == "source" and known:
            yield (
                "dataset.target_labels: would not be looked at; set model.game.train_on=both, or "
                "dataset.target_labels=0"
            )

    def turns(self, step: int) -> Iterator[Turn]:
        due = self.objective.due(step)
        self.strength.fill_(self.adaptation(step))
        yield Turn("classifier", partial(self.loss, due=due), True, due, self.constrain)

    def loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        (source, target), logits = self.predict(batch)
        # Penalties are of the critic alone; what reaches the features goes through the reversal.
        real, fake = (tuple(x.detach() for x in side) for side in (source, target))
        terms = self.objective.critic_terms(self.critic, real, fake, due)
        terms.losses["adversarial"] = self.domain_loss(
            *(tuple(reverse_gradient(x, self.strength) for x in side) for side in (source, target))
        )
        return terms | self.classification(logits, batch)

    def domain_loss(self, source: Sample, target: Sample) -> Tensor:
        """What the critic minimizes, of samples that may carry gradients."""
        return self.objective.loss.critic(
            self.critic(*source).float(), self.critic(*target).float()
        )

    @property
    def critic(self) -> Critic:
        return self.networks["domain_discriminator"]

    def constrain(self) -> None:
        self.objective.constrain(self.networks["domain_discriminator"])

    def predict(self, batch: Batch) -> tuple[tuple[Sample, Sample], Tensor]:
        """What the critic sees of either domain, and class logits (2 N, classes) of both."""
        features = self.networks["feature_extractor"](torch.cat([batch[d] for d in DOMAINS]))
        logits = self.networks["label_predictor"](features)
        seen = tuple(x.chunk(2) for x in self.seen(features, logits))
        source, target = zip(*seen, strict=True)
        return (source, target), logits

    def seen(self, features: Tensor, logits: Tensor) -> Sample:
        """By the critic: features (N, F), and for CDAN predictions (N, classes).

        The latter are detached, as in the code of CDAN's authors.
        """
        discriminator: Any = self.networks["domain_discriminator"]
        return (features, logits.softmax(1).detach()) if discriminator.conditional else (features,)

    def classification(self, logits: Tensor, batch: Batch) -> Terms:
        """Cross-entropy over the labels that are known; the accuracy is of them too."""
        label = torch.cat([self.label(batch, domain) for domain in DOMAINS])
        known = label != UNKNOWN
        count = known.sum().clamp(min=1)  # a batch may have none
        loss = F.cross_entropy(logits.float(), label, ignore_index=UNKNOWN, reduction="sum")
        hits = (logits.detach().argmax(1) == label).sum() / count
        observed = {"label_accuracy": hits, "adaptation": self.strength.clone()}
        return Terms({"classification": loss / count}, observed)

    def label(self, batch: Batch, domain: str) -> Tensor:
        """(N,) int64, -1 where it is not learned."""
        if self.train_on in (domain, "both"):
            return batch[f"{domain}_label"]
        return batch["source_label"].new_full((len(batch[domain]),), UNKNOWN)

    @torch.no_grad()
    def embed(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (N, F), class logits (N, classes), domain logits (N,) of images (N, C, H, W)."""
        device = next(self.networks.parameters()).device
        found = []
        for part in images.split(CHUNK):
            features = self.networks["feature_extractor"](decode({"x": part.to(device)}, None)["x"])
            logits = self.networks["label_predictor"](features)
            found.append((features, logits, self.critic(*self.seen(features, logits))))
        features, logits, domain = (torch.cat(parts).float() for parts in zip(*found, strict=True))
        return features, logits, domain

    def evaluate(self, dataset: Dataset) -> Scorecard:
        """Accuracies on held-out images; of the domain 0.5 means that it cannot be told."""
        held: dict[str, Tensor] = dataset.held_out()  # type: ignore[attr-defined]
        values, domain_logits = {}, {}
        for domain in reversed(DOMAINS):  # the target first: it is what counts
            _, logits, domain_logits[domain] = self.embed(held[domain])
            if f"{domain}_label" in held:
                hits = logits.argmax(1).cpu() == held[f"{domain}_label"]
                values[f"{domain}_accuracy"] = hits.double().mean().item()
        values["domain_accuracy"] = balanced(domain_logits["source"], domain_logits["target"])
        return Scorecard(values, {next(iter(values)): False})

    def preview(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """The two directions in which the features of both domains vary most."""
        points = principal(torch.cat([self.embed(batch[domain])[0] for domain in DOMAINS]))
        picture = torch.tensor(embedding(dict(zip(DOMAINS, points.chunk(2), strict=True))))
        return {"embedding": picture.permute(2, 0, 1)[None] / 127.5 - 1}


def reverse_gradient(x: Tensor, strength: Tensor) -> Tensor:
    """The gradient reversal layer, Section 4.2: x itself, whose gradient is -`strength` times."""
    return x + (1 + strength) * (x.detach() - x)


def balanced(source: Tensor, target: Tensor) -> float:
    """Accuracy of telling domain logits (N,) and (M,) apart halfway between their means.

    Both domains weigh alike. Not at zero: only some losses have a boundary there.
    """
    halfway = (source.mean() + target.mean()) / 2
    right = (source > halfway).double().mean() + (target < halfway).double().mean()
    return right.item() / 2


def check_features(networks: nn.ModuleDict) -> None:
    """As wide as they leave the extractor they must enter the others."""
    sizes = {role: getattr(network, "features", None) for role, network in networks.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{role} {size}" for role, size in sizes.items())
        raise ConfigError(
            f"model.networks: differ in their number of features ({told}); set it for the "
            "feature_extractor alone, the others take it from there"
        )
