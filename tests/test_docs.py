"""The documentation: its commands, generated tables, links and notebooks."""

import ast
import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image

import gan_cli
from gan_cli.config.schedules import Schedule
from tests.helpers import SMALL
from tests.shown_commands import blocks, commands, error_of

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import docs_reference  # noqa: E402
import docs_words  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
COMMANDS = [command for page in PAGES for command in commands(page.name, page.read_text())]
TINY = (  # words that make a training one of a few seconds
    *SMALL[1:],
    "every.checkpoint=1",
    "steps=1",
    "model.networks.generator.width=8",
    "model.networks.discriminator.width=8",
)


# Commands


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
        for suffix in (".npz", ".zip", ".pt", ".safetensors"):
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
    main = import_module(f"gan_cli.{name.removeprefix('gan-')}").main
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
        ("gan-train loss=hinge,r3gan", "multirun"),
        ("gan-train -m seed=0,1 model.networks.generator.norm=batch,bath", "unknown value 'bath'"),
        ("gan-sample run=first sedes=3", "sedes: unknown key"),
        ("gan-sample run=first format=gif", "gif"),
        ("gan-sample run=first task=encode dataset=mnist dataset.spilt=test", "dataset.spilt"),
        ("gan-fid run=first featurs=random", "featurs: unknown key"),
        ("gan-fid run=first features=randon", "unknown features 'randon'"),
        ("gan-fid run=first dataset.spilt=test", "spilt"),
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


@pytest.mark.slow
def test_the_commands_of_extending_work(work):
    """One after the other, with the sizes of a test; RUN is the run with the same imports."""
    steps = [command for command in COMMANDS if command.page == "extending.md"]
    assert {step.name for step in steps} == {"gan-train", "gan-sample", "gan-fid"}
    small = ("steps=1", "batch_size=4", "every.checkpoint=1", "metrics.count=64", "device=cpu")
    runs: dict[str, str] = {}
    for number, step in enumerate(steps):
        if step.name == "gan-train":
            runs[step.words[0]] = f"extended-{number}"
            called(step.name, *step.words, *small, f"run=extended-{number}")
            continue
        words = [word.replace("RUN", runs.get(step.words[0], "tiny")) for word in step.words]
        count = [f"output=card-{number}.json", "count=64"] if step.name == "gan-fid" else []
        called(step.name, *words, *count, "device=cpu")


@pytest.mark.slow
def test_the_examples_of_the_python_api_work(tmp_path, monkeypatch, capsys):
    """One after the other, with narrow networks and one step."""
    monkeypatch.chdir(tmp_path)
    train, small = gan_cli.train, {"steps": 1, "device": "cpu"}
    monkeypatch.setattr(
        gan_cli, "train", lambda *words, **keys: train(*words, *TINY[-2:], **{**keys, **small})
    )
    page = (ROOT / "docs" / "python-api.md").read_text()
    examples = ["\n".join(lines) for language, _, lines in blocks(page) if language == "python"]
    for example in examples:
        exec(compile(example, "python-api.md", "exec"), {})
    assert "unknown key 'optimzer'; did you mean 'optimizer'?" in capsys.readouterr().out


# The architecture


def layers() -> list[set[str]]:
    """The packages of each line that docs/architecture.md shows, from top to bottom."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    shown = next(lines for _, _, lines in blocks(page) if lines[0] == "commands")
    return [set(line.split()) for line in shown]


def imported(file: Path) -> set[str]:
    """The packages of gan_cli that a module imports, anywhere in its code."""
    nodes = ast.walk(ast.parse(file.read_text()))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {module.split(".")[1] for module in modules if module.startswith("gan_cli.")}


def test_imports_point_downwards_as_the_page_says():
    height = {name: -i for i, line in enumerate(layers()) for name in line}
    code, upwards = ROOT / "gan_cli", set()
    assert set(height) == {
        p.stem for p in code.iterdir() if p.stem.isalpha() and p.stem != "configs"
    }
    for file in code.rglob("*.py"):
        package = file.relative_to(code).parts[0].removesuffix(".py")
        if package in height:
            wrong = {other for other in imported(file) if height[other] >= height[package]}
            upwards |= {(file.name, other) for other in wrong - {package}}
    assert upwards == {("stacked_mnist.py", "metrics")}


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
        (Literal["a", "b"], "one of: a, b"),
        (Schedule, "number or schedule"),
        (dict[str, Any], "mapping"),
    ],
)
def test_types_are_named_in_words(kind, name):
    assert docs_words.type_name(kind) == name


def test_comments_become_markdown():
    assert docs_words.prose("KL(P||Q); set a.b=c, not d (arXiv:1406.2661).") == (
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
    for cell in cells.cells:  # as many steps as it takes to run all cells
        cell.source = re.sub(r"\bsteps=\d+", "steps=20", cell.source)
    client(cells, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
