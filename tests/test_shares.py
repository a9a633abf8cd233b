"""The samples of a score are drawn by all processes of a run."""

import json
from pathlib import Path

import pytest
import torch

from gan_cli.evaluation.shares import joined, part_of, share_of
from gan_cli.games.request import Request
from gan_cli.metrics.frechet import Moments
from gan_cli.metrics.metric import Collected
from tests.ranks import train_together


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200, 1000, 2000])
@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_shares_are_whole_batches_that_follow_each_other(count, world):
    shares = [share_of(count, rank, world) for rank in range(world)]
    assert [row for share in shares for row in share] == list(range(count))
    batches = [-(-len(share) // 64) for share in shares]
    assert max(batches) - min(batches) <= 1
    assert all(share.start % 64 == 0 or share.start == count for share in shares)


def test_a_part_of_a_request_is_that_part_of_its_batches():
    loaded: list[list[int]] = []

    class Inputs:
        def __getitem__(self, index: list[int]) -> torch.Tensor:
            loaded.append(index)
            return torch.tensor(index)

    whole = Request(range(100, 110), torch.arange(10), {"source": Inputs()})
    part = part_of(whole, range(4, 9))
    assert not loaded
    assert list(part.seeds) == [104, 105, 106, 107, 108]
    (batch, _) = part.batches(4)
    assert batch.given["source"].tolist() == [4, 5, 6, 7]
    assert batch.label.tolist() == [4, 5, 6, 7]


def test_joined_shares_are_the_whole():
    points = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    shares = [points[:32], points[32:32], points[32:]]
    parts = [
        Collected(len(x), Moments.of(x), features=x, labels=x[:, 0].long()) if len(x) else
        Collected(0) for x in shares
    ]  # fmt: skip
    whole = joined(parts)
    assert whole.count == 50
    assert torch.equal(whole.features, points)
    assert torch.equal(whole.labels, points[:, 0].long())
    torch.testing.assert_close(whole.moments.covariance, Moments.of(points).covariance)


SPY = """
from gan_cli.games import draw
from gan_cli.evaluation import metric_set
original = metric_set.draw
def spied(game, request, *rest):
    with open(f"drawn-{rank}.txt", "a") as file:
        file.write(f"{request.seeds[0] if len(request) else 0} {len(request)}\\n")
    return original(game, request, *rest)
metric_set.draw = spied
"""
WORDS = ("steps=2", "every.evaluate=2", "metrics=fd_random", "metrics.count=150")
WORDS += ("metrics.compute={fd: {}, prdc: {}}", "score_scale=false", "dataset.count=200")


def drawn_by(folder: Path, rank: int) -> list[str]:
    return (folder / f"drawn-{rank}.txt").read_text().splitlines()


def values_of(folder: Path) -> dict[str, float]:
    return json.loads((folder / "outputs/test/cards/last.json").read_text())["values"]


@pytest.mark.slow
def test_two_processes_score_what_one_would_score(tmp_path):
    """The networks of both runs are equal at the start, and nothing is trained."""
    for world in (1, 2):
        folder = tmp_path / str(world)
        folder.mkdir()
        ended = train_together(folder, *WORDS, "optimizer.lr=1e-12", code=SPY, world=world)
        assert ended.statuses == [0] * world, ended.errors
    one, two = (values_of(tmp_path / name) for name in "12")
    assert two == pytest.approx(one, rel=1e-4)
    assert drawn_by(tmp_path / "1", 0) == ["0 150"]
    assert drawn_by(tmp_path / "2", 0) == ["0 64"]
    assert drawn_by(tmp_path / "2", 1) == ["64 86"]


FAILING = (
    SPY
    + """
from gan_cli.utils.errors import *
def failing(game, request, *rest):
    if rank == CULPRIT:
        raise ERROR
    return original(game, request, *rest)
metric_set.draw = failing
"""
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("culprit", "error", "status", "words"),
    [
        (1, "ConfigError('metrics: mine')", 2, "metrics: mine"),
        (0, "NonFiniteError('samples are not finite')", 3, "generated samples are not finite"),
    ],
)
def test_an_error_while_a_share_is_drawn_ends_all(culprit, error, status, words, tmp_path):
    code = FAILING.replace("CULPRIT", str(culprit)).replace("ERROR", error)
    ended = train_together(tmp_path, *WORDS, "steps=5", code=code)
    assert ended.statuses == [status, status], ended.errors
    (line,) = ended.messages
    assert words in line
    assert ended.seconds < 60
