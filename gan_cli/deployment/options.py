"""The options of gan-export and their validation. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gan_cli.config.key_names import conform_options
from gan_cli.config.schema import Device
from gan_cli.deployment.formats.format import INSTALL, model_formats
from gan_cli.sampling.source import source_errors
from gan_cli.utils.discovery import import_modules
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.lists import several
from gan_cli.utils.text import unknown


@dataclass(frozen=True)
class ExportOptions:
    """The keys of configs/export.yaml, which explains them."""

    run: str | None = None
    checkpoint: str | None = None
    which: Any = "latest"  # "best", or a step
    weights: Literal["average", "live"] = "average"
    role: str | None = None  # None: the generator, or the first network
    format: Any = "safetensors"  # names of formats
    license: str | None = None
    output: str | None = None
    push: str | None = None
    private: bool = True
    imports: tuple[str, ...] = ()
    device: Device = field(default_factory=lambda: Device("cpu"))

    @property
    def formats(self) -> list[str]:
        return several(self.format)


def checked_options(tree: Any) -> ExportOptions:
    """Returns validated options; raises one ConfigError that lists all errors."""
    faults: list[str] = []
    options = conform_options(ExportOptions, tree, "export", faults)
    if not faults:
        import_modules(options.imports)
        faults += source_errors(options, "gan-export")
        faults += [*format_errors(options), *place_errors(options)]
    if faults:
        raise ConfigError(*faults)
    return options


def format_errors(options: ExportOptions) -> Iterator[str]:
    """Yields errors of the formats."""
    if not options.formats:
        yield "format: lists none; type format=safetensors or format=onnx"
    for name in options.formats:
        if not isinstance(name, str) or name not in model_formats.entries:
            yield f"format: {unknown('format', name, model_formats.entries)}"
        elif missing := model_formats.entries[name].missing:
            yield f"format: '{name}' needs {' and '.join(missing)}; pip install '{INSTALL}'"


def place_errors(options: ExportOptions) -> Iterator[str]:
    """Yields errors of the folder and of the repository on the hub."""
    output = Path(options.output or "")
    if output.suffix in {entry.suffix for entry in model_formats.entries.values()}:
        yield f"output: is a folder; type output={output.with_suffix('')}"
    if options.push is not None and len([*filter(None, options.push.split("/"))]) != 2:
        yield f"push: names a repository, as in push=user/name; got '{options.push}'"
