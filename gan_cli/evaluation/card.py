"""Metric cards: JSON files with metric values and everything that they depend on."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from gan_cli.evaluation.evaluation import Evaluation
from gan_cli.evaluation.generated import drawing_protocol
from gan_cli.evaluation.metric_set import MetricSet
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.metrics.scorecard import Scorecard
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.strict_json import numbers, write_json
from gan_cli.utils.text import said
from gan_cli.utils.versions import versions

FORMAT = 1
VALUES = ("values", "spread", "by_seed")  # entries that hold numbers alone
PARTS = ("values", "lower_is_better", "metrics", "protocol", "subject")  # that every card has
Card = dict[str, Any]


def make_card(
    scores: Mapping[int, Scorecard],
    *,
    metrics: Mapping[str, Any],
    protocol: Mapping[str, Any],
    subject: Mapping[str, Any],
) -> Card:
    """Returns a card of `scores` by seed; comparable cards must have equal `protocol`s."""
    first = next(iter(scores.values()))
    names = list(first.values)
    values = {name: mean([card.values[name] for card in scores.values()]) for name in names}
    card: Card = {"card": FORMAT, "values": values, "lower_is_better": first.lower_is_better}
    if len(scores) > 1:
        card["spread"] = {  # standard deviation over the seeds
            name: spread([card.values[name] for card in scores.values()]) for name in names
        }
        card["by_seed"] = {str(seed): card.values for seed, card in scores.items()}
    return {
        **card,
        "metrics": dict(metrics),
        "protocol": dict(protocol),
        "subject": {**subject, "seeds": list(scores)},
        "warnings": first.warnings,
        "versions": versions(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def mean(values: Sequence[float]) -> float:
    """Returns the mean; infinite or NaN if a value is."""
    return fmean(values) if all(map(math.isfinite, values)) else sum(values)


def spread(values: Sequence[float]) -> float:
    """Returns the standard deviation; NaN if a value is not finite."""
    return stdev(values) if all(map(math.isfinite, values)) else math.nan


def protocol_of(
    metrics: MetricSet, real: Mapping[str, Any], fake: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the protocol of a card from those of both sides."""
    return {**metrics.protocol(), "real": real, "fake": fake}


def training_card(
    evaluation: Evaluation, game: Game, scores: Scorecard, run: str, step: int
) -> Card:
    """Returns the card that gan-fid would write for the same samples."""
    protocol: dict[str, Any] = {"data": evaluation.dataset.fingerprint()}
    if evaluation.metrics.metrics:
        fake = {"count": evaluation.config.count, "weights": "average"}
        fake |= {"truncation": None, "truncation_cutoff": None}
        fake |= drawing_protocol(game, Request([0]))
        protocol = protocol_of(evaluation.metrics, evaluation.data_protocol, fake)
    return make_card(
        {evaluation.seed: scores},
        metrics=evaluation.config.compute,
        protocol=protocol,
        subject={"run": run, "step": step},
    )


def write_card(path: Path, card: Card) -> Path:
    """Writes a card and returns its path; StorageError if it cannot be written."""
    return write_json(path, card)


def unused(folder: Path, name: str, suffix: str = ".json") -> Path:
    """Returns the first of name.json, name-2.json, ... in `folder` that does not exist."""
    names = chain([name], (f"{name}-{n}" for n in count(2)))
    return next(p for p in (folder / f"{stem}{suffix}" for stem in names) if not p.exists())


def read_card(path: Path) -> Card:
    """Returns the card in a file; ConfigError if it is not a card of this format."""
    try:
        card = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is not a metric card ({said(error)})") from None
    if not isinstance(card, dict) or card.get("card") != FORMAT:
        raise ConfigError(f"{path}: is not a metric card of gan-fid (format {FORMAT})")
    card |= {key: numbers(card[key]) for key in VALUES if key in card}
    for key in PARTS:
        if not isinstance(card.get(key), dict):
            raise ConfigError(
                f"{path}: is a damaged metric card; its '{key}' is missing or no object"
            )
    for name, value in card["values"].items():
        if type(value) not in (int, float):
            raise ConfigError(f"{path}: is a damaged metric card; its value of {name} is no number")
    return card
