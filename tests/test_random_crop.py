"""Feeds cut images at random places, which depend on the number of the batch alone."""

from itertools import islice

import pytest
import torch

from gan_cli.data.feeds.decode import crop
from gan_cli.data.feeds.feed import open_feed
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.random_crop import RandomCrop
from gan_cli.utils.errors import ConfigError

HEIGHT, WIDTH, CROP = 9, 12, (8, 8)


def whole(count=6):
    """Images whose pixels say where they are, in stored form, with the sample in the channel 2."""
    rows, columns = torch.arange(HEIGHT)[:, None], torch.arange(WIDTH)[None]
    place = torch.stack(
        [rows.expand(HEIGHT, WIDTH), columns.expand(HEIGHT, WIDTH), torch.zeros(HEIGHT, WIDTH)]
    )
    images = place.to(torch.uint8).repeat(count, 1, 1, 1)
    images[:, 2] = torch.arange(count)[:, None, None]
    return InMemory({"real": images})


def feed_of(dataset, resident, batch_size=4, rank=0, world=1):
    return open_feed(
        dataset,
        batch_size=batch_size,
        seed=3,
        rank=rank,
        world=world,
        device=torch.device("cpu"),
        resident=resident,
        resident_gib=1,
        workers=0,
    )


def corners_of(batch):
    """Row and column of the first pixel of each crop, and its sample."""
    stored = ((batch["real"] + 1) * 127.5).round()
    assert torch.equal(stored[:, 0, -1, 0] - stored[:, 0, 0, 0], torch.full((len(stored),), 7.0))
    assert torch.equal(stored[:, 1, 0, -1] - stored[:, 1, 0, 0], torch.full((len(stored),), 7.0))
    return stored[:, :, 0, 0].int().tolist()


@pytest.mark.parametrize("resident", [True, False])
def test_batches_have_the_size_of_crops_and_all_places_occur(resident):
    feed = feed_of(RandomCrop(whole(), CROP, "dataset.crop"), resident)
    places = [corners_of(batch) for batch in islice(feed.batches(0), 60)]
    found = [(row, column) for batch in places for row, column, _ in batch]
    counts = {place: found.count(place) for place in set(found)}
    assert counts.keys() == {(row, column) for row in range(2) for column in range(5)}
    assert all(8 <= count <= 45 for count in counts.values())  # 24 expected, s.d. 4.6
    samples = [sample for batch in places for *_, sample in batch]
    assert all(samples.count(i) == 40 for i in range(6))
    later = next(feed.batches(31))
    assert corners_of(later) == places[31]
    feed.close()


def test_resident_and_streamed_crops_are_the_same():
    dataset = RandomCrop(whole(), CROP, "dataset.crop")
    feeds = [feed_of(dataset, resident) for resident in (True, False)]
    for left, right in islice(zip(*(f.batches(0) for f in feeds), strict=True), 5):
        assert torch.equal(left["real"], right["real"])


def test_ranks_split_the_crops_of_one_process():
    dataset = RandomCrop(whole(), CROP, "dataset.crop")
    alone = next(feed_of(dataset, True).batches(2))["real"]
    parts = [next(feed_of(dataset, True, 2, rank, 2).batches(2))["real"] for rank in range(2)]
    assert torch.equal(alone, torch.stack(parts, 1).flatten(0, 1))


def test_samples_by_index_are_cut_in_the_middle():
    dataset = RandomCrop(whole(), (5, 4), "dataset.crop")
    assert dataset.spec.shape == (3, 5, 4)
    assert dataset[1]["real"][:, 0, 0].tolist() == [2, 4, 1]
    assert torch.equal(dataset.tensors()["real"][1], dataset[1]["real"])


def test_the_last_corner_is_within_the_image():
    nearly_one = torch.full((6, 2), 1.0).nextafter(torch.tensor(0.0))
    fields = RandomCrop(whole(), CROP, "dataset.crop").spec.fields
    cut = crop(whole().tensors(), fields, nearly_one)
    assert cut["real"][0, :2, 0, 0].tolist() == [1, 4]


def test_crops_larger_than_the_images_are_refused():
    with pytest.raises(ConfigError, match=r"dataset\.crop: crops of 10 x 10 .* dataset\.crop=9"):
        RandomCrop(whole(), (10, 10), "dataset.crop")
