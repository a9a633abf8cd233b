"""What the loop promises: lazy penalties, clipping, accumulation, rollback, two ranks."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import nn

from gan_cli.config.schema import Device
from gan_cli.games.game import Turn
from gan_cli.losses.terms import Terms
from gan_cli.runtime.runtime import Runtime
from gan_cli.training.run import Run
from gan_cli.training.turns import Turns
from gan_cli.utils.errors import NonFiniteError
from tests.helpers import small, tensors_of, trained

REPOSITORY = Path(__file__).resolve().parent.parent
WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


def logged(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_lazy_penalties_come_every_nth_step_and_n_times_as_strong(tmp_path):
    lazy = ("loss=r1", "loss.penalties.r1={weight: 2.0, every: 3}", "steps=6", *WIDTHS)
    lines = logged(trained(small(*lazy), tmp_path).folder)
    assert ["discriminator/r1" in line for line in lines] == [True, False, False] * 2
    every = ("loss=r1", "loss.penalties.r1={weight: 6.0, every: 1}", "steps=1", *WIDTHS)
    first = logged(trained(small(*every), tmp_path / "every").folder)[0]
    assert first["discriminator/r1"] == pytest.approx(lines[0]["discriminator/r1"])


def test_a_scheduled_penalty_weight(tmp_path):
    weight = "{start: 1.0, end: 0.0, over: 2}"
    settings = ("loss=r1", f"loss.penalties.r1.weight={weight}", "steps=3", *WIDTHS)
    lines = logged(trained(small(*settings), tmp_path).folder)
    assert lines[0]["discriminator/r1"] > 0
    assert lines[2]["discriminator/r1"] == 0


def test_critic_steps_and_weight_clipping(tmp_path):
    run = trained(small("loss=wgan", "steps=3", *WIDTHS), tmp_path)
    assert run.drawn == 15  # five critic steps each, the generator plays on the last batch
    weights = torch.cat([p.flatten() for p in run.game.networks["discriminator"].parameters()])
    assert weights.abs().max() <= 0.01


def test_accumulated_parts_make_the_step_of_the_whole_batch():
    def after(accumulate: int) -> torch.Tensor:
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 1)
        runtime = Runtime(Device(accelerator="cpu"))
        runtime.place(torch.nn.ModuleDict({"net": network}))
        turns = Turns(runtime, accumulate)
        player = turns.player([network], {"name": "sgd", "lr": 0.1})
        turn = Turn("net", lambda batch: Terms({"square": network(batch["x"]).square().mean()}))
        values = turns.play(turn, player, {"x": torch.arange(24.0).view(8, 3) / 24})
        return torch.cat([network.weight.flatten(), values.terms().losses["square"][None]])

    assert torch.allclose(after(1), after(4), atol=1e-7)  # the weights, and what is logged


def test_gradients_are_clipped(tmp_path):
    settings = ("optimizer=sgd", "optimizer.lr=1", "clip_norm=1e-3", "steps=1", *WIDTHS)
    before = Run(small(*settings), tmp_path / "before")
    after = trained(small(*settings), tmp_path / "after")
    for role in ("generator", "discriminator"):
        pairs = zip(
            after.game.networks[role].parameters(),
            before.game.networks[role].parameters(),
            strict=True,
        )
        step = torch.cat([(a - b).flatten() for a, b in pairs]).norm()
        assert float(step) == pytest.approx(1e-3, rel=1e-2)


DIVERGING = ("loss=wgan", "optimizer=sgd", "optimizer.lr=1e30", "loss.weight_clip=null", *WIDTHS)


def test_a_nonfinite_loss_is_named_and_the_checkpoint_kept(tmp_path):
    calm = ("loss=wgan", "optimizer=sgd", "optimizer.lr=1e-9", "loss.weight_clip=null", *WIDTHS)
    trained(small(*calm, "steps=2", "every.checkpoint=1"), tmp_path)
    wild = (*DIVERGING, "steps=20", "allow_changes=true", "every.checkpoint=1")
    with pytest.raises(NonFiniteError, match=r"step \d+: (discriminator|generator)"):
        trained(small(*wild), tmp_path)
    saved = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert "step-0000002.pt" in saved
    again = Run(small(*calm, "steps=2", "allow_changes=true"), tmp_path)
    again.resume()
    assert all(torch.isfinite(value).all() for value in tensors_of(again).values())


def test_rollback_gives_up_after_three(tmp_path, monkeypatch):
    calm = ("loss=wgan", "optimizer=sgd", "optimizer.lr=1e-9", "loss.weight_clip=null", *WIDTHS)
    trained(small(*calm, "steps=1", "every.checkpoint=1"), tmp_path)
    told = []
    monkeypatch.setattr(
        "gan_cli.training.progress.Display.print", lambda self, text: told.append(text)
    )
    wild = (*DIVERGING, "steps=20", "allow_changes=true", "on_nonfinite=rollback")
    with pytest.raises(NonFiniteError):
        trained(small(*wild), tmp_path)
    assert [text.split("(")[-1] for text in told] == ["1 of 3)", "2 of 3)", "3 of 3)"]


def test_evaluation_and_previews_do_not_disturb_the_training(tmp_path):
    quiet = trained(small("model=cgan", "steps=4", *WIDTHS), tmp_path / "quiet")
    busy = ("metrics=fd_random", "metrics.count=64", "every.evaluate=1")
    noisy = trained(
        small("model=cgan", "steps=4", *WIDTHS, *busy, "every.preview=1", "every.checkpoint=1"),
        tmp_path / "noisy",
    )
    left, right = tensors_of(quiet), tensors_of(noisy)
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert noisy.scores.objective is not None
    assert (tmp_path / "noisy/checkpoints/best.pt").exists()
    assert len(list((tmp_path / "noisy/samples").glob("samples*.png"))) == 4


RANKS = """
import sys, torch
from pathlib import Path
from unittest import mock
from tests.helpers import small, tensors_of, trained

torch.set_num_threads(1)
folder = Path(sys.argv[1])
config = small(*sys.argv[2:])
import os
import shutil
rank = os.environ["RANK"]
seen = []
from gan_cli.training.turns import Turns
backward = Turns.backward
def spy(self, *arguments):
    terms = backward(self, *arguments)
    seen.append(float(terms.losses["adversarial"]))  # of this process; others are means of all
    return terms
Turns.backward = spy
run = trained(config, folder / f"rank{rank}")
torch.save({"tensors": tensors_of(run), "losses": seen}, folder / f"{rank}.pt")
run.runtime.processes.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["nonsaturating", "wgan_gp"])
def test_two_ranks_stay_equal_and_see_different_data(loss, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = [f"loss={loss}", "model.networks.generator.norm=none", "loss.critic_norm=none"]
    settings += ["every={log: 2, preview: 1, evaluate: 1, checkpoint: 1}", "steps=3"]
    settings += ["metrics=fd_random", "metrics.count=64"]
    processes = []
    for rank in range(2):
        environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        environment["PYTHONPATH"] = str(REPOSITORY)
        command = [sys.executable, "-c", RANKS, str(tmp_path), *settings, *WIDTHS]
        processes.append(subprocess.Popen(command, env=environment, cwd=REPOSITORY))
    assert [process.wait(timeout=240) for process in processes] == [0, 0]
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    for name, value in one["tensors"].items():
        assert torch.equal(value, two["tensors"][name]), name
    assert one["losses"] != two["losses"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_a_compiled_turn_plays_like_an_eager_one(tmp_path):
    """R1 and R2 differentiate twice, which a compiled network alone could not."""
    widths = [f"model.networks.{role}.width=16" for role in ("generator", "discriminator")]
    settings = ("model=mlp", "loss=r3gan", "steps=1", *widths)
    eager = logged(trained(small(*settings), tmp_path / "eager").folder)[0]
    compiled = trained(small(*settings, "device.compile=true"), tmp_path / "compiled")
    assert set(compiled.turns.compiled) == {
        ("discriminator", (("r1", "r2"), False)),
        ("generator", ()),
    }
    for name in ("discriminator/r1", "discriminator/real_logits"):  # what no noise enters
        assert logged(compiled.folder)[0][name] == pytest.approx(eager[name], rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(("wanted", "expected"), [("auto", True), (True, True), (False, False)])
def test_memory_format_of_networks(wanted, expected):
    runtime = Runtime(Device(accelerator="cpu", channels_last=wanted))
    networks = runtime.place(nn.ModuleDict({"generator": nn.Conv2d(4, 8, 3)}))
    weight = networks["generator"].weight
    assert weight.is_contiguous(memory_format=torch.channels_last) is expected


def test_memory_format_is_left_alone_on_mps():
    with mock.patch("gan_cli.runtime.runtime.pick_device", return_value=torch.device("mps")):
        assert not Runtime(Device()).channels_last
