"""The documentation: its commands, generated tables, links and notebooks."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from gan_cli import fid, sample, train
from gan_cli.config.command_line import hydra_arguments, is_override
from gan_cli.config.schema import Metrics
from gan_cli.data.sets import datasets
from gan_cli.evaluation import options as evaluation
from gan_cli.sampling import options as sampling
from gan_cli.utils.errors import ConfigError, UserError
from gan_cli.utils.paths import CONFIGS
from gan_cli.validation.validate import import_modules, validate
from tests.helpers import SMALL

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import docs_reference  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
FENCE = re.compile(r"^ *```(\w*) *$")
FILES = {  # keys that name files, and what is named instead, with the suffix that was typed
    **dict.fromkeys(("input", "real", "fake"), "photos"),
    **dict.fromkeys(("save", "output"), "new"),
    "checkpoint": "photos.pt",
}
TINY = (  # words that make a training one of a few seconds
    *SMALL[1:],
    "every.checkpoint=1",
    "steps=1",
    "model.networks.generator.width=8",
    "model.networks.discriminator.width=8",
)
PLUGINS = ("hydra/launcher", "hydra/sweeper", "hydra.launcher.", "hydra.sweeper.")


# Commands


@dataclass(frozen=True)
class Command:
    """A command of a page, with what is needed to find it there."""

    page: str
    line: int
    words: tuple[str, ...]  # without the name of the command
    name: str  # gan-train, gan-sample or gan-fid

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(text: str) -> Iterator[tuple[str, int, list[str]]]:
    """(language, number of the first line, lines) of each fenced block."""
    language, start, lines = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if fence and language is None:
            language, start, lines = fence[1], number + 1, []
        elif fence and language is not None:
            yield language, start, lines
            language = None
        else:
            lines.append(line)


def commands(page: str, text: str) -> Iterator[Command]:
    """The gan-* commands of the blocks marked sh; a backslash continues a line."""
    for language, start, lines in blocks(text):
        begun, first = "", 0
        for number, line in enumerate(lines if language == "sh" else (), start):
            begun, first = begun + line, first if begun else number
            if begun.endswith("\\"):
                begun = begun[:-1]
                continue
            name, *words = shlex.split(begun, comments=True) or [""]
            if name in CHECKS:
                yield Command(page, first, tuple(words), name)
            begun = ""


def error_of(command: Command) -> str | None:
    """What is wrong with a command, with its page and line."""
    try:
        CHECKS[command.name](command.words)
    except (UserError, HydraException) as error:
        return f"{command}: {error}"
    return None


def check_train(words: tuple[str, ...]) -> None:
    """Every value of a sweep once: all combinations would repeat the same checks."""
    flags = [word for word in words if not is_override(word)]
    for job in jobs([substituted(word) for word in words if is_override(word)]):
        validate(requested("train", ["run=test", *flags, *job]), lambda run: Path("outputs") / run)


def requested(command: str, words: list[str]) -> DictConfig:
    """The config that Hydra composes for a command line."""
    overrides = [word for word in hydra_arguments(words) if is_override(word)]
    for flag, folder in pairwise(words):
        if flag == "--config-dir":
            overrides.append(f"hydra.searchpath=[file://{Path(folder).resolve()}]")
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose(command, overrides)
    OmegaConf.set_struct(config, False)
    config.pop("hydra", None)
    return config


def jobs(words: list[str]) -> Iterator[list[str]]:
    """The first job of a sweep, and one for each other value."""
    choices = [values(word) for word in words if not word.startswith(PLUGINS)]
    first = [found[0] for found in choices]
    yield first
    for place, found in enumerate(choices):
        for value in found[1:]:
            yield [*first[:place], value, *first[place + 1 :]]


def values(word: str) -> list[str]:
    override = OverridesParser.create().parse_override(word)
    if not override.is_sweep_override():
        return [word]
    if isinstance(override.value(), IntervalSweep):
        return [f"{override.get_key_element()}={override.value().start}"]
    return [f"{override.get_key_element()}={v}" for v in override.sweep_string_iterator()]


def substituted(word: str) -> str:
    """The word with a run that exists in place of the one that it borrows networks from."""
    return re.sub(r"^(\+*model\.pretrained\.\w+)=.*", r"\1=tiny", word)


def check_sample(words: tuple[str, ...]) -> None:
    tree = plain(requested("sample", [sample.as_list(with_files(word)) for word in words]))
    check_dataset(sampling.checked_options(tree).dataset)


def check_fid(words: tuple[str, ...]) -> None:
    if words[0] == "compare":
        assert len(words) > 1
        return
    tree = plain(requested("fid", [fid.full(with_files(word)) for word in words]))
    check_dataset(evaluation.checked_options(tree).dataset)
    faults: list[str] = []
    Metrics.from_config({**tree["metrics"], "count": 1000}, "metrics", faults)
    if faults:
        raise ConfigError(*faults)


def plain(config: DictConfig) -> Any:
    import_modules(config.imports)
    return OmegaConf.to_container(config, resolve=True)


def with_files(word: str) -> str:
    """The word with a file that is there in place of one to read, and a new one to write."""
    key, _, value = word.partition("=")
    if key not in FILES:
        return word
    file = Path(FILES[key])
    return f"{key}={file.with_suffix(Path(value).suffix or file.suffix)}"


def check_dataset(node: dict[str, Any] | None) -> None:
    if node is not None and "name" in node:
        datasets.check(node, "dataset")


CHECKS: dict[str, Callable[[tuple[str, ...]], None]] = {
    "gan-train": check_train,
    "gan-sample": check_sample,
    "gan-fid": check_fid,
}
COMMANDS = [command for page in PAGES for command in commands(page.name, page.read_text())]


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Iterator[Path]:
    """A folder with photos, a small run and the files that the pages show, as working folder."""
    folder, before = tmp_path_factory.mktemp("work"), Path.cwd()
    entries = [(registry, dict(registry.entries)) for registry in docs_reference.registries()]
    modules, path = set(sys.modules), list(sys.path)
    os.chdir(folder)
    try:
        write_shown_files()
        (folder / "photos").mkdir()
        Image.new("RGB", (8, 8)).save(folder / "photos" / "0.png")
        for suffix in (".npz", ".zip", ".pt"):
            Path("photos").with_suffix(suffix).touch()
        called("gan-train", "run=tiny", *TINY)
        yield folder
    finally:
        os.chdir(before)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
        for registry, known in entries:
            registry.entries.clear()
            registry.entries.update(known)


def write_shown_files() -> None:
    """The blocks of the pages whose first line is a comment with the name of their file."""
    for page in PAGES:
        for language, _, lines in blocks(page.read_text()):
            name = re.match(r"# ([\w/]+\.(?:py|yaml))$", lines[0] if lines else "")
            if name and language in ("python", "yaml"):
                Path(name[1]).parent.mkdir(parents=True, exist_ok=True)
                Path(name[1]).write_text("\n".join(lines) + "\n")


def called(name: str, *words: str) -> None:
    """A command in this process, up to its end; SystemExit if it fails."""
    main = {"gan-train": train.main, "gan-sample": sample.main, "gan-fid": fid.main}[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *words])
        main()


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_commands_are_valid(command, work):
    assert error_of(command) is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("gan-train loss=hinge stepz=3", "stepz: unknown key"),
        ("gan-train -m loss=hinge,r3gan \\\n  every.loq=1  # comment", "every.loq: unknown key"),
        ("gan-train -m loss=hinge,r3gam", "unknown loss 'r3gam'"),
        ("gan-train -m seed=0,1 model.networks.generator.norm=batch,bath", "unknown value 'bath'"),
        ("gan-sample run=first sedes=3", "sedes: unknown key"),
        ("gan-sample run=first format=gif", "gif"),
        ("gan-sample run=first task=encode dataset=mnist dataset.spilt=test", "dataset.spilt"),
        ("gan-fid run=first featurs=random", "featurs: unknown key"),
    ],
)
def test_a_wrong_command_is_reported_with_its_place(line, told, work):
    (command,) = commands("page.md", f"# Page\n\n```sh\n{line}\n```\n")
    error = error_of(command)
    assert error is not None
    assert error.startswith("page.md:4: ")
    assert told in error


def test_blocks_of_other_languages_and_other_commands_are_left_out():
    text = (
        "```console\ngan-train x=1\n```\n```sh\nmake demo\n# gan-train\ngan-train a=1 # b=2\n```\n"
    )
    (command,) = commands("page.md", text)
    assert (command.line, command.words) == (7, ("a=1",))


def test_the_first_steps_of_the_readme_work(work):
    """With the sizes of a test; the order and all else are the README's."""
    steps = [c for c in COMMANDS if c.page == "README.md" and "run=first" in c.words]
    assert [c.name for c in steps] == [*["gan-train"] * 3, *["gan-sample"] * 2, "gan-fid"]
    small = {
        "gan-train": TINY,
        "gan-sample": ["device=cpu"],
        "gan-fid": ["device=cpu", "count=32"],
    }
    for command in steps:
        words = ["steps=2" if word.startswith("steps=") else word for word in command.words]
        called(command.name, *small[command.name], *words)
    assert len(list(Path("outputs/first/generated").iterdir())) == 2
    assert list(Path("outputs/first/cards").glob("*.json"))


# Generated pages


def test_generated_pages_are_up_to_date():
    stale = [str(file.relative_to(ROOT)) for file in docs_reference.stale()]
    assert not stale, "run make reference"


def test_every_key_has_a_meaning():
    docs_reference.documents()
    assert not docs_reference.unexplained


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (int, "whole number"),
        (float | None, "number or null"),
        (tuple[str, ...], "list of text"),
        (tuple[float, float], "list of 2: number"),
        (docs_reference.Literal["a", "b"], "one of: a, b"),
        (docs_reference.Schedule, "number or schedule"),
        (dict[str, Any], "mapping"),
    ],
)
def test_types_are_named_in_words(kind, name):
    assert docs_reference.type_name(kind) == name


def test_comments_become_markdown():
    assert docs_reference.prose("KL(P||Q); set a.b=c, not d (arXiv:1406.2661).") == (
        r"KL(P\|\|Q); set `a.b=c`, not d ([arXiv:1406.2661](https://arxiv.org/abs/1406.2661))."
    )


# Links and notebooks


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda page: page.name)
def test_links_outside_of_the_docs_lead_somewhere(page):
    """MkDocs checks the links between the pages of docs/."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text)
    for target in targets:
        file, _, anchor = target.partition("#")
        found = (page.parent / file) if file else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found.read_text()), target


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.slow
@pytest.mark.skipif(not NOTEBOOKS, reason="there are no notebooks")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_notebooks_run(notebook, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient").NotebookClient
    cells = nbformat.read(notebook, as_version=4)
    client(cells, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
