"""Diffusion as a game of one player: its loss, its samples, and what it refuses."""

import json

import pytest
import torch

from gan_cli.data.spec import image_spec, vector_spec
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.health.findings import FindingTracker
from gan_cli.health.rules import RULES
from gan_cli.networks import networks
from gan_cli.networks.layers.unet_blocks import ResidualBlock
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.exact_diffusion import Ring
from tests.helpers import SMALL, built, composed, small, tensors_of, trained

VECTORS = ("model=ddpm_mlp", "dataset=ring", "dataset.std=0.05", "model.networks.denoiser.width=16")
UNET = "model.networks.denoiser={width: 8, multipliers: [1, 2], attention: [8]}"
IMAGES = ("model=ddpm", "dataset.size=16", UNET, "model.game.sampler.steps=4")
LABELS = "model.networks.denoiser.conditioning=embed"


def denoiser(count: int = 3, **options: object):
    node = {"name": "ddpm_unet", **options}
    return networks.build(node, image_spec((count, 32, 32), 10), where="network")


@pytest.mark.parametrize(
    ("channels", "options", "parameters"),
    [
        (3, {}, 35_746_307),
        (3, {"predicts_variance": True}, 35_749_766),
        (1, {"width": 64}, 8_949_761),
        (1, {"width": 32}, 2_244_609),
    ],
)
def test_the_unet_has_the_published_number_of_parameters(channels, options, parameters):
    with torch.device("meta"):
        network = denoiser(channels, **options)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize("none", [0, None])
def test_dropout_may_be_left_out_in_both_ways(none):
    """Earlier versions wrote null into checkpoints."""
    network = denoiser(1, width=8, multipliers=(1,), attention=(), dropout=none)
    shares = {m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)}
    assert shares == {0.0}


def test_the_unet_starts_by_predicting_zero_and_halves_the_size():
    network = denoiser(1, width=8, multipliers=(1, 2, 2), conditioning="embed").eval()
    time, label = torch.tensor([0.0, 999.0]), torch.tensor([3, 10])
    sizes = []
    network.middle[0].register_forward_pre_hook(lambda _, x: sizes.append(x[0].shape[2:]))
    output = network(torch.randn(2, 1, 32, 32), time, label)
    assert output.shape == (2, 1, 32, 32)
    assert output.abs().max() < 1e-3
    assert sizes == [(8, 8)]


@pytest.mark.parametrize("width", [4, 8, 32, 48, 128])
def test_the_time_changes_outputs_at_any_width(width):
    """Group norm of single channels would remove what the time adds to all places alike."""
    block = ResidualBlock(width, width, 8, 0.0)
    torch.manual_seed(0)
    torch.nn.init.normal_(block.time.weight)
    x = torch.randn(1, width, 8, 8).expand(2, -1, -1, -1)
    with torch.no_grad():
        first, second = block(x, torch.randn(2, 8))
    assert (first - second).abs().mean() > 0.02 * first.std()
    assert block.norm2.num_groups == {128: 32, 48: 8, 32: 8, 8: 2, 4: 1}[width]


VARIANCE = (
    *IMAGES,
    "model.networks.denoiser.predicts_variance=true",
    "model.game.sampler={name: ancestral, steps: 4, variance: learned}",
)


@pytest.mark.parametrize(
    "words", [VECTORS, (*IMAGES, LABELS), VARIANCE], ids=["mlp", "labels", "variance"]
)
def test_the_player_learns_and_a_resumed_run_has_the_same_bits(words, tmp_path):
    whole = trained(small(*words, "steps=4"), tmp_path / "whole")
    trained(small(*words, "steps=2", "every.checkpoint=1"), tmp_path / "parts")
    resumed = trained(small(*words, "steps=4", "every.checkpoint=1"), tmp_path / "parts")
    assert resumed.step == 4
    expected, found = tensors_of(whole), tensors_of(resumed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    before = built(small(*words)).networks.state_dict()
    assert any(not torch.equal(before[k], v) for k, v in whole.game.networks.state_dict().items())


SAMPLERS = [
    {"name": "ancestral", "steps": 300},
    {"name": "ddim", "steps": 10, "eta": 1.0},
    {"name": "heun", "steps": 5, "churn": 3.0},
    {"name": "dpm_solver", "steps": 10},
    {"name": "predictor_corrector", "steps": 10},
    {"name": "probability_flow", "steps": 3},
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda node: node["name"])
def test_a_sample_has_the_same_bits_in_whatever_company(sampler):
    game = built(small(*VECTORS), vector_spec(2))
    seeds = [7, *range(500, 570)]
    together = draw_all(game, Request(seeds, sampler=sampler))
    assert len(together.unique(dim=0)) == len(seeds)
    assert torch.equal(draw_all(game, Request([7], sampler=sampler))[0], together[0])
    backwards = draw_all(game, Request(seeds[::-1], sampler=sampler))
    assert torch.equal(backwards.flip(0), together)


def test_the_loss_of_a_perfect_network_is_the_floor_of_the_law():
    """0.157 for the ring: what no network can predict of the noise."""
    game, ring = built(small(*VECTORS), vector_spec(2)), Ring()

    class Exact(torch.nn.Module):
        shape, bounded, conditional, classes, predicts_variance = (2,), False, False, 0, False

        def __init__(self):
            super().__init__()
            self.levels = [game.noise_schedule.level(float(t)) for t in range(1000)]

        def forward(self, sample, time, label=None):
            found = torch.empty_like(sample)
            for t in time.unique():
                rows = time == t
                found[rows] = ring(sample[rows], self.levels[int(t)]).eps.float()
            return found

    game.networks["denoiser"] = Exact()
    game.noise_schedule.draw = lambda count, device: torch.arange(count).float() % 1000
    torch.manual_seed(0)
    loss = game.loss({"real": ring.draw(40_000).float()})
    assert loss.losses["denoising"].item() == pytest.approx(0.157, abs=0.003)


def test_labels_are_hidden_at_random_and_guide_samples():
    words = (*IMAGES, LABELS, "model.game.label_dropout=0.5")
    game = built(small(*words), image_spec((1, 16, 16), 10))
    label = torch.arange(10).repeat(50)
    hidden = game.hidden_labels({"label": label})
    assert 0.4 < (hidden == 10).float().mean() < 0.6
    assert torch.equal(hidden[hidden != 10], label[hidden != 10])

    class Told(torch.nn.Module):
        shape, bounded, conditional, classes, predicts_variance = (1, 4, 4), False, True, 10, False

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, sample, time, label):
            told = label.float() if label is not None else torch.full((len(sample),), 10.0)
            return self.weight + torch.ones_like(sample) * told.view(-1, 1, 1, 1)

    game.networks["denoiser"] = Told()
    x, time = torch.zeros(2, 1, 4, 4), torch.zeros(2)

    def told(weight):
        request = Request([0, 1], torch.tensor([3, 4]), guidance=weight)
        return game.denoise(request).network(x, time)[:, 0, 0, 0].tolist()

    assert told(1.0) == [3, 4]
    assert told(0.0) == [10, 10]
    assert told(2.0) == [10 + 2 * (3 - 10), 10 + 2 * (4 - 10)]
    calls = [game.protocol(Request([0], guidance=w))["network_calls"] for w in (1.0, 2.0)]
    assert calls == [4, 8]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.game.schedule=cosin"], "model.game.schedule.name: unknown noise schedule 'cosin'"),
        (["model.game.prediction=y"], "model.game.prediction.name: unknown prediction 'y'"),
        (["model.game.sampler.steps=2000"], "model.game.sampler.steps: 2000 are more than"),
        (["model.game.schedule=ve", "model.game.prediction=v"],
         "model.game.prediction: 'v' is 50 times as large as the data"),
        (["model.game.sampler={name: predictor_corrector, snr: 0}"],
         "model.game.sampler.snr: must be above 0"),
        (["model.game.sampler=3"], "model.game.sampler: expected a name, or a name with options"),
        (["model.game.sampler={name: ddim, eta: 2}"], "model.game.sampler.eta: must be between 0"),
        (["augment=diffaugment"], "augment: game 'diffusion' has no critic"),
        (["loss=hinge"], "loss: game 'diffusion' has no critic"),
        (["dataset=ring", "dataset.count=null", "model.networks.denoiser.conditioning=embd"],
         "model.networks.denoiser.conditioning: unknown value 'embd'"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_in_one_line(words, said):
    with pytest.raises(ConfigError) as caught:
        validate(composed("run=x", "model=ddpm_mlp", "dataset=ring", *words))
    (fault,) = caught.value.faults
    assert fault.startswith(said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"sampler": {"name": "ddin"}},
            "sampler.name: unknown sampler 'ddin'; did you mean 'ddim'",
        ),
        ({"sampler": {"steps": 1001}}, "sampler.steps: 1001 are more than the 1000 timesteps"),
        ({"sampler": {"name": "ancestral", "variance": "learned"}}, "sampler.variance: 'learned'"),
        ({"guidance": 2.0}, "guidance: weighs the label, and the model was trained without"),
        ({"truncation": 0.7}, "truncation: is for latents"),
    ],
)
def test_a_request_that_does_not_fit_the_model_is_refused(options, said):
    game = built(small(*VECTORS), vector_spec(2))
    with pytest.raises(ConfigError) as caught:
        draw_all(game, Request([0], **options))
    assert caught.value.faults[0].startswith(said)


@pytest.mark.parametrize("key", ["sampler", "guidance"])
def test_other_games_have_no_sampler(key):
    game = built(
        small("model=mlp", "dataset=ring", "model.networks.generator.width=8"), vector_spec(2)
    )
    options = {"sampler": {"name": "ddim"}, "guidance": 2.0}
    with pytest.raises(ConfigError, match=f"{key}: is for diffusion models"):
        draw_all(game, Request([0], **{key: options[key]}))


def test_a_run_previews_scores_and_reports(tmp_path):
    words = [word for word in SMALL if not word.startswith(("every", "health", "metrics"))]
    every = "every={log: 1, preview: 2, evaluate: 2, checkpoint: 0}"
    config = validate(composed(*words, *IMAGES, every, "metrics.count=64"))
    run = trained(config, tmp_path)
    assert run.scores.best is not None
    (card, *_) = (tmp_path / "cards").glob("*.json")
    fake = json.loads(card.read_text())["protocol"]["fake"]
    assert fake["sampler"] == {"name": "dpm_solver", "steps": 4}
    assert fake["network_calls"] == 4
    assert (tmp_path / "samples" / "samples-0000002.png").exists()
    assert "denoiser/denoising" in (tmp_path / "metrics.jsonl").read_text()


@pytest.mark.parametrize(
    ("schedule", "prediction"),
    [("cosine", "v"), ("vp", "x0"), ("sub_vp", "epsilon"), ("ve", "epsilon"), ("edm", "edm")],
)
def test_schedules_and_predictions_train_together(schedule, prediction):
    words = (f"model.game.schedule={schedule}", f"model.game.prediction={prediction}")
    game = built(small(*VECTORS, *words, "model.game.weighting=min_snr"), vector_spec(2))
    loss = game.loss({"real": Ring().draw(256).float()}).total()
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in game.networks.parameters())
    assert draw_all(game, Request([0, 1])).isfinite().all()


def test_the_learned_variance_trains_by_the_bound_alone():
    game = built(small(*VARIANCE), image_spec((1, 16, 16)))
    losses = game.loss({"real": torch.rand(4, 1, 16, 16) * 2 - 1}).losses
    assert losses.keys() == {"denoising", "variance"}
    output = game.networks["denoiser"].output
    (from_bound,) = torch.autograd.grad(losses["variance"], output.bias, retain_graph=True)
    assert from_bound[0] == 0
    assert from_bound[1] != 0


def test_a_learned_variance_needs_timesteps():
    with pytest.raises(ConfigError, match=r"schedule: a learned variance is that of a step"):
        built(small(*VARIANCE, "model.game.schedule=vp"), image_spec((1, 16, 16)))


def test_the_time_of_an_exported_denoiser_is_explained():
    game = built(small(*VECTORS), vector_spec(2))
    assert "0 (data)" in game.networks["denoiser"].inputs_in_words["time"]


def test_advice_of_health_is_that_of_diffusion():
    game = built(small(*VECTORS), vector_spec(2))
    assert game.advice.keys() <= {rule.name for rule in RULES}
    assert not any("loss=" in line for lines in game.advice.values() for line in lines)
    tracker = FindingTracker(game.advice)
    changed = []
    for step in range(1000, 1500, 100):
        changed += tracker.update(step, {"diversity_identity": 0.0, "duplicates": 0.0})
    assert [finding.name for finding in changed] == ["generator_collapsed"]
    assert changed[0].advice == list(game.advice["generator_collapsed"])


def test_the_network_exports_with_any_number_of_samples(tmp_path):
    network = built(small(*VECTORS), vector_spec(2)).networks["denoiser"].eval()
    batch = torch.export.Dim("batch", min=1)
    examples = (torch.randn(4, 2), torch.full((4,), 3.0))
    program = torch.export.export(network, examples, dynamic_shapes=({0: batch}, {0: batch}))
    inputs = (torch.randn(7, 2), torch.arange(7).float())
    assert torch.allclose(program.module()(*inputs), network(*inputs), atol=1e-6)
