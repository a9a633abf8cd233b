"""Tasks of gan-sample for diffusion models, and what they are built on."""

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.diffusion.inpainting import projected
from gan_cli.diffusion.inversion import inverted
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
from tests.exact_diffusion import OneStream, Ring, drawn, sampler_of, schedule_of
from tests.helpers import small, trained

WORDS = (
    "model=ddpm",
    "dataset.size=16",
    "model.networks.denoiser={width: 8, multipliers: [1, 2], conditioning: embed}",
    "every.checkpoint=1",
    "steps=1",
)


def test_inversion_leads_to_noise_from_which_the_samples_come_back():
    ring, schedule = Ring(), schedule_of("linear")
    samples = ring.draw(500)
    noise = inverted(ring, schedule, samples, 60)
    assert noise.std().item() == pytest.approx(1, abs=0.05)
    assert noise.norm(dim=1).quantile(0.5).item() == pytest.approx(1.177, abs=0.12)  # Rayleigh's
    sampler = sampler_of("heun", steps=60, spacing="log_snr")
    back = sampler.sample(ring, schedule, noise, OneStream(500))
    assert (back - samples).norm(dim=1).median() < 0.03


@pytest.mark.parametrize("name", ["ancestral", "dpm_solver"])
def test_given_parts_stay_and_the_rest_fits_them(name):
    """The first coordinate of the ring is given: the second is that of a mode at this place."""
    ring, schedule = Ring(), schedule_of("linear")
    samples = ring.draw(300)
    noise, known = OneStream(300), torch.tensor([1.0, 0.0], dtype=torch.float64)
    sampler = sampler_of(name, steps=100)
    found = sampler.sample(projected(ring, samples, known), schedule, noise.normal(2), noise)
    assert torch.allclose(found[:, 0], samples[:, 0])
    assert Ring().scores(found)[0] > 0.6
    assert Ring().scores(drawn(sampler, schedule, 300))[0] > 0.7


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    trained(small(*WORDS), folder)
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        pixels = rng.integers(0, 255, (16, 16), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    mask = np.zeros((16, 16), np.uint8)
    mask[:4] = 255
    (folder / "masks").mkdir()
    Image.fromarray(mask).save(folder / "masks" / "mask.png")
    (folder / "photos").mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.png").rename(folder / "photos" / f"{name}.png")
    return folder


def sampled(run, task, output, **options):
    options = {"task": task, "run": str(run), "output": str(output), **options}
    return perform(checked_options({**options, "device": {"accelerator": "cpu"}}), run)


@pytest.mark.parametrize(("form", "file"), [("gif", "denoise.gif"), ("strip", "strip.png")])
def test_denoising_is_shown_from_the_first_step_to_the_samples(run, tmp_path, form, file):
    sampled(run, "denoise", tmp_path / "out", format=form, seeds="0-2", sampler="ddim", steps=6)
    with Image.open(tmp_path / "out" / file) as image:
        if form == "gif":
            assert image.n_frames > 1
        else:
            assert image.size == (7 * 18 - 2, 3 * 18 - 2)  # the start and six steps; three seeds


def test_a_walk_leads_through_the_noise_from_sample_to_sample(run, tmp_path):
    options = {"label": 3, "format": "npz", "sampler": "ddim", "steps": 4}
    sampled(
        run,
        "sample",
        tmp_path / "walk",
        seeds="0,1",
        interpolate=2,
        **options | {"format": "strip"},
    )
    sampled(run, "sample", tmp_path / "ends", seeds="0,1", **options | {"format": "png"})
    strip = np.asarray(Image.open(tmp_path / "walk" / "strip.png"))
    ends = sorted((tmp_path / "ends").glob("*.png"))
    for end, left in zip(ends, (0, 3 * 18), strict=True):
        shown = np.asarray(Image.open(end)).astype(int)
        assert np.abs(strip[:, left : left + 16] - shown).max() <= 1


def test_the_noise_of_images_is_written(run, tmp_path):
    sampled(run, "noise", tmp_path / "out", input=str(run / "photos"), label=2, steps=8)
    with np.load(tmp_path / "out" / "noise.npz") as found:
        assert found["latents"].shape == (2, 3 * 256)
        assert np.isfinite(found["latents"]).all()
    assert (tmp_path / "out" / "reconstructions.png").exists()


@pytest.mark.parametrize("mask", ["right", "mask.png"])
def test_inpainting_keeps_what_is_known(run, tmp_path, mask):
    path = str(run / "masks" / mask) if mask.endswith("png") else mask
    sampled(
        run, "inpaint", tmp_path / "out", input=str(run / "photos"), label=2, mask=path, steps=3
    )
    sheet = np.asarray(Image.open(tmp_path / "out" / "inpainted.png"))
    given, masked, completed = (sheet[:16, left : left + 16].astype(int) for left in (0, 18, 36))
    known = np.s_[4:, :] if mask.endswith("png") else np.s_[:, :8]
    assert np.abs(completed[known] - given[known]).max() <= 1
    assert (masked == 128).sum() >= 64
    assert (completed != given).any()


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("denoise", {"format": "wav"}, "format: "),
        ("denoise", {"sampler": "ddin"}, "sampler.name: unknown sampler 'ddin'"),
        ("denoise", {"steps": 5000}, "sampler.steps: 5000 are more than the 1000 timesteps"),
        ("noise", {"sampler": "ancestral", "label": 1}, "sampler: draws noise on the way"),
        (
            "inpaint",
            {"mask": "rigth", "label": 1},
            "mask: unknown mask 'rigth'; did you mean 'right'",
        ),
        ("inpaint", {}, "label: the model needs the class of the inputs"),
        ("sample", {"truncation": 0.5}, "truncation: is "),
        ("sample", {"mask": "left"}, "mask: does nothing with task=sample"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(run, tmp_path, task, options, said):
    if task in ("noise", "inpaint"):
        options = {"input": str(run / "photos"), **options}
    with pytest.raises(ConfigError) as caught:
        sampled(run, task, tmp_path / "out", **options)
    assert caught.value.faults[0].startswith(said)
    assert not (tmp_path / "out").exists()
