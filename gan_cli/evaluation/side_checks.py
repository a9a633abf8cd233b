"""Checks that the two sides of a comparison fit each other and the metrics."""

from gan_cli.config.schema import Metrics
from gan_cli.data.spec import Field
from gan_cli.evaluation.class_numbers import class_name_errors
from gan_cli.evaluation.provided import (
    abilities_of,
    ground_truth,
    label_needs,
    spec_of,
    target_of,
)
from gan_cli.evaluation.sides import Data, Side
from gan_cli.evaluation.statistics_side import Statistics
from gan_cli.metrics.metric import metrics
from gan_cli.metrics.settings import unmet_needs
from gan_cli.utils.errors import ConfigError

PLURALS = {"image": "images", "audio": "sounds", "vector": "vectors", "tokens": "texts"}


def check_sides(settings: Metrics, real: Data | Statistics, fake: Side) -> None:
    """Raises ConfigError, which lists what metrics need and a side lacks."""
    faults = []
    specs = [spec_of(side) for side in (real, fake)]
    check_kinds(*(target_of(spec) for spec in specs))
    shapes = [tuple(spec.shape) for spec in specs if spec is not None]
    if len(set(shapes)) > 1 and settings.features["name"] != "inception":
        faults.append(
            f"fake: its samples have shape {shapes[1]}, the real ones {shapes[0]}; features="
            f"{settings.features['name']} needs equal ones{resizing(real, fake)}"
        )
    for name in settings.compute:
        more = metrics.entries[name].needs - {"moments", "latents"}
        lacking = sorted("samples" if need == "likelihood" else need for need in more)
        for key, side in (("real", real), ("fake", fake)):
            if more and isinstance(side, Statistics):
                faults.append(
                    f"{key}: saved statistics are enough for fd alone, and {name} needs "
                    f"{', '.join(lacking)}; give the images"
                )
    if any("labels" in metrics.entries[name].needs for name in settings.compute):
        faults += class_name_errors(real.class_names, fake.class_names)
    provided = label_needs(real) & label_needs(fake) | ground_truth(real)
    faults += unmet_needs(settings, provided | abilities_of(fake))
    if faults:
        raise ConfigError(*faults)


def check_kinds(real: Field | None, fake: Field | None) -> None:
    """Raises ConfigError if the sides are of different kinds, or sounds of different rates."""
    if real is None or fake is None:
        return
    if real.kind != fake.kind:
        raise ConfigError(
            f"fake: its samples are of kind {fake.kind}, the real ones of kind {real.kind}; give "
            f"two sides of one kind, such as real=PATH of {PLURALS.get(fake.kind, fake.kind)}"
        )
    rates = {field.sample_rate for field in (real, fake)} - {None}  # npz files tell none
    if len(rates) > 1:
        raise ConfigError(
            f"fake: its sounds have {fake.sample_rate} Hz, the real ones {real.sample_rate}; type "
            f"dataset.sample_rate={fake.sample_rate}, which resamples them"
        )


def resizing(real: Data | Statistics, fake: Side) -> str:
    """Returns advice to bring the images of a folder to the shape of the other side, if any."""
    files = [isinstance(side, Data) and side.images is not None for side in (real, fake)]
    specs = [spec_of(side) for side in (real, fake)]
    if not any(files) or any(spec is None or spec.kind != "image" for spec in specs):
        return ""
    shapes = [spec.shape for spec in specs if spec is not None]
    channels, height, width = shapes[files.index(False) if False in files else 0]
    if shapes[0][1:] == shapes[1][1:]:
        return f"; type images.channels={channels}"
    size = f"size={width}" if width == height else f"height={height} images.width={width}"
    return f"; type images.{size} images.resize=crop (or stretch, or pad)"
