"""The registry of model formats. Imports no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.config.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from gan_cli.deployment.exportable import Exportable

    Write = Callable[[Exportable, Path], None]
    Run = Callable[[Path, Exportable, Mapping[str, Tensor]], tuple[Tensor, ...]]
    Usage = Callable[[Exportable, str], list[str]]

INSTALL = "gan-cli[export]"  # what to pip install for the modules below


@dataclass(frozen=True)
class ModelFormat:
    """How a network is written, and how the file is run to check it.

    `write` takes the path of the new file, whose batch dimension must be dynamic. `run` loads the
    file as its users do and returns the outputs of the network for inputs by name. `usage` returns
    the lines of Python that the model card shows for the file of this name.
    """

    file: str  # name of the file, with {role} in it
    write: "Write"
    run: "Run"
    usage: "Usage"
    modules: tuple[str, ...] = ()  # that it needs

    def file_of(self, role: str) -> str:
        """The name of the file for the network `role`."""
        return self.file.format(role=role)

    @property
    def suffix(self) -> str:
        return Path(self.file).suffix

    @property
    def missing(self) -> list[str]:
        """The modules that are not installed."""
        return [name for name in self.modules if find_spec(name) is None]


model_formats: Registry[ModelFormat] = Registry("format")
