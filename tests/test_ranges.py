"""Every number of a config has a range, declared beside its type and refused outside of it."""

import math
import pkgutil
import types
from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib import import_module
from typing import Annotated, Any, Union, get_args, get_origin

import pytest

import gan_cli
from gan_cli.config.ranges import Range
from gan_cli.config.registry import ConfigError, Registry, conform, keys_of, keys_of_dataclass
from gan_cli.config.schedules import Schedule
from gan_cli.config.schema import Config, Metrics
from gan_cli.evaluation.options import FidOptions
from gan_cli.sampling.exports import check_formats
from gan_cli.sampling.options import SampleOptions

FLOAT32, INT64 = 3.4028234663852886e38, 2**63 - 1
TEXTS: tuple[Any, ...] = ("text", "", [], {}, [None], {"a": 1}, True)
NUMBERS = (
    *(-1e300, -1, 0, 0.5, 1, 3, math.nan, math.inf, -math.inf, 1e39, -1e39, 1e300),
    *(2**63, 2**64, -(2**64), 10**30, 10**400, -(10**400), 9999999999999999999),
)
Leaf = tuple[Any, Any]  # (type without its range, range or None)


def leaf_kinds(kind: Any) -> Iterator[Leaf]:
    """The numbers that a type consists of, with their ranges."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds = [a for a in arguments if isinstance(a, Range)]
        yield arguments[0], bounds[0] if bounds else None
    elif kind in (int, float) or kind is Schedule:
        yield kind, None
    elif origin in (Union, types.UnionType, tuple, list, dict):
        for argument in arguments:
            yield from leaf_kinds(argument)


def keys_below(cls: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, (kind, _) in keys_of_dataclass(cls).items():
        if is_dataclass(kind) and kind is not Schedule:
            yield from keys_below(kind, f"{prefix}{key}.")
        else:
            yield prefix + key, kind


def components() -> Iterator[tuple[Registry, str, Any]]:
    """What the package itself registers with options, by registry."""
    names = [m.name for m in pkgutil.walk_packages(gan_cli.__path__, "gan_cli.")]
    found = [v for n in names for v in vars(import_module(n)).values() if isinstance(v, Registry)]
    for registry in {id(v): v for v in found}.values():
        for name, component in registry.entries.items():
            if callable(component) and component.__module__.startswith("gan_cli."):
                yield registry, name, component


OF_DATACLASSES = [
    (cls, path, kind)
    for cls in (Config, SampleOptions, FidOptions, Metrics, Schedule)
    for path, kind in keys_below(cls)
    if list(leaf_kinds(kind)) and (cls, path) not in ((Schedule, "start"), (Schedule, "end"))
]
OF_COMPONENTS = [
    (registry, name, key, kind)
    for registry, name, component in components()
    for key, (kind, _) in keys_of(component).items()
    if list(leaf_kinds(kind))
]


def test_every_numeric_key_declares_its_range():
    """Where any finite number has a meaning, its type says Finite."""
    declared = {f"{c.__name__}.{path}": kind for c, path, kind in OF_DATACLASSES}
    declared |= {f"{r.kind} {name}.{key}": kind for r, name, key, kind in OF_COMPONENTS}
    assert len(declared) > 120
    bare = [key for key, kind in declared.items() if None in [r for _, r in leaf_kinds(kind)]]
    assert bare == []


def within(number: float, kind: Any, bounds: Range) -> bool:
    """Whether a config may set a key of this type and range to `number`."""
    if kind is int and not isinstance(number, int):
        return False
    largest = INT64 if kind is int else FLOAT32
    if number != number or abs(number) > (bounds.limit or largest):
        return False
    low = bounds.least if bounds.above is None else bounds.above
    high = bounds.most if bounds.below is None else bounds.below
    if (number in (bounds.above, bounds.below)) or (number == 0 and not bounds.zero):
        return False
    return (low is None or low <= number) and (high is None or number <= high)


def without_none(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) in (Union, types.UnionType) else kind


def shaped(kind: Any, value: Any) -> Any:
    """`value` in the form that a key of the type takes: a list of lists' length, or itself."""
    kind = without_none(kind)
    if get_origin(kind) is dict:
        return {"name": value}
    count = 1 if Ellipsis in get_args(kind) else len(get_args(kind))
    return [value] * count if get_origin(kind) is tuple else value


def nested(path: str, value: Any) -> Any:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def faults_of(check: Any, where: str) -> list[str]:
    """The faults at a key path, each on one line of a bearable length."""
    try:
        faults = check()
    except ConfigError as error:
        faults = error.faults
    own = [fault for fault in faults if fault.startswith(where)]
    assert all("\n" not in fault and len(fault) < 300 for fault in own)
    return own


def judged(kind: Any, where: str, check: Any) -> None:
    """Holds what `check` says of all values against the range of the key."""
    (number_kind, bounds), *_ = leaf_kinds(kind)
    for value in NUMBERS:
        faults = faults_of(lambda v=value: check(shaped(kind, v)), where)
        assert bool(faults) != within(value, number_kind, bounds), (where, value, faults)
    for value in TEXTS:
        own = without_none(kind)
        empty_list = value == [] and Ellipsis in get_args(own)
        keys = isinstance(value, dict) and get_origin(own) is dict  # of roles, say
        if not (empty_list or keys):
            assert faults_of(lambda v=value: check(v), where), (where, value)


@pytest.mark.parametrize(
    ("cls", "path", "kind"), OF_DATACLASSES, ids=[f"{c.__name__}.{p}" for c, p, _ in OF_DATACLASSES]
)
def test_a_number_outside_of_its_range_is_refused(cls, path, kind):
    def check(value: Any) -> list[str]:
        faults: list[str] = []
        conform(cls, nested(path, value), "", faults)
        return faults

    if path not in ("seeds",):
        judged(kind, path, check)


@pytest.mark.parametrize(
    ("registry", "name", "key", "kind"),
    OF_COMPONENTS,
    ids=[f"{r.kind}.{name}.{key}" for r, name, key, _ in OF_COMPONENTS],
)
def test_an_option_outside_of_its_range_is_refused(registry, name, key, kind):
    def check(value: Any) -> list[str]:
        registry.check({"name": name, key: value}, "x")
        return []

    judged(kind, f"x.{key}", check)


def refused(bounds: Range, value: Any, kind: Any = float) -> str:
    faults: list[str] = []
    conform(Annotated[kind, bounds], value, "key", faults)
    return "; ".join(faults)


@pytest.mark.parametrize(
    ("bounds", "value", "said"),
    [
        (Range(above=0, hint="null: off"), -1, "key: must be above 0, got -1.0; null: off"),
        (Range(above=0), 0, "key: must be above 0, got 0.0"),
        (Range(least=0), math.nan, "key: must be 0 or more, got nan"),
        (Range(least=0, most=1), 1.5, "key: must be between 0 and 1, got 1.5"),
        (Range(above=0, below=1), 1, "key: must be above 0 and below 1, got 1.0"),
        (Range(), math.inf, "key: must be a finite number, got inf"),
        (Range(), 1e39, "key: must be at most 3.4e38, the largest float32, got 1e+39"),
        (Range(least=1, limit=5), 6.0, "key: must be at least 1 and at most 5, got 6.0"),
    ],
)
def test_a_refusal_names_key_range_and_value(bounds, value, said):
    assert refused(bounds, value) == said


def test_whole_numbers_fit_64_bits():
    assert refused(Range(), 2**63, int) == (
        "key: must be at most 2^63 - 1, got 9223372036854775808"
    )
    assert refused(Range(), -(2**63) - 1, int).startswith("key: must be at least -2^63")
    assert refused(Range(), 2**63 - 1, int) == ""


def test_a_long_value_is_cut():
    said = refused(Range(least=0), [*range(1000)])
    assert said.startswith("key: expected a number, got [0, 1, 2")
    assert len(said) < 130


def test_types_without_a_range_are_finite():
    faults: list[str] = []
    conform(float, math.nan, "a", faults)
    conform(tuple[float, ...], [1, math.inf], "b", faults)
    conform(dict[str, int], {"x": 2**63}, "c", faults)
    conform(Schedule, math.nan, "d", faults)
    assert [fault.partition(":")[0] for fault in faults] == ["a", "b[1]", "c.x", "d"]


RATE, SHARE = Range(least=0, zero=False), Range(least=0, below=1)


@pytest.mark.parametrize(
    ("bounds", "value", "said"),
    [
        (RATE, 0, "key: must be above 0, got 0.0"),
        (RATE, {"start": 0, "end": 0}, "key: must be above 0"),
        (RATE, {"start": 1e-3, "end": -1e-3, "over": 10}, "key: must be above 0, got -0.001"),
        (RATE, {"start": -1, "end": 1, "over": 10}, "key: must be above 0, got -1"),
        (RATE, {"start": 1e-3, "end": math.nan}, "key.end: must be a finite number, got nan"),
        (RATE, {"start": math.inf}, "key.start: must be a finite number, got inf"),
        (RATE, {"start": 1e39}, "key.start: must be at most 3.4e38"),
        (RATE, {"start": 1, "over": 0}, "key.over: must be at least 1, got 0"),
        (RATE, {"start": 1, "warmup": -1}, "key.warmup: must be 0 or more, got -1"),
        (RATE, {"start": 1, "over": 2**63}, "key.over: must be at least 1 and at most 2^63 - 1"),
        (SHARE, {"start": 0.5, "end": 1, "over": 10}, "key: must be 0 or more and below 1, got 1"),
    ],
)
def test_all_values_of_a_schedule_are_within_the_range(bounds, value, said):
    assert refused(bounds, value, Schedule).startswith(said)


@pytest.mark.parametrize(
    "value",
    [
        1e-3,
        {"start": 2e-4, "end": 0, "over": 100},
        {"start": 0, "end": 2e-4, "over": 100},
        {"start": 1e-3, "end": 1e-4, "over": 5, "shape": "inverse", "warmup": 9},
    ],
)
def test_a_learning_rate_may_start_or_end_at_zero(value):
    assert refused(RATE, value, Schedule) == ""


def test_a_schedule_that_overshoots_is_refused(monkeypatch):
    from gan_cli.config.schedules import shapes

    monkeypatch.setitem(
        shapes.entries, "dip", lambda done, a, b: a + (b - a) * done - 2 * (done == 0.5)
    )
    node = {"start": 1, "end": 0.5, "shape": "dip"}
    assert refused(RATE, node, Schedule).startswith("key: must be above 0, got -1.25")
    assert refused(Range(), node, Schedule) == ""


@pytest.mark.parametrize("seeds", ["0-99999999999", ["0-5000000", "7000000-13000000"]])
def test_seeds_that_would_fill_the_memory_are_refused_at_once(seeds):
    faults: list[str] = []
    conform(SampleOptions, {"seeds": seeds}, "", faults)
    assert faults == ["seeds: must list at most 10,000,000; draw them in parts"]


@pytest.mark.parametrize("value", [{"a": 1}, [["grid"]], 1])
def test_a_format_that_is_no_name_is_unknown(value):
    names = value if isinstance(value, list) else [value]
    (fault,) = check_formats(names, False, "sample")
    assert fault.startswith("format: unknown format ")
