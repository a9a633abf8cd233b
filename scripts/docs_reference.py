"""Write docs/configuration.md, and the tables between markers in README.md and docs/*.md.

python scripts/docs_reference.py          rewrites what is stale
python scripts/docs_reference.py --check  lists what is stale or unexplained (exit status 1: some)

Types and defaults come from the code. The meaning of a key is the comment behind it: where the
option is declared in the source, or in the YAML file that sets it.
"""

import re
import sys
from dataclasses import is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

from config_comments import (
    Comments,
    component_comments,
    first_of,
    leading_comment,
    option_comments,
    source_comments,
    yaml_comments,
    yaml_keys,
)
from docs_words import INTRODUCTION, SCHEDULES, prose, rows, summary, type_name, value_text
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import gan_cli
from gan_cli.config.registry import Component, Keys, Registry, keys_of, keys_of_dataclass
from gan_cli.config.schedules import Schedule
from gan_cli.config.schema import Config, Metrics
from gan_cli.deployment.options import ExportOptions
from gan_cli.evaluation.options import FidOptions
from gan_cli.sampling.options import SampleOptions

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "configs"
PAGE = ROOT / "docs" / "configuration.md"
TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

GROUPS = (
    *("model", "loss", "dataset", "optimizer", "augment", "device", "metrics", "logger"),
    "experiment",
)
SECTIONS = {  # registry -> (section, heading, key that names one); others come last
    "schedule shape": ("schedules", "Shapes", "shape"),
    "game": ("model", "Games", "model.game.name"),
    "network": ("model", "Networks", "model.networks.ROLE.name"),
    "noise schedule": ("model", "Noise schedules", "model.game.schedule.name"),
    "prediction": ("model", "Predictions of diffusion", "model.game.prediction.name"),
    "weighting": ("model", "Weightings of diffusion", "model.game.weighting.name"),
    "sampler": ("model", "Samplers", "model.game.sampler.name"),
    "adversarial loss": ("loss", "Adversarial losses", "loss.adversarial.name"),
    "penalty": ("loss", "Penalties", "loss.penalties.NAME"),
    "dataset": ("dataset", "Options of the data sets", ""),
    "degradation": ("dataset", "Degradations", "degradation@dataset.degradation"),
    "optimizer": ("optimizer", "Options of the optimizers", ""),
    "augmentation": ("augment", "Options of the augmentations", ""),
    "metric": ("metrics", "Metrics", "metrics.compute.NAME"),
    "features": ("metrics", "Features", "metrics.features"),
    "logger": ("logger", "Options of the loggers", "logger.NAME"),
    "task": ("sample", "Tasks", "task"),
    "format": ("sample", "Export formats", "format"),
}
NESTED = {"metrics": Metrics}  # keys of the commands that are typed only once torch is imported

unexplained: list[str] = []


# Tables


def choices(group: str) -> str:
    """The choices of a group: name, paper and use of each, from its YAML file."""
    body = []
    for file in sorted((CONFIGS / group).glob("*.yaml")):
        body.append((f"`{file.stem}`", prose(leading_comment(file))))
        if not leading_comment(file):
            unexplained.append(f"configs/{group}/{file.name}: add a comment at the top")
    return rows((f"`{group}=`", "what it is, and when to use it"), body)


def key_table(keys: Keys, comments: Comments, where: str, prefix: str = "") -> str:
    body = []
    for key, (kind, default) in keys.items():
        if key not in comments:
            unexplained.append(f"{where}.{key}: add a comment behind the option")
        name = "text" if kind == Component and isinstance(default, str) else type_name(kind)
        meaning = prose(comments.get(key, ""))
        body.append((f"`{prefix}{key}`", name, value_text(default), meaning))
    return rows(("key", "type", "default", "meaning"), body)


# Keys of the commands and groups


@cache
def composed(command: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return OmegaConf.to_container(compose(command), resolve=False)  # type: ignore[return-value]


def keys_below(cls: type, node: Any, prefix: str = "") -> Keys:
    """The keys of a dataclass and of those nested in it, with the values that `node` has."""
    keys: Keys = {}
    for key, (kind, default) in keys_of_dataclass(cls).items():
        kind = NESTED.get(key, kind)
        value = node.get(key, default) if isinstance(node, dict) else default
        if is_dataclass(kind) and kind is not Schedule:
            keys |= keys_below(kind, value, f"{prefix}{key}.")
        else:
            keys[prefix + key] = (kind, value)
    return keys


def command_section(command: str, cls: type) -> str:
    """The keys of a command, but for its groups, in the order of its YAML file."""
    file = CONFIGS / f"{command}.yaml"
    groups = {folder.name for folder in CONFIGS.iterdir()} - yaml_groups(file)
    keys = keys_below(cls, composed(command))
    keys = {key: keys[key] for key in (*yaml_keys(file), *keys) if key in keys}
    keys = {k: v for k, v in keys.items() if k.partition(".")[0] not in groups}
    comments = first_of(yaml_comments(file), source_comments(cls))
    parts = [f"## gan-{command}\n", key_table(keys, comments, f"{command}.yaml")]
    if command != "train":
        chosen = [g for g in ("dataset", "device") if g in yaml_defaults(file)]
        parts.append(
            f"Groups that can be chosen, too: {', '.join(f'[{g}](#{g})' for g in chosen)}.\n"
        )
    return "\n".join(parts + sections(command))


def yaml_defaults(file: Path) -> set[str]:
    """The groups in the defaults list of a YAML file."""
    entries = OmegaConf.load(file).defaults
    return {str(key) for entry in entries if not isinstance(entry, str) for key in entry}


def yaml_groups(file: Path) -> set[str]:
    """The groups whose keys the YAML file of gan-sample or gan-fid explains itself."""
    return {"metrics"} & set(yaml_keys(file))


def group_section(group: str) -> str:
    parts = [f"## {group}\n", choices(group)]
    kind = keys_of_dataclass(Config).get(group, (None, None))[0]
    if is_dataclass(kind):
        cls: Any = kind
        files = [yaml_comments(file) for file in sorted((CONFIGS / group).glob("*.yaml"))]
        top = yaml_comments(CONFIGS / "train.yaml").items()
        own = {k.removeprefix(f"{group}."): text for k, text in top if k.startswith(f"{group}.")}
        comments = first_of(own, *files, source_comments(cls))
        keys = keys_below(cls, composed("train").get(group))
        parts.append(key_table(keys, comments, group, f"{group}."))
    return "\n".join(parts + sections(group))


# Components


@cache
def registries() -> list[Registry[Any]]:
    """Every registry of the package, filled, in the order of SECTIONS, then by kind."""
    names = [module.name for module in walk_packages(gan_cli.__path__, "gan_cli.")]
    modules = [import_module(name) for name in names]
    found = {id(v): v for m in modules for v in vars(m).values() if isinstance(v, Registry)}
    kinds = [*SECTIONS, *sorted(registry.kind for registry in found.values())]
    return sorted(found.values(), key=lambda registry: kinds.index(registry.kind))


def sections(group: str) -> list[str]:
    """The registries of a section; what no section names is shown if it is built from options."""
    return [
        registry_section(registry, group)
        for registry in registries()
        if SECTIONS.get(registry.kind, ("others",))[0] == group
        and (registry.kind in SECTIONS or all(map(callable, registry.entries.values())))
    ]


def registry_section(registry: Registry[Any], group: str) -> str:
    """What is registered, and the options of each."""
    _, heading, key = SECTIONS.get(registry.kind, ("", registry.kind.capitalize(), ""))
    files = sorted((CONFIGS / group).glob("*.yaml"))
    in_yaml: dict[str, Comments] = {}
    for file in files:
        for name, comments in component_comments(file).items():
            in_yaml[name] = first_of(in_yaml.get(name, {}), comments)
    parts, chosen = [f"### {heading}\n"], {file.stem for file in files}
    entries = sorted(registry.entries.items())
    entries = [(name, c) for name, c in entries if module_of(c).startswith("gan_cli.")]
    listed = [
        (f"`{name}`", prose(summary(component)))
        for name, component in entries
        if key or name not in chosen
    ]
    if listed:
        parts.append(rows((f"`{key}=`" if key else "name", "what it is"), listed))
    for name, component in entries:
        if keys := keys_of(component) if callable(component) else None:
            comments = first_of(option_comments(component), in_yaml.get(name, {}))
            parts += [f"#### {name}\n", key_table(keys, comments, f"{registry.kind} {name}")]
    return "\n".join(parts)


def module_of(component: Any) -> str:
    """Returns the module that defines a component; of a record that of its function."""
    if not callable(component):
        component = next(filter(callable, vars(component).values()), component)
    return str(getattr(component, "__module__", type(component).__module__))


def schedule_section() -> str:
    comments = source_comments(Schedule)
    table = key_table(keys_of_dataclass(Schedule), comments, "Schedule")
    return "\n".join([SCHEDULES, table, *sections("schedules")])


# Files


def page() -> str:
    found = {folder.name for folder in CONFIGS.iterdir() if folder.is_dir()}
    groups = [*(group for group in GROUPS if group in found), *sorted(found - set(GROUPS))]
    parts = [INTRODUCTION, command_section("train", Config), schedule_section()]
    parts += [group_section(group) for group in groups]
    if others := sections("others"):
        parts += ["## Other components\n", *others]
    commands = {"sample": SampleOptions, "fid": FidOptions, "export": ExportOptions}
    parts += [command_section(name, options) for name, options in commands.items()]
    return "\n".join(parts)


def with_tables(text: str) -> str:
    return TABLE.sub(lambda match: match[1] + choices(match[2]) + match[3], text)


def documents() -> dict[Path, str]:
    """What each page should hold."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    written = {file: with_tables(file.read_text()) for file in pages if file != PAGE}
    return {PAGE: page(), **written}


def stale() -> dict[Path, str]:
    """The pages that differ from what they should hold."""
    return {
        file: text
        for file, text in documents().items()
        if not file.exists() or file.read_text() != text
    }


def main(check: bool) -> int:
    old = stale()
    for fault in dict.fromkeys(unexplained):
        print(fault)
    for file, text in old.items():
        print(f"{file.relative_to(ROOT)}: {'stale' if check else 'written'}")
        if not check:
            file.write_text(text)
    return int(bool(unexplained or (check and old)))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
