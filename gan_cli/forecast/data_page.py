"""A page about the data of a run: what networks see of them, their sizes, classes and copies."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.augment import Augment, augments
from gan_cli.data.dataset import part_with, pick
from gan_cli.data.kinds import Context, kind_of
from gan_cli.forecast.inspection import Inspection
from gan_cli.forecast.trial import Trial
from gan_cli.report.html import Markup, page, section, tag
from gan_cli.report.pictures_section import embed_array
from gan_cli.report.words import number
from gan_cli.runtime.random_state import fixed_random_state
from gan_cli.training.previews import Previews
from gan_cli.utils.files import write_text

PAIRS, GROUPS = 60, 100  # similar pairs that are shown, groups of copies that are listed
SHOWN = 0.5  # strength at which an augmentation is shown that the run adapts
EDGES = (8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096)  # pixels


def write_data_page(
    path: Path,
    trial: Trial,
    rows: Sequence[tuple[str, str]],
    faults: Sequence[str],
    seen: Sequence[Inspection],
) -> None:
    """Writes the page; `rows` is the forecast, `faults` are the problems."""
    problems = [tag("li", text) for text in faults]
    words = tag("ul", *problems) if problems else tag("p", "No problems were found.")
    body = [
        tag("header", tag("h1", "The data"), tag("p", trial.whole.dataset["name"], class_="muted")),
        tag(
            "main",
            section("Problems", words),
            section("Forecast", facts(dict(rows))),
            *(section(title, picture, note=note) for title, picture, note in pictures(trial)),
            *(part for found in seen for part in tables(found)),
            *(part for found in seen for part in copies(found, trial)),
        ),
    ]
    write_text(path, page("The data - gan_cli", *body))


def facts(rows: Mapping[str, str]) -> Markup:
    """A table of names and values."""
    cells = (tag("tr", tag("th", name), tag("td", value)) for name, value in rows.items())
    return tag("table", *cells, class_="facts")


def pictures(trial: Trial) -> Iterator[tuple[str, Markup, str]]:
    """Samples of the first batches as networks get them, and as critics see them."""
    previews = Previews(trial.ema.game, trial.dataset, trial.feed.batches(0))
    trial.feed.close()
    augmented = trial.whole.augment["name"] != "none"
    for key, field in trial.dataset.spec.fields.items():
        kind, samples = kind_of(field), previews.batch[key][:64]
        name = "" if key == trial.dataset.spec.target else f" ({key})"
        picture = kind.data_picture(field, Context(samples, previews.density(key)))
        if picture is not None:
            note = "the first batches, resized and mirrored as in training"
            yield f"What the networks get{name}", embed_array(picture, "real samples"), note
        if augmented and field.kind in trial.game.augment.kinds:
            seen = kind.data_picture(field, Context(augment(trial, samples)))
            if seen is not None:
                note = f"the same samples with {augmentation(trial)[1]}"
                yield f"What the critics see{name}", embed_array(seen, "augmented samples"), note


def augment(trial: Trial, samples: Tensor) -> Tensor:
    """Samples with the augmentation of the run."""
    with torch.no_grad(), fixed_random_state(trial.runtime.device, trial.whole.seed):
        return augmentation(trial)[0](samples)


def augmentation(trial: Trial) -> tuple[Augment, str]:
    """The augmentation of the run, and its name; one that is adapted is shown at some strength."""
    options, name = trial.whole.augment, f"augment={trial.whole.augment['name']}"
    if "initial" not in options or options.get("p") is not None:
        return trial.game.augment, name
    shown = min(SHOWN, options["limit"])
    words = f"{name} at p={shown:g} (the run adapts p, from {options['initial']:g} on)"
    return augments.build({**options, "initial": shown}, where="augment"), words


def tables(found: Inspection) -> Iterator[Markup]:
    """Histograms of sizes, modes and classes."""
    name = "" if found.key == "real" else f" ({found.key})"
    if found.files is not None:
        shorter = Counter(binned(min(size)) for size in found.files.sizes)
        rows = [(words, shorter[low, words]) for low, words in sorted(shorter)]
        yield section(f"Sizes{name}", histogram("shorter side in pixels", rows), note=sizes(found))
    if found.modes:
        yield section(f"Modes{name}", histogram("mode of Pillow", found.modes.most_common()))
    if found.classes:
        yield section(f"Classes{name}", histogram("class", list(found.classes.items())))


def binned(side: int) -> tuple[int, str]:
    """The lower edge of the range of a side, and the range in words."""
    low = max((edge for edge in EDGES if edge <= side), default=0)
    high = min((edge for edge in EDGES if edge > side), default=None)
    return low, f"{low} to {high - 1}" if high else f"{low} and more"


def sizes(found: Inspection) -> str:
    """The smallest, the median and the largest image, by area."""
    assert found.files is not None
    ordered = sorted(found.files.sizes, key=lambda size: (size[0] * size[1], size))
    named = {"smallest": 0, "median": len(ordered) // 2, "largest": -1}
    words = (f"{name} {ordered[i][1]}x{ordered[i][0]}" for name, i in named.items())
    return ", ".join(words) + " (width x height)"


def histogram(title: str, rows: Sequence[tuple[str, int]]) -> Markup:
    """A table of counts, with their shares."""
    total = max(sum(count for _, count in rows), 1)
    head = tag("tr", tag("th", title), tag("th", "samples"), tag("th", "share"))
    body = (
        tag("tr", tag("th", name), tag("td", number(n)), tag("td", f"{100 * n / total:.1f} %"))
        for name, n in rows
    )
    return tag("div", tag("table", head, *body, class_="numbers"), class_="scroll")


def copies(found: Inspection, trial: Trial) -> Iterator[Markup]:
    """Images that look the same, with pictures, and groups of equal ones."""
    if found.similar:
        shown = found.similar[:PAIRS]
        note = f"{len(shown)} of {len(found.similar)} pairs, the most similar first"
        cards = (pair_card(found, trial, i, j, value) for i, j, value in shown)
        yield section("Nearly the same", tag("div", *cards, class_="cards"), note=note)
    if found.copies:
        shown_groups = found.copies[:GROUPS]
        lines = (tag("li", ", ".join(map(found.name, group))) for group in shown_groups)
        note = f"{len(shown_groups)} of {len(found.copies)} groups"
        yield section("Exact copies", tag("ul", *lines), note=note)


def pair_card(found: Inspection, trial: Trial, i: int, j: int, value: float) -> Markup:
    """Two images side by side, with their names."""
    part = part_with(trial.dataset, found.key)
    both = pick(part, found.key, torch.tensor([i, j]))
    picture: np.ndarray = torch.cat(list(both), -1).permute(1, 2, 0).contiguous().numpy()
    words = f"{found.name(i)} \u00b7 {found.name(j)}"
    image = embed_array(picture, words)
    return tag("div", image, tag("p", words, tag("small", f" {value:.3f}")), class_="card")
