"""Rules of the findings: a condition on readings, a text and advice each."""

from collections.abc import Callable
from dataclasses import dataclass

from gan_cli.health import conditions
from gan_cli.health.history import History

STEPS = 200  # how long a condition must hold, since single readings are noisy
NO_CRITIC = "the game has no player against a critic"
NO_SAMPLES = "the game learns no samples"
ABSENT = {  # why a run may never have the signals with a prefix
    "diversity": NO_SAMPLES,
    "separability": NO_SAMPLES,
    "pair_accuracy": NO_CRITIC,
    "generator_gradient": NO_CRITIC,
    "copies": "of more than 2,048 training samples too few are searched",
    "loss_growth": "no losses were read",
    "least_growth": "no losses were read",
    "update_ratio": "no updates were read",
}


@dataclass(frozen=True)
class Rule:
    """A condition on the history of signals, with text and advice for the user."""

    name: str
    holds: Callable[[History], bool]
    needs: tuple[str, ...]  # prefixes of the signals without which the condition is never judged
    quotes: tuple[str, ...]  # prefixes of the signals that the message quotes
    text: str
    advice: tuple[str, ...]
    steps: int = STEPS

    def lacks(self, history: History) -> str | None:
        """Returns why the condition cannot be judged in this run, None if it can."""
        return next((ABSENT[prefix] for prefix in self.needs if not history.has(prefix)), None)


RULES = (
    Rule(
        "generator_collapsed",
        conditions.has_collapsed,
        ("diversity",),
        ("diversity", "duplicates", "missed"),
        "the generator makes few different outputs",
        (
            "loss=r3gan or loss=wgan_gp, which keep more modes",
            "a lower optimizer.players.generator.lr, or loss.critic_steps=2",
            "an earlier checkpoint: lost diversity seldom returns",
        ),
    ),
    Rule(
        "discriminator_won",
        conditions.gradient_vanished,
        ("pair_accuracy", "generator_gradient"),
        ("pair_accuracy", "logit_gap", "generator_gradient", "critic_gradient"),
        "the discriminator is always right, and the gradient of one player has vanished",
        (
            "loss=nonsaturating instead of minimax, or a loss that does not saturate: "
            "loss=hinge, loss=wgan_gp",
            "loss.penalties.r1.weight=5, which keeps the discriminator smooth",
            "a lower optimizer.players.discriminator.lr, or a narrower discriminator",
        ),
    ),
    Rule(
        "discriminator_ahead",
        conditions.all_told_apart,
        ("pair_accuracy", "separability"),
        ("pair_accuracy", "separability", "logit_gap"),
        "for 1,000 steps, neither the discriminator nor nearest neighbours have taken a sample "
        "for real",
        (
            "loss.penalties.r1.weight=5, or loss=r3gan, which has it",
            "a lower optimizer.players.discriminator.lr, or a wider generator",
            "more steps, if the previews still improve",
        ),
        conditions.START,
    ),
    Rule(
        "discriminator_too_weak",
        conditions.critic_at_chance,
        ("pair_accuracy", "separability"),
        ("pair_accuracy", "separability", "logit_gap"),
        "the discriminator is near chance, although nearest neighbours separate real from fake",
        (
            "a wider discriminator, a higher optimizer.players.discriminator.lr, or more "
            "loss.critic_steps",
            "weaker penalties, if the loss has any",
        ),
    ),
    Rule(
        "diverged",
        conditions.has_exploded,
        ("loss_growth",),
        ("loss_growth", "gap_growth", "update_ratio"),
        "the losses, or the gap between the logits, are more than 10,000 times those at the start",
        (
            "a new run with a lower optimizer.lr, by a factor of 10 or more: this one is lost",
            "clip_norm=1; with loss=wgan or another unbounded loss a penalty, such as loss=wgan_gp",
        ),
        0,
    ),
    Rule(
        "diverging",
        conditions.diverges,
        ("update_ratio",),
        ("update_ratio", "gap_growth", "separability"),
        "large updates bring no progress, or the gap between the logits keeps growing",
        (
            "a lower optimizer.lr, by a factor of 10",
            "clip_norm=1; with loss=wgan or another unbounded loss a penalty, such as loss=wgan_gp",
        ),
        100,
    ),
    Rule(
        "learning_nothing",
        conditions.learns_nothing,
        ("least_growth",),
        ("least_growth", "loss_growth"),
        "no loss has fallen below its start",
        (
            "a new run with a lower optimizer.lr, by a factor of 10: large first updates may have "
            "killed the networks",
            "a higher optimizer.lr, if the losses have not moved",
        ),
    ),
    Rule(
        "oscillating",
        conditions.oscillates,
        ("pair_accuracy",),
        ("pair_accuracy", "logit_gap"),
        "the lead alternates between the players, and neither improves",
        (
            "a lower optimizer.lr, or optimizer.betas=[0.0,0.9], since momentum drives the cycle",
            "loss.penalties.r1.weight=5, under which the game converges (arXiv:1801.04406)",
        ),
    ),
    Rule(
        "memorising",
        conditions.memorises,
        ("diversity", "copies"),
        ("copies", "novelty", "diversity"),
        "the generator copies training samples: its outputs are closer to them than training "
        "samples are to each other",
        (
            "more training data, or dataset.hflip=true if mirror images are plausible",
            "augment=ada or augment=diffaugment, which make more of few images",
            "an earlier checkpoint, smaller networks, or fewer steps",
        ),
    ),
    Rule(
        "entropy_collapsed",
        conditions.entropy_has_fallen,
        (),
        ("token_entropy", "diversity"),
        "the generator has become sure of each token, so that its texts become alike",
        (
            "model.game.entropy=0.01, a reward of the entropy of tokens",
            "a lower optimizer.players.generator.lr, or model.game.likelihood_every=5",
            "an earlier checkpoint: which=STEP with every.keep",
        ),
    ),
    Rule(
        "augmentation_leaks",
        conditions.augmentation_leaks,
        (),
        ("augment_p",),
        "so many images are augmented that augmentations may show in samples",
        (
            "augment.limit=0.8, the most that adaptive augmentation should need",
            "a stronger penalty, as in loss.penalties.r1.weight=20, or a smaller discriminator: "
            "either memorizes less",
            "more training data",
        ),
    ),
)
