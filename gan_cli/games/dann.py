"""Domain-adversarial training: Ganin et al. 2016 (arXiv:1505.07818)."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.schedules import Schedule
from gan_cli.config.schema import Config
from gan_cli.data.dataset import Dataset, datasets
from gan_cli.data.kinds import kind_of
from gan_cli.data.sets.domain import UNKNOWN
from gan_cli.data.spec import Field
from gan_cli.games.dann_compatibility import check_features, decoder_errors
from gan_cli.games.game import Batch, Game, Shown, Turn, games
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Critic, Sample
from gan_cli.losses.terms import Terms, mean_terms
from gan_cli.metrics.scorecard import Scorecard

CHUNK = 500  # held-out images that are scored at a time


@games.register("dann")
class DANN(Game):
    """Features that tell the classes of the source, and do not tell the domain: Section 4.2.

    One player. The domain discriminator is the critic of the loss's game, with the source's
    features as the real samples; through the gradient reversal the extractor plays the same game
    with the sign turned and `adaptation` (the paper's lambda) as its weight, 0 being training on
    the source alone. `train_on` says whose labels are learned; those of the target are looked at
    by both (semi-supervised, of dataset.target_labels samples) and target alone.

    Each of several sources plays a game of its own against the target, all of one weight.
    `reconstruction` weighs the error of target images rebuilt from their features: DRCN,
    Ghifary et al. 2016 (arXiv:1607.03516), Equation 4, there without a discriminator.
    """

    players = {"classifier": ("feature_extractor", "label_predictor", "domain_discriminator")}
    critics = ("domain_discriminator",)
    reads = frozenset({"source", "source_label", "target", "held_out"})
    averaged = ("feature_extractor", "label_predictor", "domain_discriminator")
    previewed = 500

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        adaptation: Schedule = Schedule(1.0),  # weight of the domain confusion
        train_on: Literal["source", "target", "both"] = "source",  # domains whose labels are used
        reconstruction: float = 0.0,  # weight of the error of rebuilt target images
    ) -> None:
        super().__init__(networks, objective)
        check_features(networks)
        self.adaptation, self.train_on = adaptation, train_on
        self.reconstruction = reconstruction
        self.strength = torch.zeros(())  # a tensor: its schedule neither recompiles nor recaptures
        self.constrain()

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
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
                "dataset.target_labels=null for all of them, or take a target that has some"
            )
        if train_on == "source" and config.dataset.get("target_labels"):
            yield (
                "dataset.target_labels: would not be looked at; set model.game.train_on=both, or "
                "dataset.target_labels=null"
            )
        yield from decoder_errors(config)

    def turns(self, step: int) -> Iterator[Turn]:
        due = self.objective.schedule(step)
        self.strength.fill_(self.adaptation(step))
        yield Turn("classifier", partial(self.loss, due=due), True, due, self.after_critic)

    def loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        seen, logits = self.predict(batch)
        penalties = self.penalty_terms([tuple(x.detach() for x in sample) for sample in seen], due)
        turned = [tuple(reverse_gradient(x, self.strength) for x in sample) for sample in seen]
        terms = Terms({"adversarial": self.domain_loss(turned)}) | penalties
        return terms | self.classification(logits, batch) | self.rebuilt(seen, batch)

    def penalty_terms(self, seen: list[Sample], due: tuple[str, ...]) -> Terms:
        """Penalties act on the critic alone; the features learn through the reversal only."""
        terms = self.critic_terms(seen, due)
        losses = {name: term for name, term in terms.losses.items() if name != "adversarial"}
        return Terms(losses, terms.observed)

    def critic_terms(self, seen: list[Sample], due: tuple[str, ...]) -> Terms:
        """Loss and penalties of the critics, their mean over the sources."""
        terms = [
            self.objective.critic_terms(critic, source, target, due)
            for critic, source, target in self.matches(seen)
        ]
        return mean_terms(terms)

    def domain_loss(self, seen: list[Sample]) -> Tensor:
        """What the critics minimize, of samples that may carry gradients."""
        losses = [
            self.objective.loss.critic(critic(*source).float(), critic(*target).float())
            for critic, source, target in self.matches(seen)
        ]
        return torch.stack(losses).mean()

    def matches(self, seen: list[Sample]) -> Iterator[tuple[Critic, Sample, Sample]]:
        """(critic, source, target) for each source; the target comes last in `seen`."""
        network, (*sources, target) = self.networks["domain_discriminator"], seen
        for k, source in enumerate(sources):
            own = (lambda *x, k=k: network(*x)[:, k]) if len(sources) > 1 else network
            yield own, source, target

    def predict(self, batch: Batch) -> tuple[list[Sample], Tensor]:
        """What the critics see of each domain, and class logits (domains * N, classes) of all."""
        images = [batch[domain] for domain in domains(batch)]
        features = self.networks["feature_extractor"](torch.cat(images))
        logits = self.networks["label_predictor"](features)
        parts = (x.chunk(len(images)) for x in self.seen(features, logits))
        return list(zip(*parts, strict=True)), logits

    def seen(self, features: Tensor, logits: Tensor) -> Sample:
        """By the critic: features (N, F), and for CDAN predictions (N, classes).

        The latter are detached, as in the code of CDAN's authors.
        """
        discriminator: Any = self.networks["domain_discriminator"]
        return (features, logits.softmax(1).detach()) if discriminator.conditional else (features,)

    def classification(self, logits: Tensor, batch: Batch) -> Terms:
        """Cross-entropy over the labels that are known; the accuracy is of them too."""
        label = torch.cat([self.label(batch, domain) for domain in domains(batch)])
        known = label != UNKNOWN
        count = known.sum().clamp(min=1)  # a batch may have none
        loss = F.cross_entropy(logits.float(), label, ignore_index=UNKNOWN, reduction="sum")
        hits = (logits.detach().argmax(1) == label).sum() / count
        observed = {"label_accuracy": hits, "adaptation": self.strength.clone()}
        return Terms({"classification": loss / count}, observed)

    def rebuilt(self, seen: list[Sample], batch: Batch) -> Terms:
        """The squared error, a pixel, of the target's images out of their features."""
        if not self.reconstruction:
            return Terms({})
        extractor: Any = self.networks["feature_extractor"]
        error = F.mse_loss(extractor.reconstruct(seen[-1][0]).float(), batch["target"])
        return Terms(
            {"reconstruction": self.reconstruction * error},
            {"reconstruction_error": error.detach()},
        )

    def label(self, batch: Batch, domain: str) -> Tensor:
        """(N,) int64, -1 where it is not learned."""
        role = "target" if domain == "target" else "source"
        if self.train_on in (role, "both"):
            return batch[f"{domain}_label"]
        return batch["source_label"].new_full((len(batch[domain]),), UNKNOWN)

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (N, F), class logits (N, classes), domain logits (N, ...) of (N, C, H, W)."""
        features = self.networks["feature_extractor"](images)
        logits = self.networks["label_predictor"](features)
        domain = self.networks["domain_discriminator"](*self.seen(features, logits))
        return features.float(), logits.float(), domain.float()

    def embed_stored(self, images: Tensor, field: Field) -> tuple[Tensor, Tensor, Tensor]:
        """The same of stored images, in chunks."""
        to_model = kind_of(field).to_model
        found = [self.embed(to_model(part.to(self.device))) for part in images.split(CHUNK)]
        features, logits, domain = (torch.cat(parts) for parts in zip(*found, strict=True))
        return features, logits, domain

    def evaluate(self, dataset: Dataset) -> Scorecard:
        """Accuracies on held-out images; a domain accuracy of 0.5 means domains look alike."""
        held: dict[str, Tensor] = dataset.held_out()  # type: ignore[attr-defined]
        values, judged = {}, {}
        for domain in reversed(domains(held)):  # the target first: it is what counts
            _, logits, domain_logits = self.embed_stored(held[domain], dataset.spec.fields[domain])
            judged[domain] = domain_logits.reshape(len(logits), -1)  # (N, sources)
            if f"{domain}_label" in held:
                hits = logits.argmax(1).cpu() == held[f"{domain}_label"]
                values[f"{domain}_accuracy"] = hits.double().mean().item()
        *sources, target = (judged[domain] for domain in domains(held))
        apart = [balanced(source[:, k], target[:, k]) for k, source in enumerate(sources)]
        values["domain_accuracy"] = sum(apart) / len(apart)
        return Scorecard(values, {next(iter(values)): False})

    def preview(self, batch: Batch) -> dict[str, Shown]:
        """The features of all domains."""
        *sources, target = (self.embed(batch[domain])[0] for domain in domains(batch))
        return {"embedding": {"source": torch.cat(sources), "target": target}}


def domains(batch: Mapping[str, Tensor]) -> list[str]:
    """Keys of images: the sources in the order of the data set, the target last."""
    sources = [k for k in batch if k.startswith("source") and not k.endswith("label")]
    return [*sources, "target"]


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
