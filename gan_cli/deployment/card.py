"""The model card of an exported model: a README that model hubs display."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_cli import __version__
from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.data.kinds import kind_of
from gan_cli.deployment.exportable import Exportable
from gan_cli.deployment.options import ExportOptions

NORMAL = "standard normal"
PIPELINES = {"image": "unconditional-image-generation", "audio": "text-to-audio"}  # of the Hub


@dataclass(frozen=True)
class Facts:
    """Everything that a model card tells."""

    name: str
    checkpoint: Checkpoint
    network: Exportable
    options: ExportOptions
    files: Mapping[str, float]  # name of each exported file -> its largest relative difference
    grid: Path | None
    scores: Mapping[str, Any] | None  # a metric card


def newest_scores(run: Path, step: int) -> Mapping[str, Any] | None:
    """Returns the newest metric card of this step of the run, None if there is none."""
    cards = sorted(run.glob("cards/*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in cards:
        try:
            card = json.loads(path.read_text())
            if card["subject"]["step"] == step and card["values"]:
                return card
        except (OSError, ValueError, LookupError, TypeError):
            continue
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
    kind = facts.checkpoint.spec.kind
    if kind == "image" and not facts.network.model.game.labelled:
        yield f"pipeline_tag: {PIPELINES[kind]}"
    yield "tags:"
    loss = (config.get("loss") or {}).get("adversarial") or {}
    tags = ["gan", "pytorch", facts.checkpoint.game["name"], loss.get("name")]
    yield from (f"- {tag}" for tag in dict.fromkeys(filter(None, tags)))
    yield "---"


def title(facts: Facts) -> Iterator[str]:
    shape = " x ".join(map(str, facts.checkpoint.spec.shape))
    yield f"# {facts.name}"
    yield ""
    yield (
        f"A generative adversarial network for {kind_name(facts)} of {shape}, trained with gan_cli "
        f"{__version__} ({facts.checkpoint.step:,} steps, {facts.checkpoint.images:,} samples "
        "seen)."
    )
    if facts.grid is not None:
        yield ""
        yield f"![Samples for the seeds 0, 1, 2, ...]({facts.grid.name})"
    if facts.options.license is None:
        yield ""
        yield "**License**: not stated."


def kind_name(facts: Facts) -> str:
    names = {"image": "images", "vector": "vectors", "audio": "sounds", "tokens": "texts"}
    return names.get(facts.checkpoint.spec.kind, "samples")


def use(facts: Facts) -> Iterator[str]:
    yield "## Use"
    for file in facts.files:
        yield ""
        yield from snippet(facts, file)


def snippet(facts: Facts, file: str) -> Iterator[str]:
    """Yields code that runs a file."""
    arguments = ", ".join(facts.network.examples)
    arrays = ", ".join(f'"{name}": {name}' for name in facts.network.examples)
    in_torch = [random_input(facts, name, "torch") for name in facts.network.examples]
    in_numpy = [random_input(facts, name, "numpy") for name in facts.network.examples]
    code = {
        ".safetensors": [
            "import gan_cli  # pip install gan-cli",
            "",
            f'model = gan_cli.load("{file}")',
            "samples = model.sample(seeds=range(16))"
            if facts.grid is not None
            else f'network = model.network("{facts.network.role}")',
        ],
        ".onnx": [
            *("import numpy", "import onnxruntime", ""),
            f'session = onnxruntime.InferenceSession("{file}")',
            *in_numpy,
            f"output = session.run(None, {{{arrays}}})[0]",
        ],
        ".ts": [
            *("import torch", "", f'network = torch.jit.load("{file}")'),
            *(*in_torch, f"output = network({arguments})"),
        ],
        ".pt2": [
            *("import torch", "", f'network = torch.export.load("{file}").module()'),
            *(*in_torch, f"output = network({arguments})"),
        ],
    }.get(Path(file).suffix)
    if code is not None:
        yield from (f"`{file}`:", "", "```python", *code, "```")


def random_input(facts: Facts, name: str, library: str) -> str:
    """Returns code for four values of an input, in torch or numpy."""
    example = facts.network.examples[name]
    if not example.dtype.is_floating_point:
        return f"{name} = {library}.arange(4) % {facts.checkpoint.spec.classes}"
    shape = ", ".join(map(str, (4, *example.shape[1:])))
    normal = values(facts, name) == NORMAL
    if library == "torch":
        return f"{name} = torch.{f'randn({shape})' if normal else f'rand({shape}) * 2 - 1'}"
    draw = "standard_normal" if normal else "random"
    code = f'{name} = numpy.random.default_rng().{draw}(({shape}), dtype="float32")'
    return code if normal else f"{code} * 2 - 1"


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
        yield f"| `{name}` | ({shape}) | {kind} | {values(facts, name)} |"
    if facts.network.role == "generator":
        field = facts.checkpoint.spec.fields[facts.checkpoint.spec.target]
        bounds = ", in [-1, 1]" if kind_of(field).bounded else ""
        yield ""
        yield f"The output has shape (batch, {', '.join(map(str, field.shape))}){bounds}."
    if facts.files:
        worst = max(facts.files.values())
        yield ""
        yield f"Each file was run after it was written; the largest relative error is {worst:.1e}."


def values(facts: Facts, name: str) -> str:
    """Returns which values an input takes."""
    spec = facts.checkpoint.spec
    if name == "latent":
        prior = getattr(facts.network.model.game.networks["generator"], "prior", "normal")
        return "uniform on [-1, 1]" if prior == "uniform" else NORMAL
    if name == "label":
        names = ", ".join(spec.class_names[:20])
        more = ", ..." if len(spec.class_names) > 20 else ""
        return f"0 to {spec.classes - 1}" + (f" ({names}{more})" if names else "")
    return "in [-1, 1]" if kind_of(spec.fields[spec.target]).bounded else "numbers"


def data(facts: Facts) -> Iterator[str]:
    checkpoint = facts.checkpoint
    yield "## Data"
    yield ""
    yield f"- data set: {checkpoint.dataset['name']}"
    for key, value in checkpoint.dataset.items():
        if key in ("path", "source", "target", "split", "labels", "size", "resize") and value:
            shown = Path(value).name if isinstance(value, str) else value
            yield f"- {key}: {shown}"
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
    protocol = facts.scores.get("protocol", {})
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
    yield from json.dumps(protocol, indent=2).splitlines()
    yield "```"
