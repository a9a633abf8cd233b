"""The metrics node of a config: its names looked up, its options typed, defaults filled in."""

from collections.abc import Iterator, Mapping
from typing import Any

from gan_cli.config.registry import Component, Keys, conform_keys, keys_of
from gan_cli.config.schema import Metrics
from gan_cli.metrics.metric import extractors, metrics
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown

SYNONYMS = {"fid": "fd", "kid": "kd"}  # what one says, whichever the features


def parse_metrics(shared: Keys, value: Any, where: str, faults: list[str]) -> Component:
    """`value` as the keys of config.Metrics; `shared` are their types and defaults."""
    if not isinstance(value, Mapping):
        faults.append(f"{where}: expected keys and values, got {value!r}")
        return {}
    name = value.get("features", "random")
    if isinstance(name, Mapping):  # as a checkpoint holds them
        value, name = {**value, **name}, name["name"]
    compute = named(value.get("compute") or {})
    if not isinstance(compute, Mapping):
        faults.append(f"{where}.compute: expected names of metrics, got {compute!r}")
        compute = {}
    own = {}
    if name in extractors.entries:
        own = keys_of(extractors.entries[name])
    else:
        faults.append(f"{where}.features: {unknown('features', name, extractors.entries)}")
    known = {**shared, **own}
    given = {k: v for k, v in value.items() if k not in ("name", "compute", "features")}
    for key in given.keys() - known.keys():
        faults.append(f"{where}.{key}: {unknown('key', key, known)} (with features={name})")
    plain = {k: v for k, v in known.items() if k not in ("compute", "features")}
    typed = conform_keys(plain, {k: v for k, v in given.items() if k in known}, where, faults)
    return {
        **{key: typed[key] for key in plain if key not in own},
        "compute": dict(checked(compute, f"{where}.compute", faults)),
        "features": {"name": name, **{key: typed[key] for key in own}},
    }


def named(compute: Any) -> Any:
    """fd, [fd, kd] and {fd: {}, kd: {}} alike."""
    if isinstance(compute, str):
        compute = [compute]
    return dict.fromkeys(compute) if isinstance(compute, list | tuple) else compute


def checked(
    compute: Mapping[str, Any], where: str, faults: list[str]
) -> Iterator[tuple[str, Component]]:
    for given, options in compute.items():
        name = SYNONYMS.get(given, given)
        try:
            yield name, {"name": name, **metrics.check({**(options or {}), "name": name}, where)}
        except ConfigError as error:
            faults += error.faults


def unmet(config: Metrics, provided: frozenset[str]) -> Iterator[str]:
    """What the metrics need and do not get; `provided` are what a data set names."""
    extractor = extractors.entries[config.features["name"]]
    counts = {"count": config.count, "real_count": config.real_count}
    for name, node in config.compute.items():
        where = f"metrics.compute.{name}"
        try:
            metric = metrics.build(node, where=where)
        except ConfigError as error:
            yield from error.faults
            continue
        if "logits" in metric.needs and not extractor.classifies:
            yield f"{where}: needs features that classify, as metrics.features=inception does"
        if "labels" in metric.needs and "label" not in provided:
            yield f"{where}: needs labels, of the data and of a conditional generator; leave it out"
        if "modes" in metric.needs and "modes" not in provided:
            yield f"{where}: needs data whose modes are known, such as dataset=ring; leave it out"
        if "density" in metric.needs and "density" not in provided:
            yield f"{where}: needs data of a known density, as dataset=mixture1d; leave it out"
        for key, count in counts.items():
            if count is not None and count < metric.minimum:
                yield f"metrics.{key}: {name} needs {metric.minimum} or more, got {count}"
