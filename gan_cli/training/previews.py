"""Previews: pictures of samples of fixed seeds at intervals during training."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from gan_cli.augment.none import NoAugment
from gan_cli.data.dataset import Dataset, HasHeldOut
from gan_cli.data.feeds.decode import decode
from gan_cli.data.ground_truth import Density, HasDensity
from gan_cli.data.kinds import Context, kind_of
from gan_cli.games.draw import draw_all, isolated_evaluation, logits_function
from gan_cli.games.game import Batch, Game, PreviewContent
from gan_cli.games.request import Request
from gan_cli.plots.scatter import embedding, principal
from gan_cli.report.records import AUGMENTED, DATA
from gan_cli.training.logger import Logger
from gan_cli.utils.errors import ConfigError

HEARD = 12  # samples of a recording at most
Picture = tuple[str, np.ndarray]  # name, (height, width, C) uint8
Drawn = tuple[str, str, Tensor]  # name of the pictures, target, samples (N, *shape) in model form


class Previews:
    """Draws samples of the seeds 0, 1, 2, ..., and the game's own previews of the first batches."""

    def __init__(self, game: Game, dataset: Dataset, batches: Iterator[Batch]) -> None:
        self.game, self.dataset, self.spec = game, dataset, dataset.spec
        default = kind_of(self.spec.fields[self.spec.target]).previewed
        self.count = default if game.previewed is None else game.previewed
        self.batch = first_samples(batches, self.count)
        self.own = held_out_samples(game, dataset, self.count) or self.batch  # of own previews

    def log_data(self, logger: Logger) -> None:
        """Writes pictures, recordings and texts of the data."""
        for name, picture in self.data_pictures():
            logger.data_picture(name, picture)
        target = self.spec.target
        self.log_beside(0, DATA, target, self.shown(target), logger)

    def log(self, step: int, logger: Logger) -> None:
        """Writes pictures, recordings and texts of samples."""
        drawn = list(self.drawn())
        for name, picture in self.pictures(drawn):
            logger.picture(step, name, picture)
        for name, target, samples in drawn:
            self.log_beside(step, name, target, samples, logger)

    def log_beside(
        self, step: int, name: str, target: str, samples: Tensor, logger: Logger
    ) -> None:
        """Writes the first samples (N, *shape) as a recording or as text, if they are such."""
        field = self.spec.fields[target]
        wav = kind_of(field).recording(field, samples[:HEARD])
        if wav is not None:
            logger.recording(step, name, wav)
        text = kind_of(field).writing(field, samples)
        if text is not None:
            logger.writing(step, name, text)

    def data_pictures(self) -> Iterator[Picture]:
        """Yields the data of the first batches as networks get them, in the layout of samples.

        The data of the target are "real", those of another batch key "real_KEY". If critics see
        them augmented, that follows.
        """
        for key in self.spec.fields:
            yield from self.data_picture(key, DATA, self.shown(key))
        yield from self.augmented_pictures()

    def augmented_pictures(self) -> Iterator[Picture]:
        """Yields the targets' data as critics see them now, if images are augmented."""
        if not self.game.augments or isinstance(self.game.augment, NoAugment):
            return
        for key in self.game.targets(self.spec):
            if kind_of(self.spec.fields[key]).shows_augmentation:
                with isolated_evaluation(self.game.networks):
                    samples = self.game.augment(self.shown(key))
                yield from self.data_picture(key, AUGMENTED, samples)

    def shown(self, key: str) -> Tensor:
        """Returns the data of a batch key in the order of the preview of samples."""
        targets = self.game.targets(self.spec) or (self.spec.target,)
        order = self.class_order(key if key in targets else targets[0])
        samples = self.batch[key] if order is None else self.batch[key][order]
        return samples[: kind_of(self.spec.fields[key]).previewed]

    def data_picture(self, key: str, name: str, samples: Tensor) -> Iterator[Picture]:
        """Yields the picture of data, called `name`, or "name_KEY" if it is not of the target."""
        field, names = self.spec.fields[key], self.class_names(key)
        names = None if names is None else names[: len(samples)]
        context = Context(samples, self.density(key), names=names)
        picture = kind_of(field).data_picture(field, context)
        if picture is not None:
            targets = self.game.targets(self.spec) or (self.spec.target,)
            yield name if key == targets[0] else f"{name}_{key}", picture

    def drawn(self) -> Iterator[Drawn]:
        """Yields the samples of each target, unless they come from frozen networks."""
        if self.game.learns_to_sample:
            for i, target in enumerate(self.game.targets(self.spec)):
                name = f"samples_{target}" if i else "samples"
                yield name, target, draw_all(self.game, self.request(target))

    def pictures(self, drawn: Iterable[Drawn] | None = None) -> Iterator[Picture]:
        """Yields all pictures; the game and the random state are left unchanged.

        `drawn` are the samples to show; None: new ones.
        """
        for name, target, samples in self.drawn() if drawn is None else drawn:
            yield from self.picture(name, target, samples)
        with isolated_evaluation(self.game.networks):
            others = self.game.preview(self.own)
        for name, content in others.items():
            yield from self.picture(name, self.spec.target, content)
        yield from self.augmented_pictures()

    def request(self, target: str) -> Request:
        """Returns the request for samples with the inputs, or the sorted labels, of the batch."""
        given = {key: self.batch[key] for key in self.game.inputs(target)}
        label = self.batch.get(self.spec.label or "")
        order = self.class_order(target)
        if label is not None and order is not None:
            label = label[order]
        return Request(range(self.count), label, given, target=target)

    def class_order(self, target: str) -> Tensor | None:
        """Returns the order of samples by label; None if they have none, or are made of inputs."""
        label = self.batch.get(self.spec.label or "")
        if label is None or not self.game.targets(self.spec) or self.game.inputs(target):
            return None
        return label.sort(stable=True).indices

    def class_names(self, key: str) -> list[str] | None:
        """Returns the names of the classes of samples, in their order, if a model depends on them.

        `key` is that of the samples, or of data, which have the order of the samples.
        """
        targets = self.game.targets(self.spec) or (self.spec.target,)
        order = self.class_order(key if key in targets else targets[0])
        names = self.spec.class_names
        if order is None or not names or not self.game.labelled:
            return None
        return [names[label] for label in self.batch[self.spec.label or ""][order].tolist()]

    def density(self, target: str) -> Density | None:
        """Returns the density of the data, if it is known."""
        if not isinstance(self.dataset, HasDensity) or target != self.spec.target:
            return None
        return self.dataset.density()

    def picture(self, name: str, target: str, content: PreviewContent) -> Iterator[Picture]:
        """Yields the picture, if samples of this kind and shape have one."""
        if isinstance(content, dict):
            points = principal(torch.cat(list(content.values())).cpu())
            parts = points.split([len(group) for group in content.values()])
            yield name, embedding(dict(zip(content, parts, strict=True)))
            return
        columns = (content,) if isinstance(content, Tensor) else content
        field = self.spec.fields[target]
        critic = logits_function(self.game)
        names = self.class_names(target) if name.startswith("samples") else None
        context = Context(self.batch.get(target), self.density(target), critic, names)
        picture = kind_of(field).picture(field, columns, context)
        if picture is not None:
            yield name, picture


def held_out_samples(game: Game, dataset: Dataset, count: int) -> Batch:
    """Returns the first `count` held-out inputs of a game and what is true; {} if there are none.

    They show more than those that the game has learned from.
    """
    if not game.inputs(dataset.spec.target) or not isinstance(dataset, HasHeldOut):
        return {}
    with suppress(ConfigError):
        held = {k: v.to(game.device) for k, v in dataset.held_out(count).items()}
        if dataset.spec.fields.keys() <= held.keys():
            return decode(held, dataset.spec.fields)
    return {}


def first_samples(batches: Iterator[Batch], count: int) -> Batch:
    """The first `count` samples of batches without end."""
    first: list[Batch] = []
    left = count
    while left > 0:
        first.append(next(batches))
        left -= len(next(iter(first[-1].values())))
    return {key: torch.cat([batch[key] for batch in first])[:count] for key in first[0]}
