"""SeqGAN as a whole: its phases, losses, scores, samples, resuming and refusals."""

import json
import re
from html import unescape

import pytest
import torch

from gan_cli.data.spec import Field, Spec
from gan_cli.evaluation.options import checked_options as fid_options
from gan_cli.evaluation.score import score
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.networks import networks
from gan_cli.report.run_report import write_report
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, built, composed, small, tensors_of, trained

TINY = (
    *("model=seqgan", "dataset=grammar", "dataset.count=64", "dataset.length=6"),
    *("dataset.held_out=16", "model.networks.discriminator.sizes=[1,2]", "batch_size=8"),
    *("model.networks.discriminator.counts=[4,4]", "model.networks.generator.width=4"),
    *("model.game.pretrain=1", "model.game.pretrain_critic=1", "model.game.rollouts=2", "steps=4"),
)


def spec_of(vocabulary, length=20):
    words = tuple(str(i) for i in range(vocabulary))
    return Spec({"real": Field("tokens", (length,), vocabulary=words)})


def test_networks_have_the_published_numbers_of_parameters():
    generator = networks.build({"name": "lstm_generator"}, spec_of(5000), where="")
    assert sum(p.numel() for p in generator.parameters()) == 333_320
    sizes = (*range(1, 11), 15, 20)
    counts = (100, *[200] * 4, *[100] * 5, 160, 160)
    node = {"name": "text_cnn_discriminator", "sizes": sizes, "counts": counts}
    discriminator = networks.build(node, spec_of(5000), where="")
    two_classes = 1720 + 1  # of the published output, which has one logit more
    assert sum(p.numel() for p in discriminator.parameters()) + two_classes == 7_045_402


def test_the_critic_answers_alike_for_numbers_and_one_hots():
    node = {"name": "text_cnn_discriminator", "sizes": (1, 3), "counts": (5, 4)}
    critic = networks.build(node, spec_of(7, 6), where="").eval()
    tokens = torch.randint(7, (9, 6))
    one_hot = torch.nn.functional.one_hot(tokens, 7).float()
    torch.testing.assert_close(critic(tokens), critic(one_hot))
    torch.testing.assert_close(critic(tokens[:1]), critic(one_hot[:1]))  # fewer than the vocabulary


@pytest.mark.parametrize(
    ("estimator", "loss"),
    [
        ("policy_gradient", "nonsaturating"),
        ("policy_gradient", "wgan_gp"),
        ("gumbel", "r3gan"),
        ("gumbel", "hinge"),
    ],
)
def test_phases_play_with_any_critic(loss, estimator, tmp_path):
    config = small(*TINY, f"loss={loss}", f"model.game.estimator={estimator}")
    run = trained(config, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    players = [{key.split("/")[0] for key in line if "/" in key} for line in lines]
    assert players[0] == {"likelihood"}
    assert players[1] == {"discriminator"}
    assert players[2] == players[3] == {"generator", "discriminator"}
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    assert 0 < lines[3]["generator/token_entropy"] < 4


def test_resuming_is_exact(tmp_path):
    options = (*TINY, "model.game.likelihood_every=2")
    whole = trained(small(*options, "every.checkpoint=3"), tmp_path / "whole")
    trained(small(*options, "steps=3", "every.checkpoint=3"), tmp_path / "parts")
    parts = trained(small(*options, "every.checkpoint=3"), tmp_path / "parts")
    for name, value in tensors_of(whole).items():
        assert torch.equal(value, tensors_of(parts)[name]), name
    for name, value in whole.game.policy.state_dict().items():
        assert torch.equal(value, parts.game.policy.state_dict()[name]), name


def test_the_weights_that_complete_texts_follow_the_generator():
    game = built(small(*TINY, "model.game.rollout_rate=0.75"))
    old = {name: weight.clone() for name, weight in game.policy.named_parameters()}
    with torch.no_grad():
        for weight in game.generator.parameters():
            weight.add_(4)
    game.follow(0.75)
    for name, weight in game.policy.named_parameters():
        moved = 4 if name == "embedding" else 1
        torch.testing.assert_close(weight, old[name] + moved)


def test_scores_are_zero_divergence_for_the_law_itself():
    """A generator whose log probabilities are the law's: both divergences vanish exactly."""
    from gan_cli.games.text_scores import likelihoods

    class Law(torch.nn.Module):
        length, tokens = 3, 2

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def start(self, rows):
            return (torch.zeros(rows, 1),)

        def step(self, previous, state):
            return torch.tensor([[0.25, 0.75]]).log().expand(len(state[0]), -1), state

        def log_likelihood(self, tokens):
            return torch.where(tokens == 0, 0.25, 0.75).log().sum(1)

    class Data:
        spec = Spec({"real": Field("tokens", (3,), vocabulary=("a", "b"))})

        def law(self):
            from gan_cli.data.ground_truth import Law as Known

            return Known(lambda tokens: torch.where(tokens == 0, 0.25, 0.75).log().sum(1).double())

        def held_out(self, count=None):
            return {"real": torch.tensor([[0, 1, 1], [1, 1, 1]])[:count]}

    found = likelihoods(Law(), Data()).values
    assert found["kl_forward"] == found["kl_reverse"] == 0
    assert found["nll"] == pytest.approx(
        -(4 * 1.7346 - 1.3863 - 6 * 1.7346 - 5 * 0.2877) / 6, abs=1
    )
    true = -(0.25 * torch.tensor(0.25).log() + 0.75 * torch.tensor(0.75).log()).item()
    assert found["oracle_nll"] == found["token_entropy"] == pytest.approx(true, abs=0.02)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A run on a list of words, in a folder of its own."""
    folder = tmp_path_factory.mktemp("words")
    (folder / "list.txt").write_text("\n".join(a + b for a in "abcd" for b in ("an", "ea", "o")))
    options = [option for option in (*SMALL, *TINY) if "dataset" not in option]
    data = ("dataset=text", f"dataset.path={folder / 'list.txt'}", "dataset.length=5")
    every = "every={log: 0, preview: 2, evaluate: 4, checkpoint: 4}"
    trained(validate(composed(*options, *data, every)), folder / "run")
    (folder / "list.txt").unlink()  # the vocabulary is in the checkpoint
    return folder / "run"


def sampled(run, **options):
    given = {"run": "x", **options, "device": {"accelerator": "cpu"}}
    return perform(checked_options(given), run)


def test_previews_are_text_in_files_and_in_the_report_beside_lines_of_the_data(words):
    lines = {
        name: (words / "samples" / f"{name}.txt").read_text().splitlines()
        for name in ("real-0000000", "samples-0000002", "samples-0000004")
    }
    assert all(len(found) == 32 for found in lines.values())
    assert lines["real-0000000"][0] in {a + b for a in "abcd" for b in ("an", "ea", "o")}
    page = write_report(words).read_text()
    assert ">Samples as text</h2>" in page
    shown = re.findall(r"<pre[^>]*>([^<]*)</pre>", page)
    texts = [[unescape(line) for line in found.splitlines()] for found in shown]
    assert lines["real-0000000"] in texts
    assert lines["samples-0000004"] in texts


def test_a_prompt_begins_each_text(words, tmp_path):
    out = tmp_path / "out"
    sampled(words, prompt="bea", count=5, format=["txt", "jsonl"], output=str(out))
    texts = (out / "samples.txt").read_text().splitlines()
    assert len(texts) == 5
    assert all(text.startswith("bea") for text in texts)
    rows = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == texts
    assert [row["seed"] for row in rows] == list(range(5))


def scored(run, **options):
    metrics = {"metrics": {"features": "ngrams", "compute": {"distinct": {}}, "count": 200}}
    given = {"run": "x", **metrics, **options, "device": {"accelerator": "cpu"}}
    return score(fid_options(given), run)[0]


def test_scores_of_text_have_a_temperature_that_their_cards_state(words, tmp_path):
    data = tmp_path / "same.txt"
    data.write_text("\n".join(a + b for a in "abcd" for b in ("an", "ea", "o")))
    dataset = {"name": "text", "path": str(data), "length": 5}
    usual, cold = (scored(words, dataset=dataset, **o) for o in ({}, {"temperature": 0.05}))
    assert usual["protocol"]["fake"]["temperature"] == 1.0
    assert cold["protocol"]["fake"]["temperature"] == 0.05
    assert cold["values"]["distinct_texts"] < usual["values"]["distinct_texts"] / 2
    with pytest.raises(ConfigError, match=r"temperature: must be above 0"):
        fid_options({"run": "x", "temperature": 0.0})
    with pytest.raises(ConfigError, match=r"temperature: is for samples of a model"):
        fid_options({"fake": str(data), "real": str(data), "temperature": 0.5})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": "bex"}, "prompt: the model does not know 'x'"),
        ({"prompt": "BEA"}, "prompt: .* type prompt='bea'"),
        ({"prompt": "beabea"}, "prompt: has 6 tokens, and the texts of this model 5"),
        ({"temperature": 0}, "temperature: must be above 0"),
        ({"truncation": 0.5}, "truncation: "),
        ({"interpolate": 3}, "interpolate: "),
        ({"format": "png"}, "format: 'png' does not show .* format=jsonl or npz or txt"),
    ],
)
def test_what_text_cannot_do_is_told(words, options, message):
    with pytest.raises(ConfigError, match=message):
        sampled(words, count=2, **options)


def test_a_low_temperature_makes_texts_alike():
    game = built(small(*TINY))
    hot, cold = (
        draw_all(game, Request(range(64), temperature=t)).unique(dim=0) for t in (1.0, 0.01)
    )
    assert len(cold) < len(hot)


def test_prompts_are_for_text():
    game = built(small("model=mlp", "dataset.size=16"))
    with pytest.raises(ConfigError, match="temperature: is for models of text"):
        draw_all(game, Request([0], temperature=0.5))


def test_filters_longer_than_the_text_are_refused():
    with pytest.raises(ConfigError, match=r"sizes: a filter of 3 .* sequences of 2; .*sizes=\[1\]"):
        networks.build(
            {"name": "text_cnn_discriminator", "sizes": (1, 3), "counts": (2, 2)},
            spec_of(5, 2),
            where="",
        )


def test_images_are_no_text():
    with pytest.raises(ConfigError, match="is for text, and the samples are of kind image"):
        built(small("model=seqgan", "dataset=synthetic", "metrics=none"))
