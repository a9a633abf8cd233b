"""Advice for sets of samples that are too small for a metric."""

from gan_cli.metrics.metric import Metric


def too_few(name: str, metric: Metric, count: int) -> str:
    """Returns what to type for `count` samples, as the end of an error.

    A metric whose options allow fewer samples has a method `options_for(count)`.
    """
    options = metric.options_for(count) if hasattr(metric, "options_for") else {}
    words = [f"metrics.compute.{name}.{key}={value}" for key, value in options.items()]
    typed = f"type {' '.join(words)}, " if words else ""
    return f"{typed}leave {name} out, or give it more samples"
