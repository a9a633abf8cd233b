"""Values of a config that are no numbers, names or mappings where these are due."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from omegaconf import OmegaConf

from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import composed

ODD = (1, "text", [None], [[1]], {"a": 1}, {1: {"b": None}}, {"name": {"a": 1}}, {"name": []}, None)
CONFIGS = (
    ("model=dcgan", "loss=r3gan", "metrics=full", "augment=none"),
    ("model=dann", "dataset=mnist_5k_to_digits", "metrics=none"),
    ("model=pix2pix", "dataset=edges_to_mnist_5k"),
    ("model=bigan_mlp", "dataset=ring", "metrics=modes"),
)


def fault_of(*words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(composed("run=x", *words))
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("model.game.name={a: 1}", "model.game.name: expected a name, got {'a': 1}"),
        ("dataset.name=[1]", "dataset.name: expected a name, got [1]"),
        ("optimizer.name=1", "optimizer.name: expected a name, got 1"),
        ("metrics.compute={fd: 1}", "metrics.compute.fd: expected keys and values, got 1"),
        ("metrics.compute=1", "metrics.compute: expected names of metrics, got 1"),
        ("metrics.features=[1]", "metrics.features: unknown features '[1]'"),
        ("imports=1", "imports: expected a list of modules, got 1"),
        ("imports=nets", "imports: expected a list of modules, got 'nets'"),
        ("imports=[null]", "imports: expected a list of modules, got [None]"),
        ("imports=['.nets']", "imports: expected a list of modules, got ['.nets']"),
        ("optimizer.players=1", "optimizer.players: expected keys and values, got 1"),
        ("optimizer.players={generator: 1}", "optimizer.players.generator: expected keys and"),
        ("seed=18446744073709551616", "seed: must be 0 or more and at most 2^63 - 1, got"),
        ("metrics.count=9999999999999999999", "metrics.count: must be at least 1 and at most 10"),
        ("ema.half_life=nan", "ema.half_life: must be 0 or more, got nan"),
        ("optimizer.lr=0", "optimizer.lr: must be above 0, got 0.0"),
    ],
)
def test_odd_values_are_told_with_their_key(word, said):
    assert fault_of(word).startswith(said)


@pytest.mark.parametrize("channels", [0, 2, 7, -1, "text"])
def test_images_have_the_channels_of_gray_colour_or_transparency(channels):
    said = fault_of("dataset=synthetic", f"dataset.channels={channels}")
    assert said.startswith(f"dataset.channels: unknown value '{channels}'; ")
    assert said.endswith("Known: 1, 3, 4")


def test_a_choice_of_numbers_takes_no_other_type():
    """In Python 1 == True == 1.0."""
    for value in ("true", "1.0"):
        assert "model.game.p: unknown value" in fault_of("model=bigan", f"model.game.p={value}")


def branches(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all mappings, lists and names."""
    for key, value in node.items():
        if isinstance(value, dict | list) or key in ("name", "features"):
            yield (*path, key)
        if isinstance(value, dict):
            yield from branches(value, (*path, key))


@pytest.mark.parametrize("words", CONFIGS, ids=[words[0] for words in CONFIGS])
def test_nodes_of_another_shape_are_valid_or_refused(words):
    whole = OmegaConf.to_container(composed("run=x", *words), resolve=True)
    paths = [*branches(whole), ("optimizer", "players"), ("model", "pretrained", "generator")]
    faults: list[tuple[str, ...]] = []
    for path in paths:
        for value in ODD:
            tree = copy.deepcopy(whole)
            node = tree
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value
            try:
                validate(tree)
            except ConfigError as error:
                faults.append(error.faults)
    assert all(":" in fault and "\n" not in fault for group in faults for fault in group)
    assert len(faults) > 4 * len(paths)
