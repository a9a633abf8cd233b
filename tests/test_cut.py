"""CUT: its contrastive loss in closed form, its terms, its networks, and what it refuses."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gan_cli.data.spec import Field, Spec
from gan_cli.games.cut import CUT
from gan_cli.losses.adversarial import LeastSquares
from gan_cli.losses.objective import Objective
from gan_cli.losses.patch_nce import patch_nce
from gan_cli.networks.patch_projector import PatchProjector
from gan_cli.networks.resnet_translator import ResNetTranslator
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, tensors_of, trained

TINY = (
    "model=cut",
    "dataset@dataset.images=synthetic",
    "dataset.images={count: 40, size: 16, channels: 1, classes: 0}",
    "model.networks.generator={width: 4, blocks: 2}",
    "model.networks.projector.units=8",
    "model.networks.discriminator={width: 4, layers: 1}",
    "batch_size=4",
)


def config_of(*words):
    return validate(composed(*[w for w in SMALL if not w.startswith("dataset")], *TINY, *words))


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_contrastive_loss_in_closed_form(temperature):
    keys = torch.eye(8)[None]
    found = patch_nce(keys, keys, temperature)
    assert found.item() == pytest.approx(math.log(1 + 7 * math.exp(-1 / temperature)), abs=1e-6)
    # No key can be told from the others, and all those of the others' places are as near.
    same = torch.ones(2, 5, 4) / 2
    assert patch_nce(same, same, temperature).item() == pytest.approx(math.log(5), rel=1e-5)
    wrong = patch_nce(keys, keys.roll(1, 1), temperature)
    expected = 1 / temperature + math.log(1 + 7 * math.exp(-1 / temperature))
    assert wrong.item() == pytest.approx(expected, rel=1e-5)


def test_negatives_come_from_the_same_image_alone():
    keys = F.normalize(torch.randn(3, 6, 4), dim=2)
    queries = F.normalize(torch.randn(3, 6, 4), dim=2)
    together = patch_nce(queries, keys, 0.5)
    alone = [patch_nce(queries[i : i + 1], keys[i : i + 1], 0.5) for i in range(3)]
    assert together.item() == pytest.approx(sum(alone).item() / 3, rel=1e-6)


def spec_of(channels=(1, 1)):
    fields = {"source": Field("image", (channels[0], 16, 16))}
    fields["target"] = Field("image", (channels[1], 16, 16))
    return Spec(fields, "target")


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [(9, (1, 128, 256, 256, 256)), (2, (1, 128, 256, 256, 256)), (1, (1, 128, 256, 256))],
)
def test_heads_fit_the_maps_of_the_generator(blocks, expected):
    with torch.device("meta"):
        generator = ResNetTranslator(spec_of(), blocks=blocks)
        projector = PatchProjector(spec_of(), blocks=blocks)
        maps = generator.maps(torch.zeros(2, 1, 16, 16))
    assert tuple(each.shape[1] for each in maps) == expected
    assert generator.map_channels == projector.map_channels == expected
    assert [each.shape[-1] for each in maps] == [16, 8, 4, 4, 4][: len(maps)]


def test_maps_are_those_of_the_published_layers():
    """Of 9 blocks the outputs of the first and the fifth; of the halvings, before the norm."""
    generator = ResNetTranslator(spec_of(), width=4, blocks=9)
    seen = {}
    layers = (*generator.downs, generator.blocks[0], generator.blocks[4])
    for i, layer in enumerate(layers):
        layer.register_forward_hook(lambda *got, i=i: seen.setdefault(i, got[-1]))
    image = torch.randn(2, 1, 16, 16)
    generator(image)
    found = generator.maps(image)
    assert torch.equal(found[0], image)
    for i, each in enumerate(found[1:]):
        torch.testing.assert_close(each, seen[i])


def game_of(**options):
    torch.manual_seed(0)
    roles = {
        "generator": ResNetTranslator(spec_of(), width=4, blocks=2),
        "projector": PatchProjector(spec_of(), width=4, blocks=2, units=8),
        "discriminator": nn.Sequential(nn.Flatten(), nn.Linear(256, 1), nn.Flatten(0)),
    }
    game = CUT(nn.ModuleDict(roles), Objective(LeastSquares(), {}), **options)
    return game, {key: torch.randn(3, 1, 16, 16) for key in ("source", "target")}


def test_terms_of_the_generator():
    """All places are compared, so that their order does not matter."""
    game, batch = game_of(contrastive=3.0, identity=0.5, adversarial=2.0, patches=256)
    found = next(game.turns(0)).loss(batch).losses
    generator, projector = game.networks["generator"], game.networks["projector"]
    for name, image, weight in (("contrastive", "source", 3.0), ("identity", "target", 0.5)):
        losses = []
        for head, before, after in zip(
            projector.heads,
            generator.maps(batch[image]),
            generator.maps(generator(batch[image])),
            strict=True,
        ):
            keys, queries = (
                F.normalize(head(each.permute(0, 2, 3, 1).flatten(1, 2)), dim=-1)
                for each in (before, after)
            )
            each = [
                F.cross_entropy(q @ k.T / 0.07, torch.arange(len(k)))
                for q, k in zip(queries, keys, strict=True)
            ]
            losses.append(sum(each) / len(each))
        expected = weight * sum(losses).item() / len(losses)
        assert found[name].item() == pytest.approx(expected, rel=1e-4)
    logits = game.networks["discriminator"](generator(batch["source"]))
    expected = ((logits - 1) ** 2).mean().item()  # twice the half of least squares
    assert found["adversarial"].item() == pytest.approx(expected, rel=1e-5)


def test_keys_are_constants_and_both_networks_learn():
    game, batch = game_of(patches=4)
    losses = next(game.turns(0)).loss(batch).losses
    losses["contrastive"].backward()
    assert all(p.grad is not None for p in game.networks["projector"].parameters())
    moved = game.networks["generator"].output.weight.grad
    assert moved.abs().sum() > 0
    # A source that passes on no gradient: only queries do.
    batch["source"].requires_grad_()
    fake = batch["source"].detach() * 0.9
    game.difference(batch["source"], fake.requires_grad_()).backward()
    assert batch["source"].grad is None
    assert fake.grad.abs().sum() > 0


def test_a_run_plays_and_resumes(tmp_path):
    straight = trained(config_of("steps=4"), tmp_path / "a")
    trained(config_of("steps=2"), tmp_path / "b")
    resumed = trained(config_of("steps=4"), tmp_path / "b")
    ours, theirs = tensors_of(straight), tensors_of(resumed)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("model.game.contrastive=0", "model.game.contrastive"),
        ("model.game.adversarial=0", "model.game.adversarial"),
        ("model.networks.generator.name=unet", "model.networks.generator"),
    ],
)
def test_what_cannot_translate_is_refused(word, key):
    with pytest.raises(ConfigError, match=key):
        config_of(word)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("dataset.source_channels=null", "as many channels"),
        ("model.networks.projector.width=8", "heads take maps"),
    ],
)
def test_sides_of_other_channels_and_heads_of_other_maps_are_refused(tmp_path, word, message):
    with pytest.raises(ConfigError, match=message):
        trained(config_of(word), tmp_path)
