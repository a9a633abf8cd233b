"""Metrics: numbers that say how close generated samples are to real ones."""

from gan_cli.metrics import fd, features
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
    "extractors",
    "fd",
    "features",
    "metrics",
]
