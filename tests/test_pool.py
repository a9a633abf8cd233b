"""The pool of past fakes obeys its law: stored until full, then exchanged by a fair coin."""

import random
from collections import Counter

import pytest
import torch

from gan_cli.games.pool import Pool


def images(numbers):
    """Images of 1 x 2 x 2 pixels whose value is their number."""
    return torch.tensor(list(numbers), dtype=torch.float32)[:, None, None, None].expand(-1, 1, 2, 2)


def numbers(images):
    assert torch.equal(images, images[:, :, :1, :1].expand_as(images))
    return images[:, 0, 0, 0].int().tolist()


def exchanged(size, count, batch):
    """Puts the numbers 0 to count - 1 through a pool; returns what comes out and what is left."""
    torch.manual_seed(0)
    pool = Pool(size)
    given = images(range(count)).split(batch)
    out = [number for part in given for number in numbers(pool.exchange(part))]
    return out, numbers(pool.images[: int(pool.filled)])


@pytest.mark.parametrize("batch", [1, 3, 8, 64])
def test_what_comes_out_and_what_is_left_is_what_went_in(batch):
    out, left = exchanged(size=10, count=640, batch=batch)
    assert out[:10] == list(range(10))  # stored, and shown at once
    assert Counter(out[10:] + left) == Counter(range(640))  # these are each shown once
    assert len(left) == 10


def plain_exchange(size, count):
    """The law in plain Python; returns the ages of what comes out after the pool is full."""
    draw, pool, ages = random.Random(1), [], []
    for number in range(count):
        if len(pool) < size:
            pool.append(number)
        elif draw.random() < 0.5:
            place = draw.randrange(size)
            ages.append(number - pool[place])
            pool[place] = number
        else:
            ages.append(0)
    return ages


@pytest.mark.parametrize("batch", [1, 8])
def test_ages_have_the_distribution_of_the_plain_law(batch):
    count, size = 4000, 5
    expected = plain_exchange(size, count)
    out, _ = exchanged(size, count, batch)
    found = [i - number for i, number in enumerate(out)][size:]
    assert len(found) == len(expected)
    for bound in (0, 1, 5, 10, 20, 40):  # their standard deviation is 0.008 at most
        shares = [sum(age <= bound for age in ages) / len(ages) for ages in (found, expected)]
        assert abs(shares[0] - shares[1]) < 0.045, bound
    assert abs(found.count(0) / len(found) - 0.5) < 0.035


def test_without_a_pool_the_fakes_are_shown():
    fakes = images(range(4))
    assert Pool(0).exchange(fakes) is fakes


def test_fakes_are_kept_without_their_graph_and_in_full_precision():
    pool = Pool(4)
    fakes = torch.rand(4, 1, 2, 2, dtype=torch.bfloat16).requires_grad_()
    shown = pool.exchange(fakes * 1)
    assert shown.dtype == torch.bfloat16
    assert not shown.requires_grad
    assert pool.images.dtype == torch.float32
    assert torch.equal(pool.images, fakes.detach().float())


@pytest.mark.parametrize("stored", [2, 6])
def test_a_restored_pool_continues_alike(stored):
    pool, other = Pool(4), Pool(4)
    pool.exchange(images(range(stored)))
    other.load_state_dict(pool.state_dict(), torch.device("cpu"))
    for which in (pool, other):
        torch.manual_seed(3)
        which.result = numbers(which.exchange(images(range(10, 20))))
    assert pool.result == other.result
    assert torch.equal(pool.images, other.images)


def test_a_pool_restored_with_another_size_has_as_many_as_fit():
    pool = Pool(4)
    pool.exchange(images(range(4)))
    for size in (2, 8):
        other = Pool(size)
        other.load_state_dict(pool.state_dict(), torch.device("cpu"))
        assert numbers(other.images[: int(other.filled)]) == list(range(min(size, 4)))
        other.exchange(images(range(10, 20)))


def test_images_of_another_shape_start_a_new_pool():
    pool = Pool(4)
    pool.exchange(images(range(4)))
    pool.exchange(torch.ones(1, 3, 4, 4))
    assert pool.images.shape == (4, 3, 4, 4)
    assert int(pool.filled) == 1
