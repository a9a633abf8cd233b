"""The Dockerfile: linted, and complete for the build; images are not built here."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HADOLINT = Path(sys.executable).parent / "hadolint"


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their arguments."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [
        (word, " ".join(rest.split())) for word, _, rest in (x.partition(" ") for x in lines if x)
    ]


def arguments(name: str) -> list[str]:
    return [rest for word, rest in instructions() if word == name]


def is_sent(path: str) -> bool:
    """Whether a path of the repository is sent to the build, by the rules of .dockerignore."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        top = path.split("/")[0]
        if not line or line.startswith("#"):
            continue
        if pattern.startswith("**/"):
            matches = fnmatch(path.split("/")[-1], pattern.removeprefix("**/"))
        else:
            matches = fnmatch(top, pattern)
        sent = line.startswith("!") if matches else sent
    return sent


def test_hadolint_finds_nothing():
    if not HADOLINT.exists():
        pytest.skip("hadolint is not installed")
    result = subprocess.run([HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert result.stdout == ""
    assert result.returncode == 0


def test_the_base_and_the_build_of_pytorch_are_arguments():
    names = [word for word, _ in instructions()]
    assert names.index("ARG") < names.index("FROM")
    assert arguments("FROM") == ["${BASE}"]
    defaults = dict(argument.split("=", 1) for argument in arguments("ARG"))
    assert re.fullmatch(r"python:3\.1[1-9]-slim-\w+", defaults["BASE"])
    assert defaults["TORCH_INDEX"].endswith("/cpu")
    assert '--index-url "${TORCH_INDEX}"' in arguments("RUN")[0]


def test_versions_of_pytorch_are_those_of_the_package():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    words = shlex.split(arguments("RUN")[0])
    assert {word for word in words if word.startswith("torch")} <= set(wanted)


def test_everything_that_is_copied_exists_and_is_sent_to_the_build():
    sources = [path for copy in arguments("COPY") for path in copy.split()[:-1]]
    assert "gan_cli" in sources
    for path in sources:
        assert (ROOT / path).exists()
        assert is_sent(path)


def test_what_the_wheel_is_built_from_is_copied():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*build["packages"], *build["force-include"], *project["project"]["license-files"]]
    needed += [project["project"]["readme"], project["tool"]["hatch"]["version"]["path"]]
    copied = {path for copy in arguments("COPY") for path in copy.split()[:-1]}
    assert {path.split("/")[0] for path in needed} <= copied


@pytest.mark.parametrize(
    "path", [".git", ".venv", "outputs", "data", "tests", "gan_cli/__pycache__"]
)
def test_data_runs_and_the_history_stay_out_of_the_image(path):
    assert not is_sent(path)


def test_the_container_is_not_root_and_works_in_the_mounted_folder():
    assert arguments("USER") == ["1000:1000"]
    assert arguments("WORKDIR") == ["/work"]
    (caches,) = [rest for rest in arguments("ENV") if "XDG_CACHE_HOME" in rest]
    assert "XDG_CACHE_HOME=/work/.cache" in caches


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_the_first_run_needs_no_network(tmp_path):
    alone = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this machine does not allow a namespace without a network")
    words = ("steps=2", "device=cpu", "every.evaluate=0", "metrics=none", "score_scale=false")
    sizes = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
    command = [*alone, sys.executable, "-m", "gan_cli.train", "run=first", *words, *sizes]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "outputs/first/report.html").exists()
