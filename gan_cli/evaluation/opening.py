"""Opens the two sides of a comparison from the options of gan-fid, and checks them."""

from pathlib import Path

import torch

from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.checkpoints.trust import dataset_node, is_own_run
from gan_cli.config.registry import Component
from gan_cli.config.schema import Metrics
from gan_cli.data.dataset import Dataset
from gan_cli.data.sets import datasets
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field, Spec
from gan_cli.evaluation.class_numbers import class_name_errors
from gan_cli.evaluation.evaluation import facing
from gan_cli.evaluation.options import FidOptions
from gan_cli.evaluation.provided import abilities_of, ground_truth, label_needs, spec_of
from gan_cli.evaluation.sides import Data, Generated, Side, open_side
from gan_cli.evaluation.statistics_side import Statistics
from gan_cli.metrics.metric import metrics
from gan_cli.metrics.settings import unmet_needs
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import sampler_options
from gan_cli.utils.errors import ConfigError

PLURALS = {"image": "images", "audio": "sounds", "vector": "vectors", "tokens": "texts"}


def open_real(
    options: FidOptions,
    settings: Metrics,
    checkpoint: Checkpoint | None,
    run: Path | None,
    model: Model | None = None,
) -> Data | Statistics:
    """Opens options.real, or the data set of the options, by default that of the own `run`.

    Its samples are those of the side that the `model` makes.
    """
    if options.real is not None:
        return open_side(
            options.real,
            "real",
            options.images,
            like=target_of(None if model is None else model.spec),
            labelled=wants_labels(settings),
            limit=settings.real_count,
        )
    node = dict(options.dataset or {})
    if checkpoint is not None:
        node = dataset_node(node, checkpoint, run, "real=PATH")
    return Data(opened(node, model), settings.real_count)


def opened(node: Component, model: Model | None) -> Dataset:
    """Opens a data set, whose target becomes what the model makes."""
    dataset: Dataset = datasets.build(node, where="dataset")
    if model is not None and model.turned and model.spec.target in dataset.spec.fields:
        return facing(dataset, model.spec.target)
    return dataset


def open_model(options: FidOptions, checkpoint: Checkpoint | None) -> Model | None:
    """Returns the model of the checkpoint; ConfigError if its game draws no samples.

    The target of its spec is what options.direction makes.
    """
    if checkpoint is None:
        return None
    model = Model(checkpoint, options.weights == "average", options.device)
    model.target()
    if options.direction is not None:
        model.face(model.directed(options.direction))
    model.check_truncation(options.truncation, options.truncation_cutoff)
    return model


def open_fake(
    options: FidOptions,
    limit: int | None,
    settings: Metrics,
    real: Side,
    model: Model | None,
    run: Path | None = None,
) -> Side:
    """Opens options.fake, or returns the side of samples of the model.

    `limit` is the largest number of samples of options.fake. If options.real has no inputs for the
    model, those of a `run` in outputs are of its own data set.
    """
    if model is None:
        assert options.fake is not None
        return open_side(
            options.fake,
            "fake",
            options.images,
            like=target_of(real.dataset.spec if isinstance(real, Data) else None),
            labelled=wants_labels(settings),
            limit=limit,
        )
    data = real.dataset if isinstance(real, Data) else None
    if data is not None and not has_conditions(data, model):
        data = None
    inputs = bool(model.game.inputs(model.target()))
    apart = data is None and options.real is not None and inputs and is_own_run(run)
    if apart:
        data = opened(model.checkpoint.dataset, model)
    cutoff = options.truncation_cutoff
    sampler = sampler_options(options.sampler, options.steps)
    drawing = (options.truncation, cutoff, sampler, options.guidance, options.temperature)
    return Generated(model, data, settings.count, *drawing, apart=apart)


def features_dataset(real: Side, fake: Side) -> Dataset | None:
    """Returns the data set that features are built for.

    It is an empty one with the model's kind of samples if no side is a data set, and None if both
    sides are saved statistics.
    """
    for side in (real, fake):
        if isinstance(side, Data):
            return side.dataset
    if not isinstance(fake, Generated):
        return None
    field = fake.model.field()
    return InMemory({"real": torch.zeros(0, *field.shape)}, field=field)


def target_of(spec: Spec | None) -> Field | None:
    """Returns the field of the samples of a spec."""
    return None if spec is None else spec.fields[spec.target]


def has_conditions(data: Dataset, model: Model) -> bool:
    """Returns whether the data have the labels and inputs that the model's samples depend on."""
    names = class_name_errors(data.spec.class_names, model.spec.class_names)
    same = data.spec.classes == model.spec.classes and not names
    labels = not model.game.labelled or same
    return labels and set(model.game.inputs(model.target())) <= set(data.spec.fields)


def wants_labels(settings: Metrics) -> bool:
    """Returns whether a metric or the features use labels."""
    needs = frozenset().union(*(metrics.entries[name].needs for name in settings.compute))
    return "labels" in needs or settings.features["name"] == "classifier"


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
