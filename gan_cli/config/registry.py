"""Components by name, and the check of a config against Python signatures.

A config says ``name: dcgan``; a registry knows which class that is. The class's own ``__init__`` is
the schema of its config: positional parameters are runtime objects that the program hands over,
keyword-only parameters ARE the config keys, with their types and defaults. Nothing else has to be
written down, and nothing can get out of step.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from omegaconf import BooleanNode, FloatNode, IntegerNode, StringNode
from omegaconf.errors import ValidationError

from gan_cli.utils.errors import ConfigError as ConfigError
from gan_cli.utils.text import unknown as unknown

T = TypeVar("T")
Component = dict[str, Any]  # {"name": a registered name, **its options}
Keys = dict[str, tuple[Any, Any]]  # key -> (type, default or MISSING)

SCALARS: dict[Any, Any] = {int: IntegerNode, float: FloatNode, bool: BooleanNode, str: StringNode}
NOUNS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def keys_of(component: Callable[..., Any]) -> Keys:
    """The config keys of a class or function: its keyword-only parameters."""
    hints = get_type_hints(component.__init__ if inspect.isclass(component) else component)
    return {
        name: (hints[name], MISSING if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(component).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def keys_of_dataclass(cls: type) -> Keys:
    hints = get_type_hints(cls)
    return {
        field.name: (
            hints[field.name],
            field.default if field.default_factory is MISSING else field.default_factory(),
        )
        for field in fields(cls)
    }


def conform(kind: Any, value: Any, where: str, faults: list[str]) -> Any:
    """`value` as the annotation `kind` has it; what does not fit is added to `faults`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):  # X | None
        if value is None:
            return None
        return conform(next(a for a in arguments if a is not type(None)), value, where, faults)
    if origin is Literal:
        if value not in arguments:
            faults.append(f"{where}: {unknown('value', value, arguments)}")
        return value
    if hasattr(kind, "from_config"):  # a type that reads itself, such as Schedule
        return kind.from_config(value, where, faults)
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            faults.append(f"{where}: expected keys and values, got {value!r}")
            return value
        cls: Any = kind
        return cls(**conform_keys(keys_of_dataclass(cls), value, where, faults))
    if origin is dict:
        if isinstance(value, Mapping):
            return {k: conform(arguments[1], v, f"{where}.{k}", faults) for k, v in value.items()}
    elif origin in (list, tuple):
        return conform_items(origin, arguments, value, where, faults)
    else:
        try:
            return SCALARS[kind](value=value, is_optional=False)._value()
        except ValidationError:
            pass
    faults.append(f"{where}: expected {NOUNS.get(kind, 'keys and values')}, got {value!r}")
    return value


def conform_items(
    origin: type, arguments: tuple[Any, ...], value: Any, where: str, faults: list[str]
) -> Any:
    """A list[X], tuple[X, ...] or tuple[X, Y] out of a YAML list."""
    if not isinstance(value, list | tuple):
        faults.append(f"{where}: expected a list, got {value!r}")
        return value
    if origin is list or arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        faults.append(f"{where}: expected {len(arguments)} entries, got {list(value)!r}")
        return value
    pairs = enumerate(zip(arguments, value, strict=True))
    return origin(conform(kind, item, f"{where}[{i}]", faults) for i, (kind, item) in pairs)


def conform_keys(known: Keys, node: Mapping[str, Any], where: str, faults: list[str]) -> Component:
    """Typed values for all of `known`, defaults filled in."""
    dot = f"{where}." if where else ""
    for key in node:
        if key not in known:
            faults.append(f"{dot}{key}: {unknown('key', key, known)}")
    values = {}
    for key, (kind, default) in known.items():
        if key in node and node[key] != "???":  # OmegaConf's mark of a mandatory value
            values[key] = conform(kind, node[key], dot + key, faults)
        elif default is MISSING:
            faults.append(f"{dot}{key}: has no value; set {dot}{key}=...")
            values[key] = None
        else:
            values[key] = default
    return values


class Registry(Generic[T]):
    """Classes or functions by name; a decorator fills it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.entries: dict[str, Any] = {}

    def register(self, name: str) -> Callable[[Any], Any]:
        def decorate(component: Any) -> Any:
            if name in self.entries:
                raise ValueError(f"{self.kind} '{name}' is registered twice")
            self.entries[name] = component
            return component

        return decorate

    def find(self, node: Mapping[str, Any], where: str) -> Any:
        """The component that `node` names; ConfigError, with the nearest name, if there is none."""
        if "name" not in node:
            raise ConfigError(f"{where}.name: has no value; known: {', '.join(self.entries)}")
        if node["name"] not in self.entries:
            raise ConfigError(f"{where}.name: {unknown(self.kind, node['name'], self.entries)}")
        return self.entries[node["name"]]

    def check(self, node: Mapping[str, Any], where: str) -> Component:
        """The node's options, typed and with defaults; ConfigError lists all that is wrong."""
        component = self.find(node, where)
        faults: list[str] = []
        given = {key: value for key, value in node.items() if key != "name"}
        options = conform_keys(keys_of(component), given, where, faults)
        if faults:
            raise ConfigError(*faults)
        return options

    def build(self, node: Mapping[str, Any], *runtime: Any, where: str) -> T:
        """Constructed; a constructor's own ConfigError may name its keys alone, without `where`."""
        component, options = self.find(node, where), self.check(node, where)
        group = where.partition(".")[0]
        try:
            built: T = component(*runtime, **options)
        except ConfigError as error:
            told = (f if f.startswith(group) else f"{where}.{f}" for f in error.faults)
            raise ConfigError(*told) from None
        return built
