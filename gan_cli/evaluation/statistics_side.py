"""Saved statistics as a side of a comparison."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli.evaluation.metric_set import MetricSet
from gan_cli.metrics.frechet import Moments
from gan_cli.metrics.metric import Collected
from gan_cli.utils.arrays import write_arrays
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.strict_json import dumps


@dataclass(frozen=True)
class Statistics:
    """Moments read from a file, with the description of their features if the file has one."""

    moments: Moments
    features: Mapping[str, Any] = field(default_factory=dict)
    content: str | None = None
    class_names: tuple[str, ...] = ()

    def collect(self, metrics: MetricSet, seed: int) -> Collected:  # noqa: ARG002
        described = {"name": metrics.name, **metrics.describe()}
        for key, value in self.features.items():
            if key in described and described[key] != value:
                raise ConfigError(
                    f"metrics.features: the saved statistics are of {key} {value}, not of "
                    f"{described[key]}; save them again, or ask for what they are of"
                )
        return Collected(self.moments.count, self.moments)

    def protocol(self) -> dict[str, Any]:
        entries = {"count": self.moments.count, "content": self.content}
        return {key: value for key, value in entries.items() if value is not None}


def statistics_of(arrays: Mapping[str, np.ndarray]) -> Statistics:
    features, content = described(arrays.get("about"))
    return Statistics(Moments.from_state(arrays), features, content)


def described(about: np.ndarray | None) -> tuple[Mapping[str, Any], str | None]:
    """The features and the hash of the samples of statistics; ConfigError if they are damaged."""
    if about is None:  # from another program
        return {}, None
    try:
        entries = json.loads(str(about))
        features, content = entries.get("features", {}), entries.get("content")
    except (ValueError, AttributeError, RecursionError):
        features, content = None, None
    if not isinstance(features, dict) or not isinstance(content, str | None):
        raise ConfigError(
            "statistics: about does not describe the features; save the statistics again"
        )
    return features, content


def save_statistics(path: Path, side: Statistics) -> None:
    """Writes mu and sigma as in pytorch-fid's files, with the count and the features."""
    about = dumps({"features": dict(side.features), "content": side.content})
    write_arrays(path, {"about": np.array(about), **side.moments.state_dict()})
