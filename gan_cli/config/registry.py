"""Registries of components, and validation of configs against Python signatures.

A config says ``name: dcgan``, and a registry maps the name to a class. The signature of the class
is the schema of its config: positional parameters are objects that the program passes, and
keyword-only parameters are the config keys, with their types, ranges and defaults. There is no
second schema that could get out of step.
"""

import inspect
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from omegaconf import BooleanNode, FloatNode, IntegerNode, StringNode

from gan_cli.config.ranges import Range
from gan_cli.utils.errors import ConfigError as ConfigError
from gan_cli.utils.text import as_typed
from gan_cli.utils.text import unknown as unknown

T = TypeVar("T")
Component = dict[str, Any]  # {"name": a registered name, **its options}
Keys = dict[str, tuple[Any, Any]]  # key -> (type, default or MISSING)

SCALARS: dict[Any, Any] = {int: IntegerNode, float: FloatNode, bool: BooleanNode, str: StringNode}
NOUNS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def keys_of(component: Callable[..., Any]) -> Keys:
    """The config keys of a class or function: its keyword-only parameters."""
    function = component.__init__ if inspect.isclass(component) else component
    hints = get_type_hints(function, include_extras=True)
    return {
        name: (hints[name], MISSING if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(component).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def keys_of_dataclass(cls: type) -> Keys:
    """The config keys of a dataclass: its fields."""
    hints = get_type_hints(cls, include_extras=True)
    return {
        field.name: (
            hints[field.name],
            field.default if field.default_factory is MISSING else field.default_factory(),
        )
        for field in fields(cls)
    }


def conform(kind: Any, value: Any, where: str, faults: list[str]) -> Any:
    """Converts `value`, found at the key path `where`, to type `kind`.

    Appends what does not fit, or is outside of its range, to `faults` and returns it unchanged.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is Annotated:
        bounds = next(a for a in arguments if isinstance(a, Range))
        return conform_range(arguments[0], bounds, value, where, faults)
    if kind in (int, float) or hasattr(kind, "extremes"):
        return conform_range(kind, Range(), value, where, faults)
    if origin in (Union, types.UnionType):  # X | None, or X | Y: the first type that fits
        if value is None and type(None) in arguments:
            return None
        return conform_first([a for a in arguments if a is not type(None)], value, where, faults)
    if origin is Literal:
        if not any(type(value) is type(known) and value == known for known in arguments):
            faults.append(f"{where}: {unknown('value', value, arguments)}")
        return value
    if hasattr(kind, "from_config"):  # a type with its own conversion, such as Schedule
        return kind.from_config(value, where, faults)
    if is_dataclass(kind):
        cls: Any = kind
        if isinstance(value, cls):  # converted already
            return value
        if not isinstance(value, Mapping):
            faults.append(f"{where}: expected keys and values, got {as_typed(value)}")
            return value
        return cls(**conform_keys(keys_of_dataclass(cls), value, where, faults))
    if origin is dict:
        if isinstance(value, Mapping):
            return {k: conform(arguments[1], v, f"{where}.{k}", faults) for k, v in value.items()}
    elif origin in (list, tuple):
        return conform_items(origin, arguments, value, where, faults)
    else:
        return conform_scalar(kind, value, where, faults)
    faults.append(f"{where}: expected keys and values, got {as_typed(value)}")
    return value


def conform_first(kinds: list[Any], value: Any, where: str, faults: list[str]) -> Any:
    """Converts `value` to the first of several types that it fits."""
    errors: list[list[str]] = []
    for kind in kinds:
        errors.append([])
        converted = conform(kind, value, where, errors[-1])
        if not errors[-1]:
            return converted
    faults += errors[0]
    return value


def conform_range(kind: Any, bounds: Range, value: Any, where: str, faults: list[str]) -> Any:
    """Converts `value` to a number or a schedule within `bounds`."""
    errors: list[str] = []
    if kind in SCALARS:
        converted = conform_scalar(kind, value, where, errors)
    else:
        converted = kind.from_config(value, where, errors)
    if not errors and (error := bounds.error(converted)):
        errors.append(f"{where}: {error}")
    faults += errors
    return converted


def conform_scalar(kind: Any, value: Any, where: str, faults: list[str]) -> Any:
    """Converts `value` to int, float, bool or str."""
    try:
        return SCALARS[kind](value=value, is_optional=False)._value()
    except OverflowError:  # an integer beyond all floats
        return math.inf
    except ValueError:
        faults.append(f"{where}: expected {NOUNS[kind]}, got {as_typed(value)}")
        return value


def conform_items(
    origin: type, arguments: tuple[Any, ...], value: Any, where: str, faults: list[str]
) -> Any:
    """Converts a YAML list to list[X], tuple[X, ...] or tuple[X, Y]."""
    if not isinstance(value, list | tuple):
        faults.append(f"{where}: expected a list, got {as_typed(value)}")
        return value
    if origin is list or arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        faults.append(f"{where}: expected {len(arguments)} entries, got {as_typed(list(value))}")
        return value
    pairs = enumerate(zip(arguments, value, strict=True))
    return origin(conform(kind, item, f"{where}[{i}]", faults) for i, (kind, item) in pairs)


def conform_keys(known: Keys, node: Mapping[str, Any], where: str, faults: list[str]) -> Component:
    """Converts the values of `node` to the types of `known`; missing keys get their defaults."""
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
    """Classes or functions by name; the decorator `register` adds one."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.entries: dict[str, Any] = {}

    def register(self, name: str) -> Callable[[Any], Any]:
        """A decorator that registers a class or function as `name`."""

        def decorate(component: Any) -> Any:
            if name in self.entries:
                raise ValueError(f"{self.kind} '{name}' is registered twice")
            self.entries[name] = component
            return component

        return decorate

    def find(self, node: Mapping[str, Any], where: str) -> Any:
        """The component that `node` names; an unknown name raises ConfigError with the nearest."""
        name = node.get("name")
        if name is None:
            raise ConfigError(f"{where}.name: has no value; known: {', '.join(self.entries)}")
        if not isinstance(name, str):
            raise ConfigError(f"{where}.name: expected a name, got {as_typed(name)}")
        if name not in self.entries:
            raise ConfigError(f"{where}.name: {unknown(self.kind, node['name'], self.entries)}")
        return self.entries[node["name"]]

    def check(self, node: Mapping[str, Any], where: str) -> Component:
        """The options of `node`, converted and with defaults; ConfigError lists all faults."""
        component = self.find(node, where)
        faults: list[str] = []
        given = {key: value for key, value in node.items() if key != "name"}
        options = conform_keys(keys_of(component), given, where, faults)
        if faults:
            raise ConfigError(*faults)
        return options

    def build(self, node: Mapping[str, Any], *runtime: Any, where: str) -> T:
        """Builds the component of `node` with the positional arguments `runtime`.

        A ConfigError of the constructor may name its keys without a path; `where` is added.
        """
        component, options = self.find(node, where), self.check(node, where)
        group = where.partition(".")[0]
        try:
            built: T = component(*runtime, **options)
        except ConfigError as error:
            faults = (f if f.startswith(group) else f"{where}.{f}" for f in error.faults)
            raise ConfigError(*faults) from None
        return built
