"""What gan-sample does with an encoder, on a pair of networks whose answers are known."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from gan_cli.checkpoints.choice import run_folder
from gan_cli.data.sets import datasets
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Spec, image_spec
from gan_cli.networks import networks
from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.sampling.probes import probe
from gan_cli.sampling.tasks.anomaly import auroc
from gan_cli.utils.errors import ConfigError, StorageError
from tests import checkpoint_files
from tests.helpers import small, trained

SHAPE = (1, 4, 6)
LATENT = 24


class Unflatten(nn.Module):
    """A generator that shows its latent, times a weight."""

    latent_dim, prior = LATENT, "normal"

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.weight, self.shape = nn.Parameter(torch.ones(())), spec.shape

    def forward(self, latent, label=None):
        return (self.weight * latent).view(-1, *self.shape)


class Flatten(nn.Module):
    """An encoder that reads it again."""

    latent_dim = LATENT

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, image):
        return self.weight * image.flatten(1)


class Sums(nn.Module):
    """Features: the sum of the image, and that of the latent."""

    latent_dim = LATENT

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def features(self, image, latent):
        return torch.stack((image.flatten(1).sum(1), latent.sum(1)), 1)

    def forward(self, image, latent):
        return self.features(image, latent) @ torch.tensor([2.0, -3.0])


class Stripes(InMemory):
    """Class k: images that are bright in row k."""

    def __init__(self, *, count: int = 60, seed: int = 0) -> None:
        rng = torch.Generator().manual_seed(seed)
        label = torch.arange(count) % 3
        images = torch.randint(0, 40, (count, *SHAPE), generator=rng, dtype=torch.uint8)
        images[torch.arange(count), 0, label] += 200
        super().__init__({"real": images, "label": label}, 3, ("zero", "one", "two"))


NODES = {
    "generator": {"name": "unflatten"},
    "encoder": {"name": "flatten"},
    "discriminator": {"name": "sums"},
}


@pytest.fixture(autouse=True)
def workshop(monkeypatch, tmp_path):
    for name, network in (("unflatten", Unflatten), ("flatten", Flatten), ("sums", Sums)):
        monkeypatch.setitem(networks.entries, name, network)
    monkeypatch.setitem(datasets.entries, "stripes", Stripes)
    monkeypatch.chdir(tmp_path)


def saved(gain: float = 1.0, roles=tuple(NODES), shape: tuple[int, ...] = SHAPE) -> None:
    """A checkpoint of outputs/x whose reconstructions are `gain` times the image."""
    averages = {role: {"weight": torch.ones(())} for role in roles if role != "discriminator"}
    averages["generator"] = {"weight": torch.tensor(gain)}
    state = checkpoint_files.state_of(
        {role: NODES[role] for role in roles},
        image_spec(shape, 3),
        game="bigan",
        averages=averages,
        dataset={"name": "stripes", "count": 60, "seed": 0},
    )
    checkpoint_files.write(state)


def run(task: str, **keys) -> tuple[dict[str, Path], str]:
    """Files by name, and what is told."""
    keys = {"run": "x", "output": f"out-{task}", "device": {"accelerator": "cpu"}, **keys}
    if "input" not in keys:
        keys.setdefault("dataset", {"seed": 1})  # of the training, with other noise
    told = perform(checked_options({"task": task, **keys}), run_folder("x"))
    return {path.name: path for path in Path(keys["output"]).iterdir()}, told


def pixels(seed: int = 1) -> torch.Tensor:
    return Stripes(seed=seed).stacked["real"]


# ---- Pictures


def test_reconstructions_stand_beside_their_images():
    saved(gain=0.5)
    files, told = run("reconstruct", dataset={"seed": 1, "count": 8})
    real = Stripes(count=8, seed=1).stacked["real"]
    expected = ((real / 127.5 - 1) / 2 + 1) * 127.5
    arrays = np.load(files["reconstructions.npz"])
    assert np.array_equal(arrays["images"][..., 0], expected.round().byte()[:, 0].numpy())
    error = ((real / 127.5 - 1).abs() / 2).flatten(1).mean(1)
    np.testing.assert_allclose(arrays["error"], error, rtol=1e-5)
    assert f"mean absolute error: {error.mean():.4f}" in told
    picture = np.asarray(Image.open(files["reconstructions.png"]))
    assert np.array_equal(picture[:4, :6], real[0, 0].numpy())
    assert np.array_equal(picture[:4, 8:14], arrays["images"][0, ..., 0])


def test_codes_come_with_names_and_labels():
    saved(shape=(1, 8, 8))
    images = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    for k, image in enumerate(images):
        Path(f"photos/{'ab'[k % 2]}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(f"photos/{'ab'[k % 2]}/{k}.png")
    files, _ = run("encode", input="photos")
    arrays = np.load(files["latents.npz"])
    assert arrays["names"].tolist() == ["a/0.png", "a/2.png", "b/1.png", "b/3.png"]
    assert arrays["labels"].tolist() == [0, 0, 1, 1]
    expected = (images[[0, 2, 1, 3]] / 127.5 - 1).flatten(1)
    np.testing.assert_allclose(arrays["latents"], expected, atol=1e-6)


def test_npz_files_are_read_as_gan_sample_writes_them():
    saved()
    np.savez("some.npz", images=pixels()[:5].permute(0, 2, 3, 1).numpy())
    files, _ = run("encode", input="some.npz")
    arrays = np.load(files["latents.npz"])
    assert arrays["latents"].shape == (5, LATENT)
    assert "labels" not in arrays.files


def test_a_way_starts_and_ends_at_its_images():
    saved()
    files, _ = run("interpolate", dataset={"seed": 1, "count": 3}, interpolate=2)
    strip = np.asarray(Image.open(files["strip.png"]))
    assert strip.shape == (2 * 4 + 2, 6 * 6 + 5 * 2)
    for row in range(2):
        tiles = [strip[6 * row : 6 * row + 4, 8 * k : 8 * k + 6] for k in range(6)]
        first, last = (Stripes(count=3, seed=1).stacked["real"][row + k, 0] for k in (0, 1))
        assert np.array_equal(tiles[0], first.numpy())
        assert np.array_equal(tiles[5], last.numpy())
        for tile, end in (tiles[1], first), (tiles[4], last):  # the pair inverts itself
            assert np.abs(tile.astype(int) - end.numpy().astype(int)).max() <= 1


# ---- Anomalies


class Crowded(Sums):
    """The features of a minibatch layer: beside its own, the sum over the batch."""

    def features(self, image, latent):
        own = super().features(image, latent)
        return own + own.sum(0)


@pytest.mark.parametrize("critic", ["minibatch", "packs"])
def test_scores_that_depend_on_other_samples_are_left_out(critic, monkeypatch):
    if critic == "minibatch":
        monkeypatch.setitem(networks.entries, "sums", Crowded)
    else:
        monkeypatch.setattr(Autoencoder, "discriminator", lambda self: None)
    saved(gain=0.5)
    few, told = run("anomaly", dataset={"seed": 1, "count": 3}, output="few")
    assert "scores of the discriminator are left out" in told
    many, _ = run("anomaly", dataset={"seed": 1, "count": 9}, output="many")
    tables = []
    for files in (few, many):
        with open(files["anomaly.csv"]) as handle:
            tables.append({row["name"]: row for row in csv.DictReader(handle)})
    assert all(tables[1][name] == row for name, row in tables[0].items())
    assert not {"features", "discriminator", "egbad"} & set(tables[0]["0"])


def test_scores_are_those_of_egbad():
    saved(gain=0.5)
    files, _ = run("anomaly", dataset={"seed": 1, "count": 9}, anomalous=["two"])
    with open(files["anomaly.csv"]) as handle:
        rows = {int(row["name"]): row for row in csv.DictReader(handle)}
    images = Stripes(count=9, seed=1).stacked["real"] / 127.5 - 1
    for k, image in enumerate(images):
        reconstruction = image.abs().sum().item() / 2
        features = abs(image.sum().item()) / 2  # that of the latent is the same in both pairs
        unexplained = (image / 2).square().mean().item() / image.var(correction=0).item()
        doubt = image.sum().item()  # -(2 - 3) times: this encoder's latent is the image
        row = rows[k]
        assert row["label"] == ("zero", "one", "two")[k % 3]
        assert row["anomalous"] == str(int(k % 3 == 2))
        assert float(row["reconstruction"]) == pytest.approx(reconstruction, rel=1e-4)
        assert float(row["features"]) == pytest.approx(features, rel=1e-3)
        assert float(row["unexplained"]) == pytest.approx(unexplained, rel=1e-4)
        assert float(row["discriminator"]) == pytest.approx(doubt, rel=1e-3)
        expected = 0.9 * reconstruction + 0.1 * features
        assert float(row["egbad"]) == pytest.approx(expected, rel=1e-4)
    assert Image.open(files["residuals.png"]).size[1] == 6 * 4 + 5 * 2


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_the_share_of_pairs_in_the_right_order(pairs):
    score, strange = (torch.tensor(column) for column in zip(*pairs, strict=True))
    if strange.any() and not strange.all():
        difference = score[strange][:, None] - score[~strange]  # (anomalies, normal images)
        expected = (difference > 0).double().mean() + (difference == 0).double().mean() / 2
        assert auroc(score.float(), strange) == pytest.approx(expected.item())


def test_labels_are_needed_to_know_what_is_anomalous():
    saved()
    np.savez("some.npz", images=pixels()[:5].permute(0, 2, 3, 1).numpy())
    with pytest.raises(ConfigError, match="a sub-folder for each class"):
        run("anomaly", input="some.npz", anomalous=1)
    with pytest.raises(ConfigError, match="and of others"):
        run("anomaly", anomalous=["zero", "one", "two"])
    with pytest.raises(ConfigError, match="did you mean 'two'"):
        run("anomaly", anomalous="towo")


# ---- Evaluation


def test_a_pair_that_inverts_itself_makes_no_error():
    saved()
    files, _ = run("evaluate")
    values = json.loads(files["evaluation.json"].read_text())
    assert values["reconstruction_l1"] == pytest.approx(0, abs=1e-6)
    assert values["latent_mse"] == pytest.approx(0, abs=1e-6)
    real = pixels().double() / 127.5 - 1
    assert values["mean_image_mse"] == pytest.approx(real.var(0, correction=0).mean().item())
    assert values["nn_accuracy_pixels"] == values["probe_accuracy_features"] == 1


def test_errors_of_a_pair_that_does_not():
    """G(E(x)) = x / 2: an error of x / 2 in images, and of z / 2 in latents."""
    saved(gain=0.5)
    values = json.loads(run("evaluate")[0]["evaluation.json"].read_text())
    real = pixels().double() / 127.5 - 1
    assert values["reconstruction_mse"] == pytest.approx((real / 2).square().mean().item())
    assert values["latent_mse"] == pytest.approx(1 / 4, rel=0.15)  # E z^2 = 1, of 60 x 24 draws


def test_accuracies_are_scikit_learns():
    saved()
    values = json.loads(run("evaluate", dataset={"seed": 3})[0]["evaluation.json"].read_text())
    train, test = Stripes(seed=0), Stripes(seed=3)
    (x, y), (u, v) = (
        ((d.stacked["real"] / 127.5 - 1).flatten(1).numpy(), d.stacked["label"].numpy())
        for d in (train, test)
    )
    knn = KNeighborsClassifier(1).fit(x, y).score(u, v)
    assert values["nn_accuracy_latent"] == pytest.approx(knn)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_the_probe_is_a_standardized_logistic_regression(seed):
    rng = torch.Generator().manual_seed(seed)
    train, test = torch.randn(2, 80, 4, generator=rng) * torch.tensor([1.0, 5, 0.1, 2])
    labels = (train[:, 0] + 0.3 * torch.randn(80, generator=rng) > 0).long()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    expected = model.fit(train.numpy(), labels.numpy()).predict(test.numpy())
    agreement = (probe(train, labels, test).numpy() == expected).mean()
    assert agreement >= 0.98  # its deviation has N in the denominator, ours N - 1


def test_what_was_trained_on_proves_nothing():
    saved()
    with pytest.raises(ConfigError, match="is what the model was trained on"):
        run("evaluate", dataset={"seed": 0})


# ---- Refusals


def test_a_checkpoint_without_encoder_is_refused_with_advice():
    saved(roles=("generator", "discriminator"))
    with pytest.raises(ConfigError, match=r"needs an encoder.*train with model=bigan"):
        run("reconstruct")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"task": "encode"}, "input: task=encode needs samples; type input=FOLDER"),
        (
            {"task": "encode", "dataset": {}, "input": "."},
            "input: excludes dataset; leave one of them out",
        ),
        ({"task": "encode", "input": "absent"}, "input: no file or folder absent"),
        ({"task": "encode", "input": ".", "seeds": "0-3"}, "seeds: does nothing with task=encode"),
        (
            {"task": "encode", "input": ".", "interpolate": 3},
            "interpolate: does nothing with task=encode",
        ),
        ({"task": "encode", "input": ".", "anomalous": 3}, "anomalous: does nothing"),
        ({"strength": 2.0}, "strength: does nothing with task=sample"),
        ({"task": "decode"}, "task: unknown task 'decode'; did you mean 'encode'"),
    ],
)
def test_keys_that_mean_nothing_are_refused_before_a_checkpoint_is_opened(keys, told):
    with pytest.raises(ConfigError, match=told):
        perform(checked_options({"run": "x", **keys}), Path("outputs/none"))


def test_a_model_of_latents_takes_no_inputs():
    saved(roles=("generator", "discriminator", "encoder"))
    told = "input: the model draws samples from seeds only; leave it out"
    with pytest.raises(ConfigError, match=told):
        run("sample", input=".")
    with pytest.raises(ConfigError, match=told):
        run("sample", dataset={"seed": 1})


def test_images_of_another_shape_are_refused_with_advice():
    saved()
    np.savez("some.npz", images=np.zeros((2, 8, 8, 1), np.uint8))
    with pytest.raises(
        ConfigError, match=r"shape \(1, 8, 8\), and the model takes image of shape \(1, 4, 6\)"
    ):
        run("encode", input="some.npz")
    with pytest.raises(ConfigError, match="count: is 100, and there are 60 samples"):
        run("encode", count=100)


def test_a_folder_that_cannot_be_written_is_a_storage_error(monkeypatch):
    saved()

    def full(*args, **arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StorageError, match="No space left on device"):
        run("encode")


# ---- Classes left out


def test_classes_can_be_left_out():
    whole = datasets.build({"name": "mnist_5k"}, where="dataset")
    rest = datasets.build({"name": "mnist_5k", "without": [9, 3]}, where="dataset")
    assert len(rest) == 4000
    assert rest.spec == whole.spec
    assert rest.labels().bincount(minlength=10).tolist() == [500] * 3 + [0] + [500] * 5 + [0]
    kept = (whole.labels() != 9) & (whole.labels() != 3)
    assert torch.equal(rest.tensors()["real"], whole.tensors()["real"][kept])
    assert rest.fingerprint() != whole.fingerprint()


@pytest.mark.parametrize(
    ("without", "told"),
    [(["12"], "dataset.without: unknown class '12'"), (list("0123456789"), "names all classes")],
)
def test_classes_that_cannot_be_left_out(without, told):
    with pytest.raises(ConfigError, match=told):
        datasets.build({"name": "mnist_5k", "without": without}, where="dataset")


def test_a_trained_bigan_goes_through_every_task(tmp_path):
    widths = [f"model.networks.{role}.width=8" for role in NODES]
    overrides = ("model=bigan_mlp", *widths, "steps=1", "every.checkpoint=1")
    trained(small(*overrides), tmp_path / "outputs" / "x")
    for task in ("reconstruct", "encode", "interpolate", "anomaly", "evaluate"):
        files, told = run(task, dataset={"count": 20})
        assert files
        assert "20 samples" in told or task == "interpolate"
