"""A turn that runs out of memory is played again with its batch in twice as many parts."""

import json
from pathlib import Path

import pytest
import torch

from gan_cli.training.run import Run
from gan_cli.training.session import run_training
from gan_cli.training.shortage import splits
from gan_cli.utils.errors import OutOfMemoryError
from tests.helpers import small, tensors_of, trained

FULL = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has"
WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
LAYERS = ("loss.critic_norm=batch", "loss.critic_spectral_norm=true")  # both keep statistics


@pytest.fixture
def lacking(monkeypatch):
    """Plants an error after the loss of a turn is computed, if its part has too many samples."""

    def plant(step: int, player: str, most: int, error: Exception | None = None) -> None:
        raised = error or torch.OutOfMemoryError(FULL)
        played = Run.loop

        def loop(run, stop):
            turns = run.game.turns

            def planted(now):
                for turn in turns(now):
                    yield with_error(turn) if now >= step and turn.player == player else turn

            def with_error(turn):
                def loss(batch):
                    terms = turn.loss(batch)
                    if len(next(iter(batch.values()))) > most:
                        raise raised
                    return terms

                return type(turn)(turn.player, loss, turn.draw, turn.variant, turn.after)

            monkeypatch.setattr(run.game, "turns", planted)
            played(run, stop)

        monkeypatch.setattr(Run, "loop", loop)

    return plant


def same(one: Run, other: Run) -> None:
    left, right = tensors_of(one), tensors_of(other)
    assert left.keys() == right.keys()
    assert [name for name in left if not torch.equal(left[name], right[name])] == []


@pytest.mark.parametrize("model", ["dcgan", "cgan", "unrolled", "bigan", "acgan"])
def test_the_run_goes_on_as_one_with_more_parts(model, tmp_path, lacking):
    words = (
        f"model={model}",
        "every.checkpoint=2",
        "steps=5",
        *(LAYERS if model == "dcgan" else ()),
    )
    game = small(*words).model.networks
    words += tuple(f"model.networks.{role}.width=8" for role in game if "width" in game[role])
    trained(small(*words, "steps=2"), tmp_path / "split")
    run = trained(
        small(*words, "accumulate=4", "allow_changes=true"), tmp_path / "split"
    )  # from step 2 on
    assert run.turns.accumulate == 4
    first = next(iter(run.game.turns(2))).player
    lacking(step=2, player=first, most=2)
    short = trained(small(*words), tmp_path / "short")
    assert short.turns.accumulate == 4
    same(short, run)


def test_a_later_turn_of_a_step_is_split_alone(tmp_path, lacking, monkeypatch):
    words = (*LAYERS, *WIDTHS, "steps=4")
    lacking(step=1, player="discriminator", most=4)
    short = trained(small(*words), tmp_path / "short")
    monkeypatch.undo()
    play = Run.loop

    def loop(run, stop):
        turns = run.game.turns

        def split(step):
            for turn in turns(step):
                if step == 1 and turn.player == "discriminator":
                    run.turns.accumulate = 2
                yield turn

        monkeypatch.setattr(run.game, "turns", split)
        play(run, stop)

    monkeypatch.setattr(Run, "loop", loop)
    same(short, trained(small(*words), tmp_path / "split"))


def test_a_resumed_run_keeps_its_parts(tmp_path, lacking, monkeypatch):
    words = (*WIDTHS, "every.checkpoint=2")
    lacking(step=1, player="generator", most=4)
    whole = trained(small(*words, "steps=6"), tmp_path / "whole")
    trained(small(*words, "steps=4"), tmp_path / "resumed")
    monkeypatch.undo()  # the memory suffices again
    resumed = trained(small(*words, "steps=6"), tmp_path / "resumed")
    assert resumed.turns.accumulate == 2
    same(whole, resumed)
    typed = Run(small(*words, "accumulate=1", "steps=6"), tmp_path / "resumed")
    typed.resume()
    assert typed.turns.accumulate == 2
    changed = ("accumulate=4", "allow_changes=true")
    other = Run(small(*words, "steps=6", *changed), tmp_path / "resumed")
    other.resume()
    assert other.turns.accumulate == 4  # typed


def test_one_line_tells_it(tmp_path, lacking, capsys):
    lacking(step=1, player="generator", most=2)
    run_training(small(*WIDTHS, "steps=3"), tmp_path / "run", 0.0)
    told = [line for line in capsys.readouterr().out.splitlines() if "device memory" in line]
    assert len(told) == 2
    assert told[0].endswith(
        "device memory: out of memory (it takes another 20.00 GiB); accumulate=2 from step 2 on"
    )
    assert told[1].endswith("accumulate=4 from step 2 on")
    assert json.loads((tmp_path / "run/run.json").read_text())["accumulate"] == 4


def test_recorded_graphs_are_dropped(tmp_path, lacking, monkeypatch):
    dropped = []
    monkeypatch.setattr("gan_cli.training.turns.Turns.forget", lambda self: dropped.append(1))
    lacking(step=1, player="discriminator", most=4)
    trained(small(*WIDTHS, "steps=3"), tmp_path)
    assert dropped == [1]


@pytest.mark.parametrize("words", [(), ("model.game.packing=2",)])
def test_what_cannot_be_split_further_ends_the_run(words, tmp_path, lacking):
    lacking(step=1, player="discriminator", most=0)
    folder = tmp_path / "run"
    with pytest.raises(OutOfMemoryError, match=r"another 20.00 GiB.*lower batch_size"):
        run_training(small(*WIDTHS, "steps=3", "every.checkpoint=1", *words), folder, 0.0)
    parts = json.loads((folder / "run.json").read_text())["accumulate"]
    assert parts == (2 if words else 4)  # two samples, or two packs of two
    assert (folder / "checkpoints/step-0000001.pt").is_file()


def test_other_errors_are_not_tried_again(tmp_path, lacking):
    lacking(step=1, player="generator", most=0, error=RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        trained(small(*WIDTHS, "steps=3"), tmp_path)


def test_parts_are_equal_and_hold_whole_packs():
    batch = {"real": torch.zeros(12, 1), "label": torch.zeros(12)}
    assert [n for n in range(1, 13) if splits(batch, n, 1)] == [1, 2, 3, 4, 6]
    assert [n for n in range(1, 13) if splits(batch, n, 2)] == [1, 2, 3]


def test_checkpoints_of_earlier_versions_resume(tmp_path):
    words = (*WIDTHS, "every.checkpoint=1", "accumulate=2")
    trained(small(*words, "steps=1"), tmp_path)
    path: Path = tmp_path / "checkpoints/step-0000001.pt"
    state = torch.load(path)
    del state["accumulate"]
    torch.save(state, path)
    assert trained(small(*words, "steps=2"), tmp_path).turns.accumulate == 2
