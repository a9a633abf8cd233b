"""What the game of SeqGAN adds to maximum likelihood, on texts whose law is known.

    python scripts/text_proof.py seqgan 0        trains one variant with one seed: minutes
    python scripts/text_proof.py table FILE      the table of all lines printed so far

The texts are those of a random LSTM, 20 of 64 tokens. All variants take equally many steps, and all
but `likelihood` the last `--steps` of them by policy gradient. Each training prints one line of
JSON with the scores of the averaged generator in nats per token. The controls have the published
estimator, without a baseline, and a reward that knows nothing of the text: `constant` is 1,
`random` uniform on [0, 1]. What they change is not what a critic teaches.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

from gan_cli import train

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
    *("model.game.rollouts=4", "loss.critic_steps=2", "clip_norm=5", "every.log=0"),
    *("every.preview=0", "every.checkpoint=0", "health=false", "ema.half_life=2000"),
)
NAMES = ("kl_forward", "kl_reverse", "nll", "oracle_nll", "token_entropy")


def table(file: Path) -> str:
    """Means over seeds of the lines in a file, with their range, as Markdown."""
    rows = defaultdict(list)
    for line in file.read_text().splitlines():
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
    parser.add_argument("variant", choices=[*VARIANTS, "table"])
    parser.add_argument("seed", help="seed, or the file of lines for a table")
    parser.add_argument("--pretrain", type=int, default=2000)
    parser.add_argument("--critic", type=int, default=200)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rate", type=float, default=1e-2, help="lr of the policy gradient")
    given = parser.parse_args()
    if given.variant == "table":
        print(table(Path(given.seed)))
        return
    total = given.pretrain + given.critic + given.steps
    pretrain = total if given.variant == "likelihood" else given.pretrain
    words = (
        *(*SETTINGS, *VARIANTS[given.variant], f"steps={total}", f"seed={given.seed}"),
        *(f"model.game.pretrain={pretrain}", f"model.game.pretrain_critic={given.critic}"),
        *(f"dataset.seed={given.seed}", f"every.evaluate={total // 2}"),
        f"optimizer.players.generator.lr={given.rate}",
    )
    run = train(*words, f"run=text-{given.variant}-{given.rate:g}-{given.seed}")
    row = {"variant": given.variant, "seed": int(given.seed), "rate": given.rate}
    print(json.dumps({**row, **run.scores}), flush=True)


if __name__ == "__main__":
    main()
