"""Opens the two sides of a comparison from the options of gan-fid."""

from pathlib import Path

import torch

from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.checkpoints.trust import dataset_node, is_own_run
from gan_cli.config.registry import Component
from gan_cli.config.schema import Metrics
from gan_cli.data.dataset import Dataset
from gan_cli.data.sets import datasets
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.evaluation.class_numbers import class_name_errors
from gan_cli.evaluation.evaluation import facing
from gan_cli.evaluation.options import FidOptions
from gan_cli.evaluation.provided import target_of
from gan_cli.evaluation.sides import Data, Generated, Side, open_side
from gan_cli.evaluation.statistics_side import Statistics
from gan_cli.metrics.metric import metrics
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import sampler_options


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
