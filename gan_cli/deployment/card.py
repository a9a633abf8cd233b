"""The model card of an exported model: a README that model hubs display."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_cli import __version__
from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.data.kinds import kind_of
from gan_cli.deployment.exportable import Exportable
from gan_cli.deployment.formats import model_formats
from gan_cli.deployment.formats.safetensors import without_folders
from gan_cli.deployment.inputs import in_words
from gan_cli.deployment.options import ExportOptions
from gan_cli.evaluation.card import Card, read_card
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.strict_json import dumps


@dataclass(frozen=True)
class Facts:
    """Everything that a model card tells."""

    name: str
    checkpoint: Checkpoint
    network: Exportable
    options: ExportOptions
    files: Mapping[str, float]  # name of each exported file -> its largest relative difference
    grid: Path | None
    scores: Card | None


def newest_scores(run: Path, step: int) -> Card | None:
    """Returns the newest metric card of this step of the run, None if there is none."""
    paths = sorted(run.glob("cards/*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in paths:
        with suppress(ConfigError):  # another file, or a damaged one
            card = read_card(path)
            if card["subject"].get("step") == step and card["values"]:
                return card
    return None


def model_card(facts: Facts) -> str:
    """Returns the card as Markdown with the front matter of the Hugging Face Hub."""
    parts = (front_matter, title, use, network, data, training, scores)
    return "\n".join(line for part in parts for line in (*part(facts), ""))


def front_matter(facts: Facts) -> Iterator[str]:
    config = facts.checkpoint.config
    yield "---"
    yield "library_name: gan-cli"
    if facts.options.license is not None:
        yield f"license: {facts.options.license}"
    if facts.checkpoint.spec.kind == "image" and not facts.network.model.game.labelled:
        yield "pipeline_tag: unconditional-image-generation"
    yield "tags:"
    loss = (config.get("loss") or {}).get("adversarial") or {}
    tags = ["gan", "pytorch", facts.checkpoint.game["name"], loss.get("name")]
    yield from (f"- {tag}" for tag in dict.fromkeys(filter(None, tags)))
    yield "---"


def title(facts: Facts) -> Iterator[str]:
    shape = " x ".join(map(str, facts.checkpoint.spec.shape))
    yield f"# {facts.name}"
    yield ""
    kind = "adversarial network" if facts.network.model.game.critics else "model"
    yield (
        f"A generative {kind} for samples of kind {facts.checkpoint.spec.kind} and "
        f"shape {shape}, trained with gan_cli {__version__} ({facts.checkpoint.step:,} steps, "
        f"{facts.checkpoint.images:,} samples seen)."
    )
    if facts.grid is not None:
        yield ""
        yield f"![Samples for the seeds 0, 1, 2, ...]({facts.grid.name})"
    if facts.options.license is None:
        yield ""
        yield "**License**: not stated."


def use(facts: Facts) -> Iterator[str]:
    yield "## Use"
    for name in facts.options.formats:
        known = model_formats.entries[name]
        file = known.file_of(facts.network.role)
        code = known.usage(facts.network, file)
        yield from ("", f"`{file}`:", "", "```python", *code, "```")


def network(facts: Facts) -> Iterator[str]:
    generator: Any = facts.network.network
    count = sum(parameter.numel() for parameter in generator.parameters())
    yield f"## The {facts.network.role}"
    yield ""
    yield f"{count:,} parameters, {facts.options.weights} weights."
    yield ""
    yield "| input | shape | type | values |"
    yield "|---|---|---|---|"
    for name, example in facts.network.examples.items():
        shape = ", ".join(["batch", *map(str, example.shape[1:])])
        kind = str(example.dtype).removeprefix("torch.")
        yield f"| `{name}` | ({shape}) | {kind} | {in_words(facts.network, name)} |"
    if facts.network.role == "generator":
        field = facts.checkpoint.spec.fields[facts.checkpoint.spec.target]
        bounds = ", in [-1, 1]" if kind_of(field).bounded else ""
        yield ""
        yield f"The output has shape (batch, {', '.join(map(str, field.shape))}){bounds}."
    if facts.files:
        worst = max(facts.files.values())
        yield ""
        yield f"Each file was run after it was written; the largest relative error is {worst:.1e}."


def data(facts: Facts) -> Iterator[str]:
    checkpoint = facts.checkpoint
    yield "## Data"
    yield ""
    yield f"- data set: {checkpoint.dataset['name']}"
    for key, value in without_folders(checkpoint.dataset).items():
        if key != "name" and value is not None:
            yield f"- {key}: {value}"
    if checkpoint.spec.classes:
        yield f"- classes: {checkpoint.spec.classes}"


def training(facts: Facts) -> Iterator[str]:
    config = facts.checkpoint.config
    loss = config.get("loss") or {}
    penalties = ", ".join(loss.get("penalties") or {}) or "none"
    optimizer = config.get("optimizer") or {}
    lines = {
        "game": facts.checkpoint.game["name"],
        "networks": ", ".join(n["name"] for n in config["model"]["networks"].values()),
        "loss": (loss.get("adversarial") or {}).get("name"),
        "penalties": penalties,
        "optimizer": optimizer.get("name"),
        "batch size": config.get("batch_size"),
        "seed": config.get("seed"),
        "precision": (config.get("device") or {}).get("precision"),
    }
    yield "## Training"
    yield ""
    yield from (f"- {key}: {value}" for key, value in lines.items() if value is not None)
    yield ""
    yield "All settings are in `config.json`."


def scores(facts: Facts) -> Iterator[str]:
    yield "## Scores"
    yield ""
    if facts.scores is None:
        yield "None were computed for this checkpoint (`gan-fid run=NAME` computes some)."
        return
    spread = facts.scores.get("spread", {})
    yield "| metric | value |"
    yield "|---|---|"
    for name, value in facts.scores["values"].items():
        deviation = f" ± {spread[name]:.3g}" if name in spread else ""
        yield f"| {name} | {value:.4g}{deviation} |"
    yield ""
    yield "Protocol, without which the numbers cannot be compared:"
    yield ""
    yield "```json"
    yield from dumps(facts.scores["protocol"], indent=2).splitlines()
    yield "```"
