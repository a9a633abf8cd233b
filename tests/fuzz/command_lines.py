"""Command lines of the README and the pages of docs/, mutated as fingers and shells do it."""

import random
import re
from functools import cache
from pathlib import Path

from gan_cli.export import main as export
from gan_cli.fid import main as fid
from gan_cli.sample import main as sample
from gan_cli.train import main as train
from tests.fuzz.outcome import outcome_of
from tests.shown_commands import FILES, Command, commands

PAGES = Path(__file__).parents[2]
MAINS = {"gan-train": train, "gan-sample": sample, "gan-fid": fid, "gan-export": export}
VALUES = (
    *("", " ", "null", "None", "true", "False", "nan", "-inf", ".inf", "0", "-1", "1", "2.5"),
    *("1e3", "1e39", "-1e300", "1_000", "0x10", "18446744073709551616", "9" * 40, "auto", "none"),
    *("fd", "dcgan", "mlp", "folder", "cuda", "mps", "photos", "/", ".", "..", "../x", "~", "~x"),
    *("a b", "фото", "画像", "\U0001f600", "é" * 200, "x" * 5000, "-", "--", "=", "a=b", "a.b"),
    *("[]", "[1]", "[1,2]", "[null]", "[[1],[2]]", "{}", "{a:1}", "{name:x}", "{start:1}", "[a"),
    *("{start:1,end:2,over:3,shape:cosine}", "{a", "'", '"', "'a'", '"a b"', "\\", "a\\,b"),
    *("1,2", "a,b", ",", "1,", "range(3)", "choice(1,2)", "interval(0,1)", "glob(*)", "shuffle(a)"),
    *("sort(3,1)", "int(3)", "str(1)", "f()", "${seed}", "${x}", "${", "${oc.env:HOME}"),
    *("${oc.env:NOT_THERE}", "${now:%Y}", "${a:b}", "$HOME", "%s", "#", "@", "*", "?", ";", "|"),
    *("???", "<a>", "\t", "a\tb", "a\nb", "\x01", "“a”", "-0.0", "1e-400", "+1", "1.", ".5"),
)
KEYS = (
    *("run", "steps", "batch_size", "seed", "lr", "epochs", "dataset.path", "dataset", "model"),
    *("loss", "optimizer.lr", "ema.half_life", "every.preview", "every", "metrics.compute"),
    *("metrics", "imports", "experiment", "device", "device.threads", "model.networks"),
    *("model.networks.generator", "model.networks.generator.name", "loss.penalties", "augment"),
    *("optimizer.players", "hydra", "hydra.sweep.dir", "hydra.searchpath", "hydra/launcher"),
    *("hydra.job.chdir", "count", "seeds", "label", "task", "format", "checkpoint", "fake", "save"),
    *("features", "input", "truncation", "x.y", "model@x", "@", "", "a b", "é", "name", "run.x"),
)
FLAGS = (
    *("-m", "--multirun", "--cfg", "--help", "--version", "--info", "-x", "--lr=0.1", "-", "--"),
    *("--cfg=job", "--resolve", "--package=model", "--config-dir", "--config-dir=nowhere"),
    *("--config-name=x", "--config-path=x", "--hydra-help", "photos", "outputs/tiny", "compare"),
    *("dcgan", "model", "dcgan loss=hinge", "--run=x", "-h", "--experimental-rerun=x"),
)
HARMLESS = {  # added last: a case checks words, it does not train or draw for long
    "gan-train": ["check=true"],
    "gan-sample": [],
    "gan-fid": [],
    "gan-export": [],
}


@cache
def corpus() -> tuple[Command, ...]:
    """The commands that the pages show, each once."""
    pages = [PAGES / "README.md", *sorted((PAGES / "docs").glob("*.md"))]
    found = {
        (command.name, command.words): command
        for page in pages
        for command in commands(page.name, page.read_text())
    }
    return tuple(found.values())


def case(seed: int) -> tuple[str, list[str]]:
    """The command and the words of case `seed`."""
    rng = random.Random(seed)
    command = rng.choice(corpus())
    words = [at_hand(word) for word in command.words]
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        words = rng.choice(MUTATIONS)(words, rng)
    return command.name, [*words, *HARMLESS[command.name]]


def at_hand(word: str) -> str:
    """The word with the run and the files of the folder in which the cases are run."""
    key = word.partition("=")[0]
    if key in FILES:
        return f"{key}={FILES[key]}"
    word = re.sub(r"^(run|model\.pretrained\.\w+)=.*", r"\1=tiny", word)
    word = re.sub(r"^(count|images|metrics\.count|metrics\.real_count)=\d+$", r"\1=4", word)
    return re.sub(r"^dataset\.(path|source|target)=.*", r"dataset.\1=photos", word)


def other_value(words: list[str], rng: random.Random) -> list[str]:
    places = [i for i, word in enumerate(words) if "=" in word]
    if not places:
        return other_word(words, rng)
    place = rng.choice(places)
    key = words[place].partition("=")[0]
    return [*words[:place], f"{key}={rng.choice(VALUES)}", *words[place + 1 :]]


def other_word(words: list[str], rng: random.Random) -> list[str]:
    key = rng.choice(KEYS)
    word = rng.choice((f"{key}={rng.choice(VALUES)}", f"{rng.choice('+~')}{key}", key))
    return inserted(words, rng, rng.choice((word, f"+{word}", f"++{word}", rng.choice(FLAGS))))


def borrowed_word(words: list[str], rng: random.Random) -> list[str]:
    other = rng.choice(corpus()).words
    return inserted(words, rng, at_hand(rng.choice(other))) if other else words


def inserted(words: list[str], rng: random.Random, word: str) -> list[str]:
    place = rng.randint(0, len(words))
    return [*words[:place], word, *words[place:]]


def deleted_word(words: list[str], rng: random.Random) -> list[str]:
    place = rng.randrange(len(words) + 1)
    return [*words[:place], *words[place + 1 :]]


def other_characters(words: list[str], rng: random.Random) -> list[str]:
    if not words:
        return other_word(words, rng)
    place = rng.randrange(len(words))
    text = list(words[place])
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(text))
        text[at : at + rng.randint(0, 2)] = rng.choice(("", *".=,[]{}()'\"$\\~+-_ x1é:@#/"))
    return [*words[:place], "".join(text), *words[place + 1 :]]


def split_or_joined(words: list[str], rng: random.Random) -> list[str]:
    if len(words) > 1 and rng.random() < 0.5:
        place = rng.randrange(len(words) - 1)
        return [*words[:place], " ".join(words[place : place + 2]), *words[place + 2 :]]
    return [part for word in words for part in re.split(r"(?<==)", word, maxsplit=1)]


def shuffled(words: list[str], rng: random.Random) -> list[str]:
    return rng.sample(words, len(words))


def nested_value(words: list[str], rng: random.Random) -> list[str]:
    """A mapping where a value was expected, or a deeper key."""
    places = [i for i, word in enumerate(words) if "=" in word]
    if not places:
        return words
    place = rng.choice(places)
    key, _, value = words[place].partition("=")
    word = rng.choice((f"{key}.name={value}", f"{key}.x={value}", f"{key}={{name: {value}}}",
                       f"{key}=[{value}]", f"{key}={value},{value}"))  # fmt: skip
    return [*words[:place], word, *words[place + 1 :]]


MUTATIONS = (
    *(other_value, other_value, other_word, other_word, borrowed_word, deleted_word),
    *(other_characters, other_characters, split_or_joined, shuffled, nested_value),
)


def fault_of(seed: int) -> str | None:
    """What is wrong with the answer to case `seed`, with the words to type; None if nothing is."""
    name, words = case(seed)
    fault = outcome_of(MAINS[name], words).fault()
    return fault and f"case {seed}: {name} {words}\n{fault}"
