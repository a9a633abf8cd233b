"""Metrics: numbers that say how close generated samples are to real ones."""

from gan_cli.metrics import (
    classifier,
    conditional,
    coverage,
    fd,
    features,
    gaussian_fit,
    inception,
    inception_score,
    kernel,
    memorisation,
    neighbours,
    sliced,
    transport,
)
from gan_cli.metrics.evaluation import Evaluation, Panel, Sampler, Scorecard
from gan_cli.metrics.registry import Collected, Features, Metric, Modes, extractors, metrics

__all__ = [
    "Collected",
    "Evaluation",
    "Features",
    "Metric",
    "Modes",
    "Panel",
    "Sampler",
    "Scorecard",
    "classifier",
    "conditional",
    "coverage",
    "extractors",
    "fd",
    "features",
    "gaussian_fit",
    "inception",
    "inception_score",
    "kernel",
    "memorisation",
    "metrics",
    "neighbours",
    "sliced",
    "transport",
]
