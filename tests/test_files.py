"""Files are written completely or not at all, by one function, and errors are one line."""

import ast
import errno
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gan_cli.evaluation.card import read_card, spread
from gan_cli.report.records import Record
from gan_cli.utils import files
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.utils.files import (
    append_text,
    atomic_file,
    atomic_folder,
    check_writable,
    remove_leftovers,
    write_text,
)
from gan_cli.utils.strict_json import dumps, numbers, write_json

PACKAGE = Path(files.__file__).parents[1]
WRITERS = {  # functions and methods that write to a path or a file that they are given
    *("write_text", "write_bytes", "touch", "savez", "savez_compressed", "savefig", "imwrite"),
    *("mimwrite", "tofile", "to_csv", "save_image", "copyfile", "copy2", "move", "savetxt"),
}
HANDLES = {"file", "writer", "text", "data", "verified"}  # what the package calls open files
OWN = {"atomic_file", "append_text", "write_text", "write_json", "write_arrays", "write_npz"}


def names_in(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_new_file_and_a_replaced_one(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    assert write_text(path, "one\n\u00e9") == path
    assert path.read_bytes() == b"one\n\xc3\xa9"
    write_text(path, "two", durable=False)
    assert path.read_text() == "two"
    assert names_in(path.parent) == ["a.txt"]
    append_text(path, " and three")
    assert path.read_text() == "two and three"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file(error, tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    with pytest.raises((StorageError, KeyboardInterrupt)):  # noqa: PT012, SIM117
        with atomic_file(path) as file:
            file.write(b"half of the new")
            raise error
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


def leave_behind(folder: Path, kind: str) -> None:
    """What a process leaves that is killed while it writes to `folder`."""
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom gan_cli.utils import files\n"
        f"with files.{kind}(Path(sys.argv[1])) as opened:\n"
        "    if isinstance(opened, Path):\n"
        "        (opened / 'a.txt').write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL


def test_leftovers_of_killed_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "cleaned", set())
    leave_behind(tmp_path / "a.txt", "atomic_file")
    assert len(names_in(tmp_path)) == 1
    (tmp_path / ".mine.tmp").write_text("a file of somebody else")
    write_text(tmp_path / "b.txt", "b")
    assert names_in(tmp_path) == [".mine.tmp", "b.txt"]


def test_files_that_others_are_writing_are_no_leftovers(tmp_path):
    with atomic_file(tmp_path / "a.txt") as file:
        file.write(b"a")
        remove_leftovers(tmp_path)
        write_text(tmp_path / "b.txt", "b")
    assert (tmp_path / "a.txt").read_text() == "a"
    with atomic_folder(tmp_path / "c") as folder:
        (folder / "d").write_text("d")
        remove_leftovers(tmp_path / "c")
    assert names_in(tmp_path / "c") == ["d"]


def test_a_folder_has_all_of_its_files_or_none(tmp_path):
    output = tmp_path / "a" / "b"
    with pytest.raises(ZeroDivisionError), atomic_folder(output) as folder:  # noqa: PT012
        (folder / "one").write_text("1")
        assert [path.name for path in output.iterdir()] == [folder.name]
        1 / 0  # noqa: B018
    assert names_in(tmp_path) == []
    with atomic_folder(output) as folder:
        (folder / "one").write_text("1")
        (folder / "two").mkdir()
        (folder / "two" / "three").write_text("3")
    assert names_in(output) == ["one", "two"]
    leave_behind(tmp_path / "c", "atomic_folder")
    remove_leftovers(tmp_path / "c")
    assert names_in(tmp_path / "c") == []


def test_a_folder_that_was_half_moved_is_taken_back(tmp_path, monkeypatch):
    """Only what the killed process itself had moved is removed."""
    (tmp_path / "foreign").write_text("not ours")
    move = os.rename

    def killed(source, target, **keys):
        if Path(source).name == "b":
            raise SystemExit
        move(source, target, **keys)

    with monkeypatch.context() as patch:
        patch.setattr(files, "remove", lambda path: None)
        patch.setattr(Path, "rename", killed)
        with pytest.raises(SystemExit), atomic_folder(tmp_path) as folder:  # noqa: PT012
            for name in "abc":
                (folder / name).write_text(name)
    assert "a" in names_in(tmp_path)
    remove_leftovers(tmp_path)
    assert names_in(tmp_path) == ["foreign"]


def test_a_file_that_is_there_is_not_replaced_by_that_of_a_folder(tmp_path):
    (tmp_path / "b").write_text("not ours")
    with pytest.raises(StorageError, match="another program has written it"):  # noqa: PT012, SIM117
        with atomic_folder(tmp_path) as folder:
            (folder / "a").write_text("a")
            (folder / "b").write_text("b")
    assert names_in(tmp_path) == ["b"]
    assert (tmp_path / "b").read_text() == "not ours"


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (lambda root: write_text(root / "file" / "x" / "a", ""), "file is a file, not a folder"),
        (lambda root: write_text(root / ("n" * 300), ""), "take a shorter name|File name too long"),
        (lambda root: write_text(root / "folder", ""), "Is a directory"),
        (lambda root: check_writable(root / "file" / "x"), "is a file, not a folder; move it"),
        (lambda root: append_text(root / "folder", ""), "Is a directory"),
        (lambda root: atomic_folder(root / "file" / "x").__enter__(), "is a file, not a folder"),
    ],
)
def test_errors_are_one_line(action, told, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match=told) as error:
        action(tmp_path)
    assert str(error.value).startswith("cannot write ")
    assert "\n" not in str(error.value)
    assert error.value.status == 4
    assert names_in(tmp_path) == ["file", "folder"]


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def name_of(call: ast.Call) -> str:
    function = call.func
    return getattr(function, "attr", getattr(function, "id", ""))


def writes(call: ast.Call) -> bool:
    """Whether a call may write to a path by itself."""
    name, given = name_of(call), [*call.args, *(keyword.value for keyword in call.keywords)]
    handles = any(isinstance(arg, ast.Name) and arg.id in HANDLES for arg in given)
    is_method = isinstance(call.func, ast.Attribute)
    if name == "open":  # of Python, of a path, of a module such as wave
        modes = [arg.value for arg in given if isinstance(arg, ast.Constant)]
        return any(set("wax+") & set(str(mode)) for mode in modes) and not handles
    if name == "write_text" and not is_method:
        return False  # that of utils/files.py
    if name == "imwrite":  # to memory
        return not (isinstance(given[0], ast.Constant) and given[0].value == "<bytes>")
    if name in WRITERS or (name == "save" and is_method and value_name(call) in LIBRARIES):
        return not handles
    if name in ("dump", "replace", "rename") and is_method:
        return (name != "replace" or (len(given) == 1 and not call.keywords)) and not handles
    return False


LIBRARIES = {"torch", "np", "numpy", "image", "picture", "first", "sheet", "Image"}


def value_name(call: ast.Call) -> str:
    value = call.func.value if isinstance(call.func, ast.Attribute) else None
    return getattr(value, "id", "Image" if isinstance(value, ast.Call) else "")


EXCEPTIONS = {
    "utils/files.py": "the one place",
    "utils/side_files.py": "moves damaged files aside",
    "data/files/download.py": "moves finished downloads into place",
    "forecast/trial.py": "counts the bytes of a checkpoint",
}


def test_nothing_but_one_module_writes_files():
    found = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}: {ast.unparse(call)[:70]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if str(path.relative_to(PACKAGE)) not in EXCEPTIONS
        for call in calls(ast.parse(path.read_text()))
        if writes(call)
    ]
    assert not found, "use gan_cli.utils.files:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "open(path, 'w')", "open(path, mode='ab')", "path.open('w')", "path.write_text('x')",
        "path.write_bytes(b'x')", "np.save(path, x)", "np.savez(path, x=x)", "torch.save(x, path)",
        "Image.fromarray(x).save(path)", "plt.savefig(path)", "json.dump(x, f)", "path.touch()",
        "temporary.replace(path)", "os.rename(a, b)", "shutil.copyfile(a, b)", "iio.imwrite(p, x)",
        "wave.open(str(path), 'wb')",
    ],
)  # fmt: skip
def test_the_search_for_writing_calls_finds_them(code):
    assert any(writes(call) for call in calls(ast.parse(code)))


def test_the_search_for_writing_calls_leaves_others():
    for code in ("open(path)", "open(path, 'rb')", "'a'.replace('b', 'c')", "replace(x, y=1)",
                 "np.savez(file, x=x)", "image.save(file, 'png')", "f.open()"):  # fmt: skip
        assert not any(writes(call) for call in calls(ast.parse(code)))


def test_json_is_strict_and_reads_back(tmp_path):
    values = {"a": math.inf, "b": [-math.inf, 1.5, None, True], "c": {"d": math.nan, "e": "text"}}
    text = dumps(values)
    found = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert found == {"a": "Infinity", "b": ["-Infinity", 1.5, None, True], "c": {"d": "NaN", "e": "text"}}  # noqa: E501  # fmt: skip
    back = numbers(found)
    assert (back["a"], back["b"]) == (math.inf, [-math.inf, 1.5, None, True])
    assert math.isnan(back["c"]["d"])
    assert numbers(json.loads('{"old": [Infinity, -Infinity, 2]}')) == {
        "old": [math.inf, -math.inf, 2]
    }
    assert (
        write_json(tmp_path / "a.json", {"path": Path("x")}).read_text() == '{\n  "path": "x"\n}\n'
    )


CARD = {"card": 1, "lower_is_better": {}, "metrics": {}, "protocol": {}, "subject": {}}


@pytest.mark.parametrize("written", ['"Infinity"', "Infinity"])
def test_cards_with_infinite_values_are_read(written, tmp_path):
    rest = json.dumps(CARD)[1:]
    (tmp_path / "a.json").write_text(f'{{"values": {{"kl": {written}, "fd": 1.5}}, {rest}')
    assert read_card(tmp_path / "a.json")["values"] == {"kl": math.inf, "fd": 1.5}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "\xff", json.dumps(CARD), json.dumps({**CARD, "values": {"fd": "good"}}),
     json.dumps({**CARD, "values": [1]}), "[" * 100_000],
)  # fmt: skip
def test_damaged_cards_are_refused_in_one_line(text, tmp_path):
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"a\.json: is ") as error:
        read_card(tmp_path / "a.json")
    assert "\n" not in str(error.value)


def test_records_of_runs_have_their_infinite_values(tmp_path):
    (tmp_path / "run.json").write_text(
        '{"best": {"kl": ["Infinity", 3]}, "last": {"kl": [Infinity, 4]},'
        ' "config": {"name": "Infinity"}}'
    )
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "kl": "Infinity"}\n{"step": 2, "kl": NaN}')
    record = Record.read(tmp_path)
    assert record.card["best"] == {"kl": [math.inf, 3]}
    assert record.card["last"] == {"kl": [math.inf, 4]}
    assert record.card["config"] == {"name": "Infinity"}
    (first, second) = record.series["kl"]
    assert first == (1, math.inf)
    assert math.isnan(second[1])


def test_the_spread_of_infinite_values_is_unknown():
    assert math.isnan(spread([math.inf, math.inf]))
    assert spread([1.0, 3.0]) == pytest.approx(2**0.5)


def test_a_download_that_was_killed_is_removed_by_the_next(tmp_path, monkeypatch):
    import torchvision

    from gan_cli.data.files.download import fetch

    class Photos:
        def __init__(self, root: Path, download: bool) -> None:
            if download:
                (Path(root) / "photos").mkdir()
                (Path(root) / "photos" / "a").write_text("a")
            elif not (Path(root) / "photos").exists():
                raise RuntimeError("not found")

    monkeypatch.setattr(torchvision.datasets, "Photos", Photos, raising=False)
    leave_behind(tmp_path, "temporary_folder")
    assert len(names_in(tmp_path)) == 1
    fetch("Photos", str(tmp_path))
    assert names_in(tmp_path) == ["photos"]
