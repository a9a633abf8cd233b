"""Domain-adversarial training: Ganin et al. 2016 (arXiv:1505.07818)."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import NonNegative
from gan_cli.config.schedules import Schedule, Weight
from gan_cli.config.schema import Config
from gan_cli.data.dataset import Dataset, datasets
from gan_cli.data.sets.domain import UNKNOWN
from gan_cli.games.dann_compatibility import check_features, decoder_errors
from gan_cli.games.dann_evaluation import domains, held_out_accuracies
from gan_cli.games.game import Batch, Game, PreviewContent, Turn, games
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Critic, Sample
from gan_cli.losses.terms import Terms, mean_terms
from gan_cli.metrics.scorecard import Scorecard


@games.register("dann")
class DANN(Game):
    """Learns features that predict the classes of the source but not the domain: Section 4.2.

    There is one player. The domain discriminator minimizes the critic's loss, with source features
    as real samples and target features as fakes. Gradient reversal makes the feature extractor
    maximize it, with the weight `adaptation` (lambda in the paper); 0 trains on the source alone.
    `train_on` selects the domains whose labels are used: "source", "target", or "both", which is
    semi-supervised with dataset.target_labels labels of the target.

    With several sources, the discriminator has one logit for each, and the losses are averaged.
    `reconstruction` is the weight of the error of target images decoded from their features, as in
    DRCN (Ghifary et al. 2016, arXiv:1607.03516, Equation 4), which has no discriminator.
    """

    players = {"classifier": ("feature_extractor", "label_predictor", "domain_discriminator")}
    critics = ("domain_discriminator",)
    reads = frozenset({"source", "source_label", "target", "held_out"})
    averaged = ("feature_extractor", "label_predictor", "domain_discriminator")
    previewed = 500
    capturable = True

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        adaptation: Weight = Schedule(1.0),  # weight of the domain confusion
        train_on: Literal["source", "target", "both"] = "source",  # domains whose labels are used
        reconstruction: NonNegative = 0.0,  # weight of the error of rebuilt target images
    ) -> None:
        super().__init__(networks, objective)
        check_features(networks)
        self.adaptation, self.train_on = adaptation, train_on
        self.reconstruction = reconstruction
        # A tensor, so that a schedule neither recompiles a turn nor invalidates a CUDA graph.
        self.strength = torch.zeros(())
        self.constrain()

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        if config.loss.critic_steps != 1 and len(cls.players) == 1:
            yield (
                f"loss.critic_steps: one player takes one step, got {config.loss.critic_steps}; "
                "set loss.critic_steps=1, or model=dann_alternating"
            )
        train_on = config.model.game["train_on"]
        provided = datasets.entries[config.dataset["name"]].provides(config.dataset)
        if train_on != "source" and "target_label" not in provided:
            yield (
                f"model.game.train_on: '{train_on}' needs labels of the target; set "
                "dataset.target_labels=null for all of them, or use a target that has labels"
            )
        if train_on == "source" and config.dataset.get("target_labels"):
            yield (
                "dataset.target_labels: has no effect; set model.game.train_on=both or "
                "dataset.target_labels=null"
            )
        yield from decoder_errors(config)

    def place(self, device: torch.device) -> None:
        super().place(device)
        self.strength = self.strength.to(device)

    def turns(self, step: int) -> Iterator[Turn]:
        due = self.objective.schedule(step)
        self.strength.fill_(self.adaptation(step))
        yield Turn("classifier", partial(self.loss, due=due), True, due, self.after_critic)

    def loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        samples, logits = self.predict(batch)
        detached = [tuple(x.detach() for x in sample) for sample in samples]
        penalties = self.penalty_terms(detached, due)
        flipped = [tuple(reverse_gradient(x, self.strength) for x in s) for s in samples]
        terms = Terms({"adversarial": self.domain_loss(flipped)}) | penalties
        return terms | self.classification(logits, batch) | self.decoding(samples, batch)

    def penalty_terms(self, samples: list[Sample], due: tuple[str, ...]) -> Terms:
        """Returns the penalties on the critic; they do not train the feature extractor."""
        terms = self.critic_terms(samples, due)
        losses = {name: term for name, term in terms.losses.items() if name != "adversarial"}
        return Terms(losses, terms.observed)

    def critic_terms(self, samples: list[Sample], due: tuple[str, ...]) -> Terms:
        """Returns loss and penalties of the critics, averaged over the sources."""
        terms = [
            self.objective.critic_terms(critic, source, target, due)
            for critic, source, target in self.critic_inputs(samples)
        ]
        return mean_terms(terms)

    def domain_loss(self, samples: list[Sample]) -> Tensor:
        """Returns the critics' loss, differentiable by the samples."""
        losses = [
            self.objective.loss.critic(critic(*source).float(), critic(*target).float())
            for critic, source, target in self.critic_inputs(samples)
        ]
        return torch.stack(losses).mean()

    def critic_inputs(self, samples: list[Sample]) -> Iterator[tuple[Critic, Sample, Sample]]:
        """Yields (critic, source, target) for each source; the last of `samples` is the target."""
        network, (*sources, target) = self.networks["domain_discriminator"], samples
        for k, source in enumerate(sources):
            critic = (lambda *x, k=k: network(*x)[:, k]) if len(sources) > 1 else network
            yield critic, source, target

    def predict(self, batch: Batch) -> tuple[list[Sample], Tensor]:
        """Returns the critics' sample of each domain, and class logits (domains * N, classes)."""
        images = [batch[domain] for domain in domains(batch)]
        features = self.networks["feature_extractor"](torch.cat(images))
        logits = self.networks["label_predictor"](features)
        parts = (x.chunk(len(images)) for x in self.critic_sample(features, logits))
        return list(zip(*parts, strict=True)), logits

    def critic_sample(self, features: Tensor, logits: Tensor) -> Sample:
        """Returns what a critic takes: features (N, F), with CDAN also probabilities (N, classes).

        The probabilities are detached, as in the code of CDAN's authors.
        """
        discriminator: Any = self.networks["domain_discriminator"]
        return (features, logits.softmax(1).detach()) if discriminator.conditional else (features,)

    def classification(self, logits: Tensor, batch: Batch) -> Terms:
        """Returns cross-entropy and accuracy over the samples whose labels are known."""
        label = torch.cat([self.label(batch, domain) for domain in domains(batch)])
        known = label != UNKNOWN
        count = known.sum().clamp(min=1)  # a batch may have no known label
        loss = F.cross_entropy(logits.float(), label, ignore_index=UNKNOWN, reduction="sum")
        hits = (logits.detach().argmax(1) == label).sum() / count
        observed = {"label_accuracy": hits, "adaptation": self.strength.clone()}
        return Terms({"classification": loss / count}, observed)

    def decoding(self, samples: list[Sample], batch: Batch) -> Terms:
        """Returns the mean squared error of target images decoded from their features."""
        if not self.reconstruction:
            return Terms({})
        extractor: Any = self.networks["feature_extractor"]
        error = F.mse_loss(extractor.reconstruct(samples[-1][0]).float(), batch["target"])
        return Terms(
            {"reconstruction": self.reconstruction * error},
            {"reconstruction_error": error.detach()},
        )

    def label(self, batch: Batch, domain: str) -> Tensor:
        """Returns the labels of a domain (N,) int64, -1 where they are not used for training."""
        role = "target" if domain == "target" else "source"
        if self.train_on in (role, "both"):
            return batch[f"{domain}_label"]
        return batch["source_label"].new_full((len(batch[domain]),), UNKNOWN)

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns features (N, F), class logits (N, classes) and domain logits (N, ...).

        `images` are (N, C, H, W) in model form.
        """
        features = self.networks["feature_extractor"](images)
        logits = self.networks["label_predictor"](features)
        domain = self.networks["domain_discriminator"](*self.critic_sample(features, logits))
        return features.float(), logits.float(), domain.float()

    def evaluate(self, dataset: Dataset) -> Scorecard:
        """Returns accuracies on held-out images; 0.5 means that domains are indistinguishable."""
        return held_out_accuracies(self.embed, dataset, self.device)

    def preview(self, batch: Batch) -> dict[str, PreviewContent]:
        """Returns the features of source and target, to be shown as a scatter plot."""
        *sources, target = (self.embed(batch[domain])[0] for domain in domains(batch))
        return {"embedding": {"source": torch.cat(sources), "target": target}}


def reverse_gradient(x: Tensor, strength: Tensor) -> Tensor:
    """Gradient reversal layer, Section 4.2: returns x and multiplies gradients by -`strength`."""
    return x + (1 + strength) * (x.detach() - x)
