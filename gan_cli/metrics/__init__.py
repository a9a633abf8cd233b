"""Metrics: numbers that say how close generated samples are to real ones."""

from gan_cli.metrics import fd
from gan_cli.metrics.evaluation import Evaluation, Metric, Sampler, metrics

__all__ = ["Evaluation", "Metric", "Sampler", "fd", "metrics"]
