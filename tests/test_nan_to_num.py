"""Gradients that are not finite, replaced by numbers and counted."""

import json
import math

import pytest
import torch

from gan_cli.config.schema import Device
from gan_cli.losses.terms import Terms
from gan_cli.runtime.runtime import Runtime
from gan_cli.training.turns import Turn, Turns
from gan_cli.utils.errors import ConfigError, NonFiniteError
from gan_cli.validation.validate import validate
from tests.helpers import composed, small, tensors_of, trained

WIDTHS = ("model.networks.generator.width=4", "model.networks.discriminator.width=4")


def weights_after(bound: float | None) -> tuple[list[float], dict[str, torch.Tensor]]:
    """One step of SGD on weights whose gradients are 2, infinite, minus infinite and NaN."""
    layer = torch.nn.Linear(4, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    runtime = Runtime(Device(accelerator="cpu"))
    runtime.place(torch.nn.ModuleDict({"net": layer}))
    turns = Turns(runtime, nan_to_num=bound)
    player = turns.player([layer], {"name": "sgd", "lr": 1.0})

    def loss(_: dict[str, torch.Tensor]) -> Terms:
        w = layer.weight[0]
        infinite = w[1].sqrt() - w[2].sqrt()  # slopes +-infinity at 0
        return Terms({"it": 2 * w[0] + infinite + (w[3] * w[3]).sqrt()})  # 0 * infinity

    values = turns.play(Turn("net", loss), player, {}).terms()
    return layer.weight[0].tolist(), values.observed


def test_nan_becomes_0_and_infinities_the_bound():
    weights, observed = weights_after(10.0)
    assert weights == [-2, -10, 10, 0]
    assert observed["replaced_gradients"] == 3
    assert observed["gradient_norm"] == pytest.approx(math.sqrt(4 + 100 + 100))


def test_nothing_is_replaced_by_default():
    weights, observed = weights_after(None)
    assert not all(map(math.isfinite, weights))
    assert "replaced_gradients" not in observed


def test_finite_gradients_stay_as_they_are(tmp_path):
    plain = tensors_of(trained(small(*WIDTHS), tmp_path / "plain"))
    same = tensors_of(trained(small(*WIDTHS, "nan_to_num=1e5"), tmp_path / "same"))
    assert all(torch.equal(plain[key], same[key]) for key in plain)
    for line in map(json.loads, (tmp_path / "same" / "metrics.jsonl").read_text().splitlines()):
        assert line["generator/replaced_gradients"] == line["discriminator/replaced_gradients"] == 0


def test_a_loss_that_is_not_finite_ends_the_run_all_the_same(tmp_path):
    wild = ("loss=wgan", "optimizer=sgd", "optimizer.lr=1e30", "loss.weight_clip=null", "steps=20")
    with pytest.raises(NonFiniteError):
        trained(small(*wild, "nan_to_num=1e5", *WIDTHS), tmp_path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nan_to_num=0",), "nan_to_num: must be above 0"),
        (("nan_to_num=nan",), "nan_to_num: must be above 0"),
        (("nan_to_num=1e5", "device.precision=float16"), "nan_to_num: with float16, steps whose"),
    ],
)
def test_settings_without_effect_are_refused(words, told):
    with pytest.raises(ConfigError, match=told):
        validate(composed("run=x", *words))
