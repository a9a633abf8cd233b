"""Tab completion, as the shells ask for it and as they install it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}


def answers(line: str, shell: str = "bash") -> list[str]:
    """What a shell is told about a line that ends where the cursor is."""
    command = Path(line.split()[0]).name
    result = subprocess.run(
        [BIN / command, "-sc", f"query={shell}"],
        env={**ENVIRONMENT, "COMP_LINE": line, "COMP_POINT": str(len(line))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    return result.stdout.split()


D_MODELS = (
    "dann",
    "dann_alternating",
    "dcgan",
    "ddgan",
    "ddgan_mlp",
    "ddpm",
    "ddpm_mlp",
    "ddpm_sound",
)


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("gan-train model=d", [f"model={name}" for name in D_MODELS]),
        ("gan-train loss=hinge optimizer.l", ["optimizer.lr="]),
        ("gan-train model=sngan model.networks.generator.wi", ["model.networks.generator.width="]),
        ("gan-sample device=c", ["device=cpu", "device=cuda"]),
        ("gan-train 'run=a mo", []),  # a quote that is not closed yet
    ],
)
def test_a_line_is_completed(line, completed):
    assert answers(line) == completed


def test_each_shell_gets_its_own_form():
    assert answers("gan-fid device=c", "fish") == ["device=cpu", "device=cuda"]
    assert answers("gan-export device=c", "zsh") == ["device=cpu", "device=cuda"]


def scripts(shell: str) -> tuple[str, str]:
    """The line of the page that installs completion, and one that shows what the tab key gives."""
    if shell == "fish":
        return "gan-train -sc install=fish | source", 'complete -C "gan-train model=dc"'
    start = "autoload -Uz compinit bashcompinit && compinit -u && bashcompinit; "
    install = f'{start if shell == "zsh" else ""}eval "$(gan-train -sc install={shell})"'
    return (
        install,
        "complete -p gan-train" if shell == "bash" else "whence -w hydra_bash_completion",
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_documented_line_installs_completion(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    install, show = scripts(shell)
    flags = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    result = subprocess.run(
        [shell, *flags, "-c", f"{install}; {show}"],
        env={**ENVIRONMENT, "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    )
    shown = {"bash": "-F hydra_bash_completion gan-train", "zsh": "function", "fish": "model=dcgan"}
    assert shown[shell] in result.stdout


def test_bash_completes_what_is_typed():
    script = (
        'eval "$(gan-train -sc install=bash)"; COMP_LINE="gan-train model=dc"; COMP_POINT=18; '
        'COMP_CWORD=1; hydra_bash_completion; echo "${COMPREPLY[@]}"'
    )
    result = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["model=dcgan"]


@pytest.mark.parametrize("words", ["", "install", "install=tcsh", "install=bash zsh", "bash"])
def test_other_words_are_answered_with_the_line_to_type(words):
    result = subprocess.run(
        [BIN / "gan-sample", "-sc", *words.split()], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.endswith('type eval "$(gan-sample -sc install=bash)"')
