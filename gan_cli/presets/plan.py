"""The settings that a preset has chosen so far; what the user has typed is never replaced."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.config.compose import composed_with_start
from gan_cli.config.override_checks import parsed
from gan_cli.config.start import OF_COMMAND, Start, is_whole, key_of


@dataclass(frozen=True)
class Setting:
    """A key or a group with its value, and why it has it."""

    key: str
    value: Any
    reason: str

    @property
    def word(self) -> str:
        """The override."""
        value = str(self.value).lower() if isinstance(self.value, bool) else self.value
        return f"{self.key}={value}"


class Plan:
    """Settings by key, in the order in which they were chosen first."""

    def __init__(self, composed: DictConfig, start: Start) -> None:
        self.composed, self.start = composed, start
        self.chosen: dict[str, Setting] = {}

    def choose(self, key: str, value: Any, reason: str) -> None:
        """Chooses a setting, unless the user has typed it."""
        if not self.typed(key):
            self.chosen[key] = Setting(key, value, reason)

    def typed(self, key: str) -> bool:
        """Whether a word of the user decides a key, by itself or in a mapping such as ema={...}."""
        return any(decides(word, key) for word in self.start.words)

    def value(self, key: str) -> Any:
        """The value of a key: chosen here, typed, or the default."""
        setting = self.chosen.get(key)
        return OmegaConf.select(self.composed, key) if setting is None else setting.value

    def applied(self) -> tuple[DictConfig, Start]:
        """The config and the start with the chosen settings below what is typed."""
        words = (*(setting.word for setting in self.chosen.values()), *self.start.words)
        config, start = composed_with_start("train", words)
        for key in OF_COMMAND - {"hydra"}:
            config[key] = self.composed[key]
        reasons = {setting.key: setting.reason for setting in self.chosen.values()}
        return config, Start(start.words, start.choices, reasons)


def decides(word: str, key: str) -> bool:
    """Whether a word sets `key`; that of a group around it, such as dataset=folder, does not."""
    around = key_of(word)
    if around == key:
        return True
    if not key.startswith(f"{around}.") or is_whole(word):
        return False
    node: Any = parsed(word).value()
    for part in key.removeprefix(f"{around}.").split("."):
        if not isinstance(node, Mapping) or part not in {str(name) for name in node}:
            return False
        node = next(value for name, value in node.items() if str(name) == part)
    return True
