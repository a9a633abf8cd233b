"""Parses the `metrics` node of a config and checks what the metrics need."""

from collections.abc import Iterator, Mapping
from typing import Any

from gan_cli.config.registry import Component, conform_keys, keys_of, keys_of_dataclass
from gan_cli.config.schema import Metrics
from gan_cli.metrics.counts import too_few
from gan_cli.metrics.metric import extractors, metrics
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import as_typed, unknown

SYNONYMS = {"fid": "fd", "kid": "kd"}  # usual names, accepted with any features


def parse_metrics(value: Any, where: str, faults: list[str]) -> Metrics:
    """Converts the node `value` to Metrics; appends what does not fit to `faults`.

    In the node, `features` is a name, and the options of the features are keys of the node itself.
    """
    if not isinstance(value, Mapping):
        faults.append(f"{where}: expected keys and values, got {as_typed(value)}")
        return Metrics()
    name = value.get("features", "random")
    if isinstance(name, Mapping):  # the form in a checkpoint
        value, name = {**value, **name}, name.get("name")
    compute = as_mapping(value.get("compute"))
    if not isinstance(compute, Mapping):
        faults.append(f"{where}.compute: expected names of metrics, got {as_typed(compute)}")
        compute = {}
    own = {}
    if isinstance(name, str) and name in extractors.entries:
        own = keys_of(extractors.entries[name])
    else:
        faults.append(f"{where}.features: {unknown('features', name, extractors.entries)}")
    known = {**keys_of_dataclass(Metrics), **own}
    given = {k: v for k, v in value.items() if k not in ("name", "compute", "features")}
    for key in given.keys() - known.keys():
        faults.append(f"{where}.{key}: {unknown('key', key, known)} (with features={name})")
    plain = {k: v for k, v in known.items() if k not in ("compute", "features")}
    typed = conform_keys(plain, {k: v for k, v in given.items() if k in known}, where, faults)
    return Metrics(
        **{key: typed[key] for key in plain if key not in own},
        compute=dict(parse_compute(compute, f"{where}.compute", faults)),
        features={"name": name, **{key: typed[key] for key in own}},
    )


def as_mapping(compute: Any) -> Any:
    """A mapping of names to options, from fd, [fd, kd] or {fd: {}, kd: {}}."""
    names = [compute] if isinstance(compute, str) else [] if compute is None else compute
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return dict.fromkeys(names)
    return compute


def parse_compute(
    compute: Mapping[str, Any], where: str, faults: list[str]
) -> Iterator[tuple[str, Component]]:
    """Yields the name of each metric and its options, with defaults."""
    for given, options in compute.items():
        name = SYNONYMS.get(given, given)
        at = f"{where}.{given}"
        if not isinstance(options, Mapping | None):
            faults.append(f"{at}: expected keys and values, got {as_typed(options)}")
            continue
        try:
            yield name, {"name": name, **metrics.check({**(options or {}), "name": name}, at)}
        except ConfigError as error:
            faults += error.faults


def unmet_needs(config: Metrics, provided: frozenset[str]) -> Iterator[str]:
    """Yields an error for everything that a metric needs and `provided` does not contain.

    `provided` is what a data set's `provides` returns.
    """
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
            yield f"{where}: needs features with class logits, such as metrics.features=inception"
        if "labels" in metric.needs and "label" not in provided:
            yield f"{where}: needs labelled data and a conditional generator; leave it out"
        if "modes" in metric.needs and "modes" not in provided:
            yield f"{where}: needs data with known modes, such as dataset=ring; leave it out"
        if "density" in metric.needs and "density" not in provided:
            yield f"{where}: needs data with a known density, as dataset=mixture1d; leave it out"
        if "pairs" in metric.needs and "held_out" not in provided:
            yield (
                f"{where}: needs held-out inputs and their true outputs, as dataset=paired has "
                "with dataset.held_out=0.1; leave it out"
            )
        if "latents" in metric.needs:
            yield from latent_errors(where, getattr(metric, "space", None), provided)
        if "likelihood" in metric.needs and "likelihood" not in provided:
            yield f"{where}: needs a model of diffusion, as model=ddpm; leave it out"
        for key, count in counts.items():
            if count is not None and count < metric.minimum:
                yield (
                    f"metrics.{key}: {name} needs {metric.minimum} or more, got {count}; "
                    f"{too_few(name, metric, count)}"
                )


def latent_errors(where: str, space: str | None, provided: frozenset[str]) -> Iterator[str]:
    """Yields an error of a metric that moves through the latents of a model."""
    if "latents" not in provided:
        yield f"{where}: needs a model whose generator takes latents; leave it out"
    elif space == "w" and "styles" not in provided:
        yield f"{where}.space: w needs styles, as of model=stylegan2; type {where}.space=z"
