"""Tab completion: what follows ``-sc``."""

import os

from gan_cli.config.flags import Words
from gan_cli.config.quoting import shown

SHELLS = ("bash", "zsh", "fish")
ACTIONS = ("install", "uninstall", "query")


def completion_errors(line: Words, config_name: str) -> list[str]:
    """The error of a command line with ``--shell-completion``, [] if there is none."""
    pairs = [word.partition("=")[::2] for word in line.others]
    if len(pairs) == 1 and pairs[0][0] in ACTIONS and pairs[0][1] in SHELLS:
        if pairs[0][0] == "query" and "COMP_LINE" not in os.environ:
            return ["-sc: query is for shells, which set COMP_LINE; type install=bash"]
        return []
    given = " ".join(line.others) or "nothing"
    install = f"""eval "$(gan-{config_name} -sc install=bash)\""""
    return [f"-sc: is followed by install=bash, zsh or fish, got {shown(given)}; type {install}"]


def is_query(line: Words) -> bool:
    """Whether a shell asks how the line in COMP_LINE can go on."""
    first = next(iter(line.others), "")
    return line.has("--shell-completion") and first.startswith("query=")
