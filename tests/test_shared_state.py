"""What the processes of a run share: networks and statistics, terms, checkpoints and settings."""

import pytest
import torch
from PIL import Image

from gan_cli.data.feeds.batch_sampler import BatchSampler
from tests.ranks import train_together

pytestmark = pytest.mark.slow

FINISHED = """
from tests.helpers import tensors_of
import torch
def finished(run):
    state = {"augment": run.game.state_dict(), "step": run.step, "drawn": run.drawn}
    torch.save({"tensors": tensors_of(run), **state}, f"rank-{rank}.pt")
"""


def tensors_at(folder, rank):
    return torch.load(folder / f"rank-{rank}.pt", weights_only=True)


def test_statistics_of_batch_norm_are_those_of_all_processes(tmp_path):
    ended = train_together(tmp_path, "steps=2", "model=dcgan", code=FINISHED)
    assert ended.statuses == [0, 0], ended.errors
    first, second = (tensors_at(tmp_path, rank)["tensors"] for rank in (0, 1))
    names = [name for name in first if "running_" in name]
    assert any(name.startswith("average.") for name in names)
    assert any(name.startswith("live.discriminator") for name in names)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_statistics_are_the_mean_over_processes(tmp_path):
    code = FINISHED + (
        "from gan_cli.runtime.runtime import Runtime\n"
        "average, own = Runtime.average_buffers, []\n"
        "def spied(self, networks):\n"
        "    own.append({k: v.clone() for k, v in networks.named_buffers()})\n"
        "    average(self, networks)\n"
        "    own.append({k: v.clone() for k, v in networks.named_buffers()})\n"
        "    torch.save(own, f'buffers-{rank}.pt')\n"
        "Runtime.average_buffers = spied\n"
    )
    assert train_together(tmp_path, "steps=1", "model=dcgan", code=code).statuses == [0, 0]
    (mine, mean), (other, _) = (
        torch.load(tmp_path / f"buffers-{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    names = [name for name in mean if name.endswith(("running_mean", "running_var"))]
    assert names
    for name in names:
        assert torch.allclose(mean[name], (mine[name] + other[name]) / 2)
    assert any(not torch.equal(mine[name], other[name]) for name in names)


def test_an_adaptive_rule_sees_the_terms_of_all_processes(tmp_path):
    code = (
        "from gan_cli.games.game import Game\n"
        "from gan_cli.training.turns import Turns\n"
        "import torch\n"
        "seen, own = [], []\n"
        "backward = Turns.backward\n"
        "def spied(self, *arguments):\n"
        "    terms = backward(self, *arguments)\n"
        "    own.append(float(terms.losses['adversarial']))\n"
        "    return terms\n"
        "Turns.backward = spied\n"
        "after = Game.after_critic\n"
        "def adapt(self, terms):\n"
        "    seen.append(float(terms.losses['adversarial']))\n"
        "    after(self, terms)\n"
        "Game.after_critic = adapt\n"
        "def finished(run):\n"
        "    torch.save({'seen': seen, 'own': own}, f'terms-{rank}.pt')\n"
    )
    assert train_together(tmp_path, "steps=2", code=code).statuses == [0, 0]
    first, second = (
        torch.load(tmp_path / f"terms-{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    assert first["seen"] == second["seen"]
    assert first["own"] != second["own"]
    critics = [(a + b) / 2 for a, b in zip(first["own"][1::2], second["own"][1::2], strict=True)]
    assert first["seen"] == pytest.approx(critics, rel=1e-6)


def test_all_processes_resume_from_the_checkpoint_of_the_first(tmp_path):
    whole = tmp_path / "whole"
    parts = tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    keep = ("every.checkpoint=1", "model=dcgan")
    assert train_together(whole, "steps=3", *keep, code=FINISHED).statuses == [0, 0]
    assert train_together(parts, "steps=2", *keep).statuses == [0, 0]
    # As on machines that do not share their disks: the second process finds no checkpoint.
    hidden = (
        "from gan_cli.checkpoints.files import Checkpoints\n"
        "if rank == 1: Checkpoints.latest = lambda self: None\n"
    )
    ended = train_together(parts, "steps=3", *keep, code=hidden + FINISHED)
    assert ended.statuses == [0, 0], ended.errors
    for rank in (0, 1):
        found, wanted = tensors_at(parts, rank), tensors_at(whole, rank)
        assert found["step"] == 3
        for name, value in wanted["tensors"].items():
            assert torch.equal(found["tensors"][name], value), name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "from gan_cli.data.sets.synthetic import Synthetic as S\n"
            "if rank == 1: S.fingerprint = lambda self: 'other'\n",
            "dataset: its content",
        ),
        (
            "import tests.helpers as h\nif rank == 1: h.SMALL = (*h.SMALL, 'loss=wgan')\n",
            "loss.adversarial.name",
        ),
    ],
)
def test_processes_with_other_data_or_settings_are_refused(change, words, tmp_path):
    ended = train_together(tmp_path, code=change)
    assert ended.statuses == [2, 2], ended.errors
    assert len(ended.messages) == 1
    assert "process 1 has other settings or data than process 0" in ended.messages[0]
    assert words in ended.errors[0]


def test_previews_have_all_samples_however_many_processes_share_a_batch(tmp_path):
    alone, both = tmp_path / "alone", tmp_path / "both"
    alone.mkdir(), both.mkdir()
    for folder, world in ((alone, 1), (both, 2)):
        ended = train_together(folder, "steps=1", "every.preview=1", world=world)
        assert set(ended.statuses) == {0}, ended.errors
    for name in ("real-0000000.png", "samples-0000001.png"):
        pictures = [folder / "outputs/test/samples" / name for folder in (alone, both)]
        assert Image.open(pictures[0]).size == Image.open(pictures[1]).size


def test_a_run_goes_on_with_other_numbers_of_processes(tmp_path):
    """A batch is that of all processes: its samples, and the number of steps, stay the same."""
    words = ("batch_size=12", "every.checkpoint=1", "model=dcgan")
    spy = FINISHED + (
        "from gan_cli.data.feeds.batch_sampler import BatchSampler\n"
        "batch, seen = BatchSampler.batch, []\n"
        "def spied(self, number, device):\n"
        "    found = batch(self, number, device)\n"
        "    seen.append((number, found[0].tolist()))\n"
        "    torch.save(seen, f'batches-{rank}.pt')\n"
        "    return found\n"
        "BatchSampler.batch = spied\n"
    )
    sampler, begin = BatchSampler(64, 12, 0, 0, 1), 0
    for steps, world in ((2, 2), (3, 1), (4, 3)):
        ended = train_together(tmp_path, f"steps={steps}", *words, code=spy, world=world)
        assert ended.statuses == [0] * world, ended.errors
        shares = [dict(torch.load(tmp_path / f"batches-{rank}.pt")) for rank in range(world)]
        for number in range(begin, steps):
            together = sorted(i for share in shares for i in share[number])
            assert together == sorted(sampler.batch(number, torch.device("cpu"))[0].tolist())
        assert [tensors_at(tmp_path, rank)["step"] for rank in range(world)] == [steps] * world
        begin = steps


def test_waiting_too_long_for_another_process_names_the_key(tmp_path):
    code = (
        "import time, gan_cli.runtime.failures as failures\n"
        "from gan_cli.training.turns import Turns\n"
        "failures.GRACE, failures.PATIENCE = 0.5, 0.5\n"
        "play = Turns.play\n"
        "def slow(self, *arguments):\n"
        "    if rank == 1: time.sleep(60)\n"
        "    return play(self, *arguments)\n"
        "Turns.play = slow\n"
    )
    ended = train_together(tmp_path, "steps=2", "device.timeout=0.05", code=code)
    assert ended.statuses == [1, 1]
    (line,) = ended.messages
    assert "has waited too long for another one; raise device.timeout (minutes)" in line
    assert ended.seconds < 50
