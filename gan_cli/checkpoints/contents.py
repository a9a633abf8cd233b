"""A typed view of what a checkpoint holds; the one place that knows its keys."""

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_cli.checkpoints.files import State, load
from gan_cli.checkpoints.migrate import migrated
from gan_cli.config.registry import Component, Keys, conform_keys
from gan_cli.data.spec import Field, Spec
from gan_cli.utils.errors import StorageError
from gan_cli.utils.text import unknown

Weights = Mapping[str, Tensor]  # a network's state_dict
LARGEST = 2**53  # of a counter
SPEC: Keys = {"target": (str, MISSING), "fields": (dict[str, Field], MISSING)}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint of a run; it needs neither the data set nor the YAML files of the run."""

    path: Path | None
    step: int
    images: int  # seen up to this step
    config: dict[str, Any]  # of the run, with all defaults
    spec: Spec  # of the run's data set
    networks: Mapping[str, Weights] = field(repr=False)  # as they were trained, by role
    averages: Mapping[str, Weights] = field(repr=False)  # exponential moving averages, by role
    state: State = field(repr=False)  # as it was loaded, to resume from

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """StorageError if the file is damaged or this version cannot read it."""
        return cls.from_state(load(path), path)

    @classmethod
    def from_state(cls, state: State, path: Path | None = None) -> "Checkpoint":
        """The view of a loaded state; StorageError, in one line, if something in it is wrong."""
        current = migrated(state, named(path))
        try:
            for key in ("config", "spec"):
                check_settings(current.get(key), key)
            for role in mapping(current, "config.model.networks"):
                component(current, f"config.model.networks.{role}")
            for role in mapping(current, "networks"):
                mapping(current, f"networks.{role}")
            for role in mapping(current, "averages"):
                mapping(current, f"averages.{role}")
            component(current, "config.model.game")
            component(current, "config.dataset")
            return cls(
                path=path,
                step=whole_number(current, "step"),
                images=whole_number(current, "images"),
                config=current["config"],
                spec=read_spec(current.get("spec")),
                networks=current["networks"],
                averages=current["averages"],
                state=state,
            )
        except ValueError as fault:
            raise StorageError(
                f"{named(path)}: {fault}; the file was edited, or another program wrote it"
            ) from None

    @property
    def name(self) -> str:
        """What messages call it."""
        return named(self.path)

    @property
    def game(self) -> Component:
        return self.config["model"]["game"]

    @property
    def dataset(self) -> Component:
        return self.config["dataset"]

    @property
    def imports(self) -> tuple[str, ...]:
        """Modules with the run's own components; only the command line may import them."""
        stored = self.config.get("imports")
        return tuple(map(str, stored)) if isinstance(stored, list | tuple) else ()

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the networks that have settings and weights."""
        return tuple(role for role in self.config["model"]["networks"] if role in self.networks)

    def node(self, role: str) -> Component:
        """Name and options of a network; StorageError if there is no such network."""
        return self.config["model"]["networks"][self.known(role)]

    def weights(self, role: str, averaged: bool) -> Weights:
        """The average, if asked for and there is one, or else the weights as they were trained."""
        average = self.averages.get(self.known(role)) if averaged else None
        return average or self.networks[role]

    def known(self, role: str) -> str:
        if role not in self.roles:
            only = ", ".join(self.roles) or "none"
            raise StorageError(f"{self.name} holds no network '{role}', only {only}")
        return role


def named(path: Path | None) -> str:
    return "the checkpoint" if path is None else str(path)


def mapping(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The mapping under a dotted key; ValueError if something else is there."""
    node: Any = tree
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping) or not all(isinstance(k, str) for k in node):
        raise ValueError(f"{key}: expected names and values")
    return node


def check_settings(node: Any, where: str) -> None:
    """ValueError unless `node` consists of what `plain` writes: containers, numbers and text."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if not isinstance(key, str):
                raise ValueError(f"{where}: expected a name, got {shown(key)}")
            check_settings(value, f"{where}.{key}")
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node):
            check_settings(value, f"{where}[{i}]")
    elif node is not None and not isinstance(node, bool | int | float | str):
        raise ValueError(f"{where}: expected a setting, got {shown(node)}")


def component(tree: Mapping[str, Any], key: str) -> Component:
    node = mapping(tree, key)
    if not isinstance(node.get("name"), str):
        raise ValueError(f"{key}.name: expected text, got {shown(node.get('name'))}")
    return dict(node)


def whole_number(tree: Mapping[str, Any], key: str) -> int:
    value = tree.get(key)
    if type(value) is not int or not 0 <= value < LARGEST:
        raise ValueError(f"{key}: expected a whole number from 0, got {shown(value)}")
    return value


def read_spec(stored: Any) -> Spec:
    """The spec as `plain` wrote it; ValueError says what is wrong with it."""
    faults: list[str] = []
    if not isinstance(stored, Mapping):
        raise ValueError(f"spec: expected keys and values, got {shown(stored)}")
    values = conform_keys(SPEC, stored, "spec", faults)
    if not faults and values["target"] not in values["fields"]:
        faults.append(f"spec.target: {unknown('field', values['target'], values['fields'])}")
    if faults:
        raise ValueError(faults[0])
    return Spec(values["fields"], values["target"])


def shown(value: Any) -> str:
    """A value in a message, shortened to one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def plain(value: Any) -> Any:
    """Dataclasses as dicts and tuples as lists: what weights_only loading and JSON know."""
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
