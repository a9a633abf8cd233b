"""What one wants to see in a chart, in one sentence below it."""

import re

# Patterns of the names of series; the first that fits the whole name counts.
CAPTIONS: tuple[tuple[str, str], ...] = (
    # metrics
    (
        r"(worst_|smallest_)?class_f\w+",
        "Distance within the classes: should fall, as that of all does.",
    ),
    (r"kd_std\w*", "Spread of kd between subsets: kd is only as sure as this is small."),
    (r"(fd|fid|kd|kid|w1|w2)(_\w+)?", "Distance of samples to data: should fall, then level off."),
    (r"(sliced|transport)\w*", "Distance of samples to data: should fall, then level off."),
    (r"smallest_class\w*", "Samples of the rarest class on either side: should not be near 0."),
    (r"precision\w*", "Share of samples that look like data: should rise towards 1."),
    (
        r"recall\w*",
        "Share of the data that samples reach: should rise; low values mean no variety.",
    ),
    (r"density\w*", "How close samples lie to data: should approach 1."),
    (r"coverage\w*", "Share of the data with a sample nearby: should rise towards 1."),
    (r"is(_\w+)?", "Clear and varied classes: should rise, at most to the value of the data."),
    (r"memorised_auc\w*", "Should stay near 0.5: training data are no nearer than unseen data."),
    (r"memorised\w*", "Share of samples that are copies: should stay near 0."),
    (r"(bits|nats)_per_dim", "How unlikely the data are to the model: should fall."),
    (r"(bits|nats)_per_dim_error", "Standard error of the value over the samples that it is from."),
    (r"modes", "Modes of the data that samples reach: should rise to all of them."),
    (r"high_quality", "Share of samples close to a mode: should rise towards 1."),
    (r"reverse_kl", "How unevenly the modes are hit: should fall towards 0."),
    (
        r"fit_error|divergence",
        "Distance of the fit: should fall, at most to the least divergence.",
    ),
    (r"least_divergence", "What the closest fit reaches: the bound of the divergence."),
    (r"(source|target)_accuracy", "Share of labels that are right: should rise."),
    (r"domain_accuracy", "Should fall to 0.5: the features no longer tell the domains apart."),
    (r"(image|latent)_mse", "Error of the reconstruction: should fall."),
    # terms of the players
    (r"images_per_second", "Speed: should stay level."),
    (r".*/gradient_norm", "Should keep its order of magnitude; growth without end is divergence."),
    (
        r".*/(\w+_)?pair_accuracy",
        "How often data are rated above samples: above 0.5, but not stuck at 1.",
    ),
    (
        r".*/(\w+_)?(real|fake)_accuracy",
        "Shares judged rightly: both stuck at 1 means a critic that has won.",
    ),
    (
        r".*/(\w+_)?(real|fake)_logits",
        "Should stay bounded and near each other; a growing gap is a won game.",
    ),
    (r".*class_accuracy|.*label_accuracy", "Share of classes that are recognized: should rise."),
    (r".*/classification", "Error of the predicted classes: should fall."),
    (
        r".*(divergence|wasserstein|total_variation|discrimination)",
        "The critic's estimate of the distance: should fall, but not to 0, with a sound critic.",
    ),
    (
        r".*/(\w+_)?(r1|r2|gradient_penalty|dragan|zero_centered\w*)",
        "Penalty on steep critics: should stay small; growth means that it is too weak.",
    ),
    (r".*/mode_seeking", "Should fall: different latents give different samples."),
    (r".*/path_length", "Variance of the path lengths: should stay small."),
    (r".*/mean_path_length", "Mean change of images with styles: should level off."),
    (r".*/(\w+_)?lecam", "Penalty on logits that drift: should stay small."),
    (r".*/(\w+_)?logit_drift", "Penalty on the level of the logits: should stay small."),
    (r".*/likelihood", "Of real text, per token: should fall, and not rise later."),
    (r".*/token_entropy|token_entropy", "Sureness of tokens: a steady fall means alike texts."),
    (r".*/(reward|policy|entropy_bonus|l2)", "Of the policy gradient: should stay bounded."),
    (r".*/augment_p|.*_strength", "Strength of the augmentation: should level off well below 0.8."),
    (r".*/augment_steps", "Steps of the longest diffusion that the critic sees: should level off."),
    (r".*/reconstruction_\w+", "Error of the reconstruction: should fall."),
    (r".*/cycle_\w+|cycle_l1_\w+", "Error of images translated there and back: should fall."),
    (r".*/identity_\w+", "Change of images that need no translation: should fall."),
    (r".*/adaptation", "Weight of the domain loss: follows its schedule."),
    (
        r".*/(\w+_)?adversarial\w*",
        "Players pull against each other, so no value is best: should stay level, without a trend.",
    ),
    # health
    (
        r"health/(logit_gap|logit_scale|gap_growth|logit_growth)",
        "Should stay bounded; growth without end is divergence.",
    ),
    (r"health/(loss_growth/.*|least_growth)", "Losses relative to the start: should stay small."),
    (
        r"health/gradient_ratio",
        "Gradients of generator to critic: neither near 0 nor ever growing.",
    ),
    (r"health/\w+_gradient", "Should neither vanish nor explode."),
    (
        r"health/update_ratio/.*",
        "Size of a step relative to the weights: about 0.001, below 0.025.",
    ),
    (r"health/diversity_\w+", "Variety relative to the data: near 1; below 0.3 is a collapse."),
    (r"health/duplicates", "Share of samples with a twin: near 0; a rise is a collapse."),
    (r"health/missed", "Share of the data far from all samples: should fall."),
    (r"health/stray", "Share of samples far from all data: should fall."),
    (r"health/novelty", "Distance to the training data: near 1; near 0 are copies."),
    (r"health/copies", "Share of samples that are copies of data: should stay near 0."),
    (r"health/separability", "How well data and samples are told apart: should fall to 0.5."),
)


def caption(name: str) -> str | None:
    """The sentence for a series, None if it is not known what one wants to see."""
    return next((text for pattern, text in CAPTIONS if re.fullmatch(pattern, name)), None)
