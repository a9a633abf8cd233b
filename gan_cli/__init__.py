"""Train generative adversarial networks, draw samples from them, and score them.

Importing this package is cheap: PyTorch is imported by the first call that needs it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_cli.api import LoadedModel as LoadedModel
    from gan_cli.api import TrainedRun as TrainedRun
    from gan_cli.api import load as load
    from gan_cli.api import score as score
    from gan_cli.api import train as train

__all__ = ["LoadedModel", "TrainedRun", "__version__", "load", "score", "train"]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from gan_cli import api

        return getattr(api, name)
    raise AttributeError(f"module 'gan_cli' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
