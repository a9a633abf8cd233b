"""Previews: pictures of the same seeds, over and over, while a run trains."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset
from gan_cli.data.ground_truth import Known
from gan_cli.data.kinds import Context, kind_of
from gan_cli.games.draw import draw_all, isolated_evaluation, logits_function
from gan_cli.games.game import Batch, Game, PreviewContent
from gan_cli.games.request import Request
from gan_cli.plots.scatter import embedding, principal

Picture = tuple[str, np.ndarray]  # name, (height, width, C) uint8


class Previews:
    """Samples of the seeds 0, 1, 2, ... and what else the game shows of its first data."""

    def __init__(
        self, game: Game, dataset: Dataset, batches: Iterator[Batch], batch_size: int
    ) -> None:
        self.game, self.dataset, self.spec = game, dataset, dataset.spec
        suits = kind_of(self.spec.fields[self.spec.target]).previewed
        self.count = suits if game.previewed is None else game.previewed
        first = list(islice(batches, -(-self.count // batch_size)))
        self.batch = {
            key: torch.cat([batch[key] for batch in first])[: self.count] for key in first[0]
        }

    def pictures(self) -> Iterator[Picture]:
        """All that there is to see now; the game and its random numbers stay as they are."""
        if self.game.learns_to_sample:
            for i, target in enumerate(self.game.targets(self.spec)):
                name = f"samples_{target}" if i else "samples"
                yield from self.shown(name, target, draw_all(self.game, self.request(target)))
        with isolated_evaluation(self.game.networks):
            others = self.game.preview(self.batch)
        for name, shown in others.items():
            yield from self.shown(name, self.spec.target, shown)

    def request(self, target: str) -> Request:
        """For the inputs of the first data, or for their labels in order."""
        given = {key: self.batch[key] for key in self.game.inputs(target)}
        label = self.batch.get(self.spec.label or "")
        if label is not None and not given:
            label = label.sort().values
        return Request(range(self.count), label, given, target=target)

    def shown(self, name: str, target: str, shown: PreviewContent) -> Iterator[Picture]:
        """The picture, if samples of this kind and shape have one."""
        if isinstance(shown, dict):
            points = principal(torch.cat(list(shown.values())).cpu())
            parts = points.split([len(group) for group in shown.values()])
            yield name, embedding(dict(zip(shown, parts, strict=True)))
            return
        columns = (shown,) if isinstance(shown, Tensor) else shown
        field = self.spec.fields[target]
        density = self.dataset.density() if isinstance(self.dataset, Known) else None
        context = Context(self.batch.get(target), density, logits_function(self.game))
        picture = kind_of(field).picture(field, columns, context)
        if picture is not None:
            yield name, picture
