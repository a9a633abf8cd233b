"""Uploads of exported models to the Hugging Face Hub."""

from importlib.util import find_spec
from pathlib import Path

from gan_cli.utils.errors import ConfigError, UserError


class HubError(UserError):
    """The hub cannot be reached, or refuses the upload."""

    status = 5


def check_login() -> None:
    """Raises ConfigError if huggingface_hub is missing or nobody is logged in."""
    if find_spec("huggingface_hub") is None:
        raise ConfigError("push: needs huggingface_hub; pip install huggingface_hub")
    from huggingface_hub import get_token

    if get_token() is None:
        raise ConfigError("push: nobody is logged in; type hf auth login, or set HF_TOKEN")


def push(folder: Path, repository: str, private: bool) -> str:
    """Uploads all files of `folder`; returns a line with the address.

    Raises HubError if that fails; the folder stays.
    """
    from huggingface_hub import HfApi

    hub = HfApi()
    try:
        hub.create_repo(repository, private=private, exist_ok=True)
        hub.upload_folder(repo_id=repository, folder_path=folder)
    except Exception as error:  # of the hub, or of the library for HTTP that it uses
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise HubError(
            f"push: {repository} was not uploaded ({reason}); the files are in {folder}, and "
            f"hf upload {repository} {folder} uploads them later"
        ) from error
    return f"pushed to {hub.endpoint}/{repository}"
