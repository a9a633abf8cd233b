"""A component that a config gives as a name, or as a name with options."""

from collections.abc import Mapping
from typing import Any

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
