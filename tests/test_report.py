"""The reports of runs and sweeps, from folders as runs leave them."""

import csv
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan_cli.report import pictures_section, records, run_report
from gan_cli.report.axes import Axis
from gan_cli.report.callback import is_outdated
from gan_cli.report.charts import BUCKETS, Curve, chart, finite_runs, thin_out
from gan_cli.report.html import packaged, tag
from gan_cli.report.jobs import SeedStatistics
from gan_cli.report.panels import placement
from gan_cli.report.pictures_section import evenly_spaced
from gan_cli.report.records import read_series
from gan_cli.report.run_report import write_report
from gan_cli.report.settings_section import yaml_lines
from gan_cli.report.sweep_report import write_sweep_report
from gan_cli.report.words import compact, duration, number
from gan_cli.training import session
from tests.helpers import small

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"
FINDING = {
    "name": "generator_collapsed",
    "step": 40,
    "last": 90,
    "text": f"few outputs {HOSTILE}",
    "numbers": {"diversity": 0.125},
    "advice": ["loss=r3gan", HOSTILE],
    "active": True,
}


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, and the text outside of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert not self.open, "unclosed elements"

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in ("meta", "img", "input", "br"):
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def all(self, name):
        return [attributes for kind, attributes in self.elements if kind == name]


def picture(path: Path, size=(64, 64), seed=0, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
    noise = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    Image.fromarray(noise).save(path)


def make_run(folder: Path, value=2.5, status="finished", seed=0, job=None, **card) -> Path:
    folder.mkdir(parents=True)
    rows = [
        {"step": 50, "time": 1.0, "generator/adversarial": 1.5, "images_per_second": 90.0},
        {"step": 100, "time": 2.0, "generator/adversarial": math.nan, "images_per_second": 110.0},
        {"step": 100, "time": 3.0, "fid": value},
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    facts = {
        "command": ["gan-train", "run=x", "steps=100", "dataset=mnist"],
        "config": {"steps": 100, "dataset": {"name": "mnist", "root": "/data"}},
        "parameters": {"generator": 3000, "discriminator": 2000},
        "data": {"kind": "image", "shape": [1, 32, 32]},
        "status": status,
        "seed": seed,
        "started": 1000.0,
        "ended": 1090.0,
        "step": 100,
        "images": 3200,
        "last": {"fid": [value + 1, 100]},
        "best": {"fid": [value, 100]},
        "objective": {"name": "fid", "lower_is_better": True, "value": value, "step": 100},
        "findings": [],
        "health": {"state": "fine", "text": "no findings up to step 100"},
    }
    (folder / "run.json").write_text(json.dumps({**facts, **card}))
    for step in (50, 100):
        picture(folder / "samples" / f"samples-{step:07d}.png", seed=step)
    if job is not None:
        (folder / "job.json").write_text(json.dumps(job))
    return folder


def report_of(folder: Path) -> Page:
    return Page(write_report(folder).read_text())


def check_self_contained(page: Page) -> None:
    for _, attributes in page.elements:
        assert not any(key.startswith("on") for key in attributes)
        for key in ("src", "href"):
            link = attributes.get(key) or ""
            assert link.startswith("data:image/") or re.fullmatch(r"[\w%./-]*", link), link[:40]
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert not page.all("link")
    assert any("default-src 'none'" in (meta.get("content") or "") for meta in page.all("meta"))


def test_a_report_tells_what_the_run_came_to(tmp_path):
    page = report_of(make_run(tmp_path / "mine"))
    check_self_contained(page)
    for words in ("mine", "finished", "2.5", "last 3.5 at 100", "1 min 30 s", "3k generator"):
        assert words in page.text
    assert "Fine: no findings up to step 100" in page.text
    assert "gan-train run=x steps=100 dataset=mnist" in page.text
    assert "steps: 100" in page.text
    assert len(page.all("img")) == 2  # one a frame
    assert [svg["role"] for svg in page.all("svg")] == ["img"] * 3
    assert all(image["alt"] for image in page.all("img"))


def test_findings_stand_with_their_numbers_and_advice(tmp_path):
    page = report_of(make_run(tmp_path / "run", findings=[FINDING]))
    for words in ("generator collapsed", "from step 40 to the end", "0.125", "loss=r3gan"):
        assert words in page.text


GREEN = re.compile(r'class="good"[^>]*>(Fine|No findings)')


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({"state": "fine", "text": "no findings"}, "Fine: no findings"),
        ({"state": "too_early", "text": "alike until 1,000"}, "Too early to judge: alike until"),
        ({"state": "off", "text": "health=false"}, "Not monitored: health=false"),
        ({"state": "finding", "text": "diverged"}, "Active: diverged"),
        ({}, "There is no verdict on this run."),
    ],
)
def test_only_a_run_that_was_judged_is_green(health, words, tmp_path):
    html = write_report(make_run(tmp_path / "run", health=health)).read_text()
    assert words in Page(html).text
    assert bool(GREEN.search(html)) == (health.get("state") == "fine")


def test_a_failed_run_tells_why(tmp_path):
    page = report_of(make_run(tmp_path / "run", status="step 3: generator/adversarial is nan"))
    assert "failed" in page.text
    assert "step 3: generator/adversarial is nan" in page.text


def test_what_a_run_holds_cannot_become_markup(tmp_path):
    """Names, settings, findings, metric names and cards are text, whatever they contain."""
    folder = make_run(
        tmp_path / HOSTILE.replace("/", "-"),
        status=HOSTILE,
        findings=[FINDING],
        config={HOSTILE: {HOSTILE: HOSTILE}},
        command=["gan-train", f"{HOSTILE}={HOSTILE}"],
        versions={HOSTILE: HOSTILE},
    )
    with open(folder / "metrics.jsonl", "a") as file:
        file.write(json.dumps({"step": 100, HOSTILE: 1.0, f"health/{HOSTILE}": 2.0}) + "\n")
    (folder / "cards").mkdir()
    (folder / "cards" / "fid.json").write_text(json.dumps({"values": {HOSTILE: 1.0}}))
    page = report_of(folder)
    check_self_contained(page)
    assert len(page.all("img")) == 2
    assert page.text.count(HOSTILE) >= 5


def test_metric_cards_are_shown_whole(tmp_path):
    folder = make_run(tmp_path / "run")
    card = {"card": 1, "values": {"fid": 12.25}, "protocol": {"real": {"count": 10000}}}
    (folder / "cards").mkdir()
    (folder / "cards" / "fid-best.json").write_text(json.dumps(card))
    text = report_of(folder).text
    assert all(word in text for word in ("fid-best", "12.25", "protocol", "real", "10000"))


def test_an_empty_folder_and_a_broken_picture_have_a_report_too(tmp_path):
    assert "not started" in report_of(tmp_path).text
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "samples-0000001.png").write_bytes(b"\x89PNG cut short")
    assert "samples-0000001.png cannot be read" in report_of(tmp_path).text


def test_large_grids_stay_within_the_budget(tmp_path):
    """Noise is the worst case of every codec."""
    folder = make_run(tmp_path / "run")
    for step in (100, 150, 200):
        picture(folder / "samples" / f"samples-{step:07d}.png", (900, 900), step, "RGBA")
    for step in range(300, 350):
        shutil.copy(folder / "samples/samples-0000200.png", folder / f"samples/samples-{step}.png")
    page = report_of(folder)
    assert (folder / "report.html").stat().st_size < 3e6
    steps = [image["alt"].split()[-1] for image in page.all("img")]
    assert len(steps) == 12
    assert (steps[0], steps[-1]) == ("50", "349")


def test_series_are_read_as_far_as_they_go(tmp_path):
    """Infinity and NaN are values; a step played again counts once; a half line is none."""
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"step": 2, "a": 1.0}\n{"step": 1, "a": NaN, "note": "x"}\n{"step": 2, "a": 3}\n{"st'
    )
    series = read_series(path)
    assert list(series) == ["a"]
    assert [step for step, _ in series["a"]] == [1, 2]
    assert math.isnan(series["a"][0][1])
    assert series["a"][1][1] == 3
    assert read_series(tmp_path / "none") == {}


def test_a_position_is_linear_or_logarithmic():
    assert Axis(10, 30).position(15) == 0.25
    assert Axis(0.01, 100, log=True).position(1) == pytest.approx(0.5)
    assert Axis.around([1.0, 49.0]).log is False
    assert Axis.around([1.0, 50.0]).log is True
    assert Axis.around([-1.0, 1000.0]).log is False


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20))
def test_every_value_lies_on_its_axis_in_order(values):
    axis = Axis.around(values)
    positions = [axis.position(value) for value in sorted(values)]
    assert all(0 <= position <= 1 for position in positions)
    assert positions == sorted(positions)
    assert all(-1e-6 <= axis.position(tick) <= 1 + 1e-6 for tick in axis.ticks())
    assert 1 <= len(axis.ticks()) <= 8


def test_ticks_are_round_numbers():
    assert Axis(0.3, 9.7).ticks() == [2, 4, 6, 8]
    assert Axis(0.02, 300, log=True).ticks() == pytest.approx([0.1, 1, 10, 100])
    assert [compact(value) for value in (2500, 1.5e6, 0.05, 1e-6, 0)] == [
        *("2.5k", "1.5M", "0.05", "1e-6", "0")
    ]


def test_thinning_loses_no_peak_and_nothing_infinite():
    points = [(step, math.sin(step / 300)) for step in range(20_000)]
    points[7000], points[9001], points[13_000] = (7000, 50.0), (9001, -60.0), (13_000, math.inf)
    kept = thin_out(points)
    assert {points[0], points[7000], points[9001], points[13_000], points[-1]} <= set(kept)
    assert kept == sorted(kept)
    assert len(kept) <= 2 * BUCKETS + 10


def test_a_line_breaks_where_it_is_not_finite():
    points = [(1, 1.0), (2, math.nan), (3, 3.0), (4, 4.0), (5, -math.inf)]
    assert finite_runs(points) == ([[(1, 1.0)], [(3, 3.0), (4, 4.0)]], [2, 5])
    page = Page(chart("loss", [Curve("loss", points, best=(3, 3.0))], Axis(0, 5)))
    assert len(page.all("polyline")) == 1
    assert page.all("circle")[0]["data-values"] == "1:1"  # a lone point has no line
    assert "not finite" in page.text
    assert "best 3 at step 3" in page.all("svg")[0]["aria-label"]
    Page(chart("loss", [Curve("loss", [(1, math.nan)])], Axis(0, 5)))
    Page(chart("loss", [Curve("loss", [(1, 2.0)])], Axis(0, 1)))


def test_a_chart_draws_where_the_values_are():
    """Two points span the panel: left to right, and upwards, whose pixels count down."""
    page = Page(chart("loss", [Curve("loss", [(0, 0.0), (100, 1.0)])], Axis(0, 100)))
    (x0, y0), (x1, y1) = (
        map(float, p.split(",")) for p in page.all("polyline")[0]["points"].split()
    )
    assert x0 < 60 < 300 < x1 < 340
    assert 0 < y1 < 30 < 140 < y0 < 180


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("fid", ("metrics", "fid", "fid")),
        ("images_per_second", ("training", "images/s", "images_per_second")),
        ("critic/real_logits", ("training", "critic: logits", "real")),
        ("critic/fake_logits", ("training", "critic: logits", "fake")),
        ("critic/gradient_norm", ("training", "gradient norm", "critic")),
        ("critic/adversarial", ("training", "critic: adversarial", "critic/adversarial")),
        ("health/real_accuracy", ("health", "accuracy", "real")),
        ("health/update_ratio/critic", ("health", "update ratio", "critic")),
    ],
)
def test_curves_that_compare_share_a_panel(name, place):
    assert placement(name) == place


def test_settings_read_as_yaml():
    schedule = {"start": 0.1, "end": None, "over": 1, "shape": "linear", "warmup": 0}
    config = {
        "a": {"b": None, "c": [1, "x y"]},
        "lr": schedule,
        "flag": True,
        "e": {},
        "word": "no: 1",
        "words": ["hinge", "null", "Yes", "12", "a-b"],
    }
    text = "\n".join(line for _, line in yaml_lines(config))
    assert yaml.safe_load(text) == {**config, "lr": 0.1}
    assert [path for path, _ in yaml_lines(config)] == [
        "a",
        "a.b",
        "a.c",
        "lr",
        "flag",
        "e",
        "word",
        "words",
    ]


def test_words_and_numbers():
    assert [number(n) for n in (12345, 0.0573472, 2.0e7, 3.14159)] == [
        *("12,345", "0.05735", "20,000,000", "3.142")
    ]
    assert [duration(s) for s in (4.14, 200, 2040, 3720)] == [
        *("4.1 s", "3 min 20 s", "34 min", "1 h 02 min")
    ]
    assert evenly_spaced(range(101), 5) == [0, 25, 50, 75, 100]
    assert tag("p", "a<b", None, ["c", tag("b", "d")], class_="x", hidden=True, lang=None) == (
        '<p class="x" hidden>a&lt;bc<b>d</b></p>'
    )


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    shares = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_text_can_be_read_in_light_and_in_dark():
    """WCAG 2.2 AA: a contrast of 4.5 for text, on each ground it stands on."""
    themes = re.findall(r":root \{(.*?)\}", packaged("page.css"), re.S)
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--([\w]+): (#\w{6});", theme))
        for ink in ("ink", "muted", "good", "warn", "bad", *(f"c{i}" for i in range(6))):
            for ground in ("paper", "card"):
                light, dark = sorted((luminance(colours[k]) for k in (ink, ground)), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


@pytest.fixture
def sweep(tmp_path) -> Path:
    """Hinge: 4 and 6; least squares: 1 and 3; a third loss that failed before its run began."""
    folder = tmp_path / "sweep"
    values = {("hinge", 0): 4.0, ("hinge", 1): 6.0, ("lsgan", 0): 1.0, ("lsgan", 1): 3.0}
    for index, ((loss, seed), value) in enumerate(values.items()):
        words = ["++steps=100", f"loss={loss}", f"++seed={seed}"]
        job = {"job": index, "overrides": words}
        config = {"steps": 100, "seed": seed, "loss": {"adversarial": {"name": loss}}}
        run = make_run(folder / f"{index}-dcgan", value, seed=seed, job=job, config=config)
        write_report(run)
    (folder / "4-dcgan").mkdir()
    words = ["++steps=100", "loss=wgan", "++seed=0"]
    job = {"job": 4, "overrides": words, "error": f"steps: must be positive {HOSTILE}"}
    (folder / "4-dcgan" / "job.json").write_text(json.dumps(job))
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "sweep.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_sweep_folds_seeds_and_ranks_by_the_objective(sweep):
    page = Page(write_sweep_report(sweep).read_text())
    check_self_contained(page)
    assert "5 jobs, 4 finished" in page.text
    assert "fid, lower is better" in page.text
    assert "2.0 \u00b1 1.4" in page.text  # of 1 and 3: mean 2, deviation sqrt(2)
    order = [page.text.index(words) for words in ("2.0 \u00b1 1.4", "5.0 \u00b1 1.4", HOSTILE)]
    assert order == sorted(order)
    links = [a["href"] for a in page.all("a")]
    assert links == [f"{n}-dcgan/report.html" for n in (2, 3, 0, 1)]  # the best first
    assert all((sweep / link).exists() for link in links)
    assert {(i["width"], i["height"]) for i in page.all("img")} == {("64", "32")}  # a row


def test_a_sweep_is_a_table_for_machines_too(sweep):
    write_sweep_report(sweep)
    rows = rows_of(sweep)
    assert [row["job"] for row in rows] == list("01234")
    assert [row["loss"] for row in rows] == ["hinge", "hinge", "lsgan", "lsgan", "wgan"]
    assert [row["value"] for row in rows] == ["4.0", "6.0", "1.0", "3.0", ""]
    assert rows[0]["last fid"] == "5.0"
    assert "steps" not in rows[0]  # equal in all
    assert rows[4]["status"] == f"steps: must be positive {HOSTILE}"
    assert rows[4]["folder"] == "4-dcgan"


def test_where_higher_is_better_the_highest_comes_first(sweep):
    for path in sweep.glob("*/run.json"):
        card = json.loads(path.read_text())
        card["objective"]["lower_is_better"] = False
        path.write_text(json.dumps(card))
    page = Page(write_sweep_report(sweep).read_text())
    assert [a["href"][0] for a in page.all("a")] == list("0123")


def test_half_a_run_does_not_count(sweep):
    path = sweep / "2-dcgan" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "stopped by SIGINT: x"}))
    text = Page(write_sweep_report(sweep).read_text()).text
    assert "stopped" in text
    assert "\u00b1 1.4" in text.replace("5.0 ", "")  # hinge, still of two
    assert "2.0 \u00b1" not in text


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6))
def test_what_is_folded_is_told_as_it_is(values):
    """numpy's mean and deviation with ddof = 1, to the places that are printed."""
    told = str(SeedStatistics(tuple(values))).replace(",", "")
    mean, spread = np.mean(values), np.std(values, ddof=1)
    assert len(told) < 30
    shown, deviation = map(float, told.split(" \u00b1 "))
    assert deviation == pytest.approx(
        spread, rel=0.06, abs=max(1e-9 * abs(mean), 1e-150)
    )  # numpy squares
    assert shown == pytest.approx(mean, rel=6e-4, abs=0.06 * spread)


def test_a_report_that_cannot_be_written_hides_nothing(tmp_path, monkeypatch, caplog):
    def fail(folder):
        raise ZeroDivisionError("no such luck")

    monkeypatch.setattr(run_report, "write_report", fail)
    session.run_training(small("run=x"), tmp_path / "run", 0.0)
    assert "no report.html: ZeroDivisionError: no such luck" in caplog.text
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"


def test_a_run_leaves_its_report(tmp_path):
    session.run_training(small("run=x"), tmp_path / "run", 0.0)
    assert "finished" in (tmp_path / "run" / "report.html").read_text()


def test_reports_need_no_torch():
    modules = "gan_cli.report.callback, gan_cli.report.sweep_report, gan_cli.report.run_report"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.slow
def test_a_sweep_with_a_failing_job_has_its_index(tmp_path):
    """Hydra calls no on_multirun_end then."""
    words = ["-m", "model=mlp", "dataset=synthetic", "dataset.size=16", "dataset.count=64"]
    words += ["batch_size=8", "metrics=none", "every.preview=1", "steps=1,0", "seed=0"]
    command = [sys.executable, "-m", "gan_cli.train", *words, "hydra.sweep.dir=outputs/s"]
    root = Path(session.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode != 0
    assert "outputs/s/index.html" in done.stdout
    good, bad = rows_of(tmp_path / "outputs" / "s")
    assert (good["steps"], good["status"]) == ("1", "finished")
    assert (bad["steps"], bad["status"].startswith("steps: ")) == ("0", True)
    page = Page((tmp_path / "outputs" / "s" / "index.html").read_text())
    assert [a["href"] for a in page.all("a")] == [f"{good['folder']}/report.html"]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
def test_a_browser_runs_the_page(tmp_path):
    """From file://, under the page's own policy: the film strip has become a viewer."""
    path = write_report(make_run(tmp_path / "run"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command = ["chromium", *flags, f"--user-data-dir={tmp_path}/profile", "--dump-dom"]
    done = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, timeout=120)
    assert 'class="viewer"' in done.stdout
    assert "step 100</output>" in done.stdout


def test_a_report_of_a_growing_run_encodes_few_pictures_again(tmp_path, monkeypatch):
    """At most three times each, as the number of frames grows: once for 1, for 4 and for 12."""
    encoded: list[str] = []
    opened = Image.open
    monkeypatch.setattr(
        pictures_section.Image, "open", lambda path: encoded.append(path.name) or opened(path)
    )
    folder = make_run(tmp_path / "run")
    for step in range(150, 1000, 50):
        picture(folder / "samples" / f"samples-{step:07d}.png", seed=step)
        before = len(encoded)
        write_report(folder)
        assert len(encoded) - before <= (12 if step in (150, 250) else 5)
    assert max(encoded.count(name) for name in set(encoded)) <= 3
    assert len(encoded) < 40  # 12 a report would be 200


def test_a_report_of_a_sweep_reads_only_the_jobs_that_have_changed(sweep, monkeypatch):
    read: list[Path] = []
    original = records.read_series
    monkeypatch.setattr(
        records, "read_series", lambda path: read.append(path.parent) or original(path)
    )
    write_sweep_report(sweep)
    assert len(read) == 5
    with (sweep / "1-dcgan" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 150, "time": 4.0, "fid": 2.5}\n')
    card = sweep / "2-dcgan" / "run.json"
    card.write_text(card.read_text().replace('"finished"', '"stopped by SIGTERM: mine"'))
    first = make_run(sweep / "5-dcgan", 0.5, job={"job": 5, "overrides": ["loss=new"]})
    read.clear()
    page = Page(write_sweep_report(sweep).read_text())
    assert sorted(read) == [sweep / "1-dcgan", sweep / "2-dcgan", first]
    assert "6 jobs, 4 finished" in page.text
    assert "stopped by SIGTERM: mine" in page.text


@pytest.mark.parametrize(
    ("job", "age", "written"),
    [(0, 1, True), (9, 1, True), (10, 1, False), (10, 61, True), (500, 1, False), (500, -5, True)],
)
def test_many_quick_jobs_share_a_report_of_the_sweep(job, age, written, tmp_path):
    report = tmp_path / "index.html"
    assert is_outdated(report, job)  # there is none yet
    report.touch()
    os.utime(report, times=(time.time() - age,) * 2)
    assert is_outdated(report, job) == written
