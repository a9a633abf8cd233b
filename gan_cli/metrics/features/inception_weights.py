"""The published weights of the FID network."""

from pathlib import Path

from torch import Tensor

from gan_cli.checkpoints import published as files
from gan_cli.checkpoints.published import Published, published
from gan_cli.utils.errors import ConfigError

NAME = "fid_inception"
URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

published.register(NAME)(
    Published(
        title="the FID network",
        url=URL,
        sha256=SHA256,
        setting="metrics.inception_weights",
        instead="use features that need no download, such as metrics.features=random",
        aliases=("pt_inception-2015-12-05-6726825d.pth",),  # pytorch-fid's name for the same file
    )
)


def find_weights(given: str | None) -> Path:
    """The file asked for, or the published one; see `gan_cli.checkpoints.published`."""
    return files.find_weights(published.entries[NAME], given)


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors by name, and the file's SHA-256."""
    return files.read_weights(published.entries[NAME], path)


def unfit(path: Path, fault: str) -> ConfigError:
    error: ConfigError = published.entries[NAME].error(f"{path} {fault}")
    return error
