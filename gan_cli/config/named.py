"""Components among the options of others, which a config gives as a name, or with options."""

from collections.abc import Mapping
from typing import Any, ClassVar

from gan_cli.config.registry import Component, Registry
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import as_typed


class Named(dict[str, Any]):
    """Options of a component; in configs ``cosine`` or ``{name: cosine, timesteps: 4000}``."""

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> dict[str, Any]:
        """Returns plain name and options; what they may be is checked by their registry."""
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Mapping):
            return dict(value)
        faults.append(f"{where}: expected a name, or a name with options, got {as_typed(value)}")
        return {}


class Node(Component):
    """A component of `registry`, which checks its options; a subclass names it."""

    registry: ClassVar[Registry[Any]]
    by_name: ClassVar[bool] = True  # may the name stand alone?
    expected: ClassVar[str]  # what a config has here, in words
    advice: ClassVar[str] = ""  # what to type instead; {} is the key

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> Any:
        node = {"name": value} if cls.by_name and isinstance(value, str) else value
        if not isinstance(node, Mapping):
            told = f"{where}: expected {cls.expected}, got {as_typed(value)}"
            faults.append(told + cls.advice.replace("{}", where))
            return value
        try:
            return cls(name=node.get("name"), **cls.registry.check(node, where))
        except ConfigError as error:
            faults += error.faults
            return value
