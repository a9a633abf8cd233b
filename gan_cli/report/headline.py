"""The top of a run's report: its status and the most important numbers."""

from statistics import median

from gan_cli.report.html import Markup, section, tag
from gan_cli.report.parts import failure, status_pill, tile
from gan_cli.report.records import Record, finite_values
from gan_cli.report.words import compact, duration, moment, number


def header(record: Record) -> Markup:
    """Name, status and settings of the run in one line, and the error if it failed."""
    card = record.card
    config = card.get("config", {})
    loss = (config.get("loss", {}).get("adversarial") or {}).get("name")
    nets = [net.get("name") for net in config.get("model", {}).get("networks", {}).values()]
    words = [", ".join(map(str, nets)), loss, config.get("dataset", {}).get("name")]
    if "started" in card:
        words.append(moment(card["started"]))
    title = tag("h1", record.folder.name, status_pill(record.status))
    summary = tag("p", " \u00b7 ".join(str(word) for word in words if word), class_="muted")
    return tag("header", title, summary, failure(record.status))


def tiles(record: Record) -> list[Markup]:
    """Tiles with the best score, steps, speed, duration and parameters."""
    card, found = record.card, []
    if best := record.objective:
        note = f"best, at step {number(best.step)}"
        if best.name in card.get("last", {}):
            value, step = card["last"][best.name]
            note += f" \u00b7 last {number(value)} at {number(step)}"
        found.append(tile(best.name, number(best.value), note, main=True))
    if "step" in card:
        steps = card.get("config", {}).get("steps")
        found.append(tile("steps", number(card["step"]), f"of {number(steps)}" if steps else None))
    if speeds := finite_values(record.series.get("images_per_second", [])):
        images = f"{compact(card['images'])} images" if "images" in card else None
        found.append(tile("images/s", number(round(median(speeds), 1)), images))
    if "ended" in card and "started" in card:
        resumed = card.get("resumed_at")
        since = f"since step {number(resumed)}" if resumed else None
        found.append(tile("duration", duration(card["ended"] - card["started"]), since))
    if sizes := card.get("parameters"):
        note = " + ".join(f"{compact(count)} {role}" for role, count in sizes.items())
        found.append(tile("parameters", compact(sum(sizes.values())), note))
    return found


def scores(record: Record) -> Markup | None:
    """A table of the best and last values of all metrics, and of the scale of the distances.

    None if it would add nothing to the tile of the only metric.
    """
    last, best = record.card.get("last", {}), record.card.get("best", {})
    floor, ceiling = record.scale("floor"), record.scale("ceiling")
    ends = ("floor", "ceiling") if floor or ceiling else ()
    if len(last) < 2 and not ends:
        return None
    words = ("metric", "best", "step", "last", "step", *ends)
    rows = (
        (name, *best.get(name, "--"), *pair, *(record.scale(end).get(name, "-") for end in ends))
        for name, pair in last.items()
    )
    body = (
        tag("tr", tag("th", name), *(tag("td", number(value)) for value in values))
        for name, *values in rows
    )
    head = tag("tr", *(tag("th", word) for word in words))
    table = tag("div", tag("table", head, *body, class_="numbers"), class_="scroll")
    return section("Metrics", table, note=scale_note(record) if ends else None)


def scale_note(record: Record) -> str:
    """What floor and ceiling are, with the numbers of samples of the floor."""
    counts = record.card["scale"].get("counts", {})
    sizes = f" ({number(counts['fake'])} against {number(counts['real'])})" if counts else ""
    return f"floor: one half of the data against the other{sizes}; ceiling: an untrained generator"
