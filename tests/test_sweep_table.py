"""The table of a sweep for a paper: folding, the best values, the protocol and the formats."""

import csv
import json
import re
import statistics
import sys
from io import StringIO

import pytest

from gan_cli import fid
from gan_cli.config.arguments import hydra_arguments
from gan_cli.report.sweep_report import write_sweep_report
from gan_cli.report.table import sweep_table
from gan_cli.report.table_formats import csv_text, escaped, latex, markdown, tex
from gan_cli.utils.errors import ConfigError
from tests.test_report import make_run

VALUES = {"hinge": (4.0, 6.0, 5.5), "lsgan": (1.0, 3.0), "a|b_1%": (2.5,)}


def card(lower=True, count=2000, **options):
    return {
        "card": 1,
        "values": {},
        "lower_is_better": {"fid": lower, "recall": False},
        "metrics": {"fd": {"name": "fd"}, "kd": {"name": "kd", "subsets": 7, **options}},
        "protocol": {"features": {"name": "inception"}, "fake": {"count": count}},
    }


def make_sweep(folder, cards=None, lower=True):
    number = 0
    for loss, values in VALUES.items():
        for seed, value in enumerate(values):
            words = [f"loss={loss}", f"++seed={seed}"]
            run = make_run(
                folder / f"job-{number}",
                value,
                seed=seed,
                job={"job": number, "overrides": words, "constant": []},
                config={"loss": loss, "seed": seed},
                best={"fid": [value, 100], "recall": [1 - value / 10, 100]},
                last={"fid": [value + 1, 100], "recall": [1 - value / 10, 100]},
                objective={"name": "fid", "lower_is_better": lower, "value": value, "step": 1},
            )
            (run / "cards").mkdir()
            written = cards(loss) if cards else card(lower)
            (run / "cards/last.json").write_text(json.dumps(written))
            number += 1
    return folder


def table_words(monkeypatch, capsys, *words):
    """(exit status, stdout, stderr) of gan-fid table."""
    monkeypatch.setattr(sys, "argv", ["gan-fid", "table", *map(str, words)])
    monkeypatch.setattr(fid, "exit_with_pipe", lambda: None)
    try:
        fid.main()
        status = 0
    except SystemExit as end:
        status = end.code
    return (status, *capsys.readouterr())


def test_seeds_are_folded_to_mean_deviation_and_number(tmp_path):
    table = sweep_table(make_sweep(tmp_path))
    rows = {row.settings["loss"]: row for row in table.rows}
    assert list(rows) == ["lsgan", "a|b_1%", "hinge"]  # the best mean first
    for loss, values in VALUES.items():
        found = rows[loss].values["best fid"]
        assert rows[loss].seeds == len(values)
        assert found.mean == pytest.approx(statistics.mean(values))
        if len(values) > 1:
            assert found.deviation == pytest.approx(statistics.stdev(values))


def test_the_last_values_can_be_asked_for(tmp_path):
    table = sweep_table(make_sweep(tmp_path), "last")
    assert [column.name for column in table.columns] == ["last fid", "last recall"]
    assert table.rows[0].values["last fid"].values == (2.0, 4.0)


@pytest.mark.parametrize(("lower", "best"), [(True, "lsgan"), (False, "hinge")])
def test_the_best_mean_is_bold_by_the_direction_of_its_metric(lower, best, tmp_path):
    table = sweep_table(make_sweep(tmp_path, lower=lower))
    bold = {
        column.name: [row.settings["loss"] for row in table.rows if table.is_best(row, column)]
        for column in table.columns
    }
    assert bold == {"best fid": [best], "best recall": ["lsgan"]}  # 1 - fid / 10, higher is better
    lines = markdown(table).splitlines()
    assert ("**" in next(line for line in lines if best in line)) is True
    arrows = "\u2193" if lower else "\u2191"
    assert f"best fid {arrows}" in lines[0]
    assert r"\mathbf" in next(line for line in latex(table).splitlines() if line.startswith(best))


def test_a_row_of_latex_has_numbers_in_math_and_text_without_markup(tmp_path):
    lines = latex(sweep_table(make_sweep(tmp_path))).splitlines()
    assert lines[0].startswith("% needs \\usepackage{booktabs}")
    assert any(line == "% features.name: inception" for line in lines)
    row = next(line for line in lines if line.startswith("lsgan"))
    assert row == r"lsgan & 2 & $\mathbf{2.0 \pm 1.4}$ & $\mathbf{0.80 \pm 0.14}$ \\"
    assert any(line.startswith(r"a|b\_1\% & 1 &") for line in lines)
    widths = {line.count(" & ") for line in lines if line.endswith(r"\\")}
    assert widths == {3}


def test_a_table_of_markdown_has_equal_rows_and_the_protocol(tmp_path):
    text = markdown(sweep_table(make_sweep(tmp_path)))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {6}
    assert r"| a\|b_1% | 1 |" in text
    assert "- `fake.count`: 2000" in text
    assert "- `metrics.kd.subsets`: 7" in text


def test_a_csv_has_all_digits(tmp_path):
    (row, *_) = csv.DictReader(StringIO(csv_text(sweep_table(make_sweep(tmp_path)))))
    assert row["loss"] == "lsgan"
    assert float(row["best fid deviation"]) == statistics.stdev(VALUES["lsgan"])
    assert (row["best fid n"], row["n"], row["protocol fake.count"]) == ("2", "2", "2000")


def test_a_sweep_writes_its_tables_beside_its_index(tmp_path):
    sweep = make_sweep(tmp_path)
    write_sweep_report(sweep)
    table = sweep_table(sweep)
    assert (sweep / "table.md").read_text() == markdown(table)
    assert (sweep / "table.tex").read_text() == latex(table)
    assert (sweep / "table.csv").read_bytes().decode() == csv_text(table)


def test_unfinished_jobs_do_not_count(tmp_path):
    sweep = make_sweep(tmp_path)
    run = json.loads((sweep / "job-0/run.json").read_text())
    (sweep / "job-0/run.json").write_text(json.dumps({**run, "status": "running"}))
    row = next(r for r in sweep_table(sweep).rows if r.settings["loss"] == "hinge")
    assert (row.seeds, row.values["best fid"].values) == (2, (6.0, 5.5))


def test_other_numbers_of_seeds_are_said_in_the_cell(tmp_path):
    sweep = make_sweep(tmp_path)
    run = json.loads((sweep / "job-0/run.json").read_text())
    run["best"]["recall"] = ["NaN", 100]
    (sweep / "job-0/run.json").write_text(json.dumps(run))
    assert re.search(
        r"\| hinge \| 3 \| 5.2 ± 1.0 \| [\d.]+ ± [\d.]+ \(n = 2\) \|", markdown(sweep_table(sweep))
    )


DIFFERENT = {
    "count": lambda loss: card(count=100 if loss == "hinge" else 2000),
    "options": lambda loss: card(seed=len(loss)),
}


@pytest.mark.parametrize(("kind", "key"), [("count", "fake.count"), ("options", "metrics.kd.seed")])
def test_values_of_different_protocols_are_not_compared(kind, key, tmp_path, monkeypatch, capsys):
    sweep = make_sweep(tmp_path, DIFFERENT[kind])
    status, out, err = table_words(monkeypatch, capsys, sweep)
    assert (status, out) == (2, "")
    assert f"table: {key} differs: " in err
    write_sweep_report(sweep)
    text = (sweep / "table.md").read_text()
    assert "not comparable" in text
    assert "**2.0" not in text
    assert r"\mathbf" not in (sweep / "table.tex").read_text()
    assert f"% {key}: " in (sweep / "table.tex").read_text()


def test_the_command_prints_or_writes_a_table(tmp_path, monkeypatch, capsys):
    sweep = make_sweep(tmp_path / "sweep")
    table = sweep_table(sweep)
    assert table_words(monkeypatch, capsys, sweep) == (0, markdown(table), "")
    assert table_words(monkeypatch, capsys, sweep, "format=latex") == (0, latex(table), "")
    file = tmp_path / "new/table.tex"
    assert table_words(monkeypatch, capsys, sweep, f"output={file}")[0] == 0
    assert file.read_text() == latex(table)
    status, _, err = table_words(monkeypatch, capsys, sweep, f"output={file}", "format=csv")
    assert (status, "already exists" in err) == (2, True)
    assert file.read_text() == latex(table)
    assert table_words(monkeypatch, capsys, "--help")[0] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "table: type gan-fid table SWEEP"),
        ([""], "table: type gan-fid table SWEEP"),
        (["SWEEP", "SWEEP"], "table: type gan-fid table SWEEP"),
        (["nowhere"], "table: nowhere is no folder"),
        (["x" * 300], "File name too long"),
        (["EMPTY"], "holds no jobs of gan-train -m"),
        (["BARE"], "no finished job in"),
        (["SWEEP", "fromat=csv"], "fromat: unknown key 'fromat'; did you mean 'format'?"),
        (["SWEEP", "format=word"], "format: unknown value 'word'; Known: csv, latex, markdown"),
        (["SWEEP", "when=first"], "when: unknown value 'first'; Known: best, last"),
        (["SWEEP", "output=table.doc"], "output: the name of a table ends with one of .md"),
    ],
)
def test_wrong_words_are_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_sweep(tmp_path / "SWEEP")
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "BARE/0").mkdir(parents=True)
    (tmp_path / "BARE/0/job.json").write_text('{"job": 0, "overrides": []}')
    status, out, err = table_words(monkeypatch, capsys, *words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert told in err


@pytest.mark.parametrize("words", [["tabel", "losses"], ["format=csv", "table", "losses"]])
def test_a_misspelt_or_late_table_is_proposed(words):
    with pytest.raises(ConfigError, match=r"did you mean gan-fid table losses\?"):
        hydra_arguments(words, "fid")


def test_what_is_markup_is_escaped():
    assert escaped("a|b*c<d>`e`\nf") == r"a\|b\*c\<d\>\`e\` f"
    assert tex("a_b & 5% #1 {x} ~^\\") == (
        r"a\_b \& 5\% \#1 \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
