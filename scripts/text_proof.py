"""What the game of SeqGAN adds to maximum likelihood, on texts whose law is known.

    python scripts/text_proof.py 0 1 2 > FILE       trains all variants with these seeds
    python scripts/text_proof.py table FILE         the table of the lines printed so far

The texts are those of a random LSTM, 20 of 64 tokens. For each seed a generator learns by maximum
likelihood. From it all variants start, and take equally many steps: more of likelihood, or of the
critic and then of the policy gradient. Each prints one line of JSON with the scores of the averaged
generator in nats per token. Variants without "baseline" have the published estimator. The controls
have a reward that knows nothing of the text: constant is 1, random uniform on [0, 1]. What they
change is not what a critic teaches.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

from gan_cli import train
from gan_cli.api import TrainedRun

PLAIN = "model.game.baseline=none"
VARIANTS = {
    "likelihood": (),
    "seqgan": (PLAIN,),
    "constant": (PLAIN, "model.game.reward=constant"),
    "random": (PLAIN, "model.game.reward=random"),
    "baseline": ("model.game.baseline=others",),
    "gumbel": ("model.game.estimator=gumbel",),
}
SETTINGS = (
    *("model=seqgan", "dataset=oracle_lstm", "dataset.vocabulary=64", "batch_size=64"),
    *("model.game.rollouts=4", "clip_norm=5", "every.log=0", "every.preview=0", "health=false"),
    *("every.checkpoint=100000", "ema.half_life=2000", "optimizer.players.generator.lr=2e-3"),
    *("metrics=none", "every.evaluate=100000"),
)
NAMES = ("kl_forward", "kl_reverse", "nll", "oracle_nll", "token_entropy")


def table(file: Path) -> str:
    """Means over seeds of the lines in a file, with their range, as Markdown."""
    rows = defaultdict(list)
    for line in file.read_text().splitlines():
        if not line.startswith("{"):  # what the trainings print
            continue
        row = json.loads(line)
        rows[row["variant"]].append(row)
    lines = [f"| variant | {' | '.join(NAMES)} |", "|---" * (len(NAMES) + 1) + "|"]
    for variant, found in rows.items():
        cells = []
        for name in NAMES:
            values = [row[name] for row in found]
            mean = sum(values) / len(values)
            cells.append(f"{mean:.3f} ({min(values):.3f} to {max(values):.3f})")
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("given", nargs="+", help="seeds, or: table FILE")
    parser.add_argument("--likelihood", type=int, default=2000, help="steps of likelihood at first")
    parser.add_argument("--critic", type=int, default=100, help="steps of the critic alone")
    parser.add_argument("--steps", type=int, default=200, help="steps of the policy gradient")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    asked = parser.parse_args()
    if asked.given[0] == "table":
        print(table(Path(asked.given[1])))
        return
    for seed in map(int, asked.given):
        both = (*SETTINGS, f"seed={seed}", f"dataset.seed={seed}")
        count = asked.likelihood
        base = train(*both, f"steps={count}", f"model.game.pretrain={count}", run=f"text-{seed}")
        report("start", seed, base)
        total = asked.critic + asked.steps
        for variant in asked.variants:
            first = total if variant == "likelihood" else 0
            words: tuple[str, ...] = (f"model.pretrained.generator={base.folder}",)
            words += (f"model.game.pretrain={first}",)
            words += (f"model.game.pretrain_critic={asked.critic}", f"steps={total}")
            words += VARIANTS[variant]
            report(variant, seed, train(*both, *words, run=f"text-{seed}-{variant}"))


def report(variant: str, seed: int, run: TrainedRun) -> None:
    """Prints the scores of a run as a line of JSON."""
    print(json.dumps({"variant": variant, "seed": seed, **run.scores}), flush=True)


if __name__ == "__main__":
    main()
