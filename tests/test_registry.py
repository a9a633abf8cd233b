"""The signature is the schema."""

from typing import Literal

import pytest

from gan_cli.config.registry import Registry
from gan_cli.config.schedules import Schedule
from gan_cli.utils.errors import ConfigError

things: Registry = Registry("thing")


@things.register("gadget")
class Gadget:
    def __init__(
        self,
        runtime: object,
        *,
        size: int,
        rate: float = 0.5,
        mode: Literal["fast", "slow"] = "fast",
        pair: tuple[float, float] = (0.0, 1.0),
        limit: int | None = None,
        curve: Schedule = Schedule(1.0),
    ) -> None:
        self.options = (size, rate, mode, pair, limit, curve)


def test_defaults_types_and_integers_as_floats():
    node = {"name": "gadget", "size": 3, "pair": [0, 1], "rate": 2}
    gadget = things.build(node, object(), where="thing")
    assert gadget.options == (3, 2.0, "fast", (0.0, 1.0), None, Schedule(1.0))
    assert [type(x) for x in gadget.options[3]] == [float, float]  # torch.optim insists on it


def test_all_faults_at_once_each_with_its_key():
    node = {"name": "gadget", "sise": 1, "rate": "high", "mode": "fats", "pair": [1], "limit": 1.5}
    with pytest.raises(ConfigError) as caught:
        things.check(node, "a.b")
    faults = caught.value.faults
    assert len(faults) == 6
    assert any(f.startswith("a.b.sise: unknown key 'sise'; did you mean 'size'?") for f in faults)
    assert any("a.b.size: has no value" in fault for fault in faults)
    assert any("a.b.rate: expected a number, got 'high'" in fault for fault in faults)
    assert any("a.b.mode: unknown value 'fats'; did you mean 'fast'?" in fault for fault in faults)
    assert any("a.b.pair: expected 2 entries" in fault for fault in faults)
    assert any("a.b.limit: expected a whole number, got 1.5" in fault for fault in faults)


@pytest.mark.parametrize("value", [1e3, True, "many", None])
def test_what_is_no_whole_number(value):
    with pytest.raises(ConfigError, match="size: expected a whole number"):
        things.check({"name": "gadget", "size": value}, "thing")


def test_unknown_and_missing_names():
    with pytest.raises(ConfigError, match=r"x\.name: unknown thing 'gadgt'; did you mean 'gadget'"):
        things.find({"name": "gadgt"}, "x")
    with pytest.raises(ConfigError, match=r"x\.name: has no value"):
        things.find({}, "x")


def test_schedules_in_a_config():
    curve = {"start": 1, "end": 0, "over": 10, "shape": "cosine"}
    options = things.check({"name": "gadget", "size": 1, "curve": curve}, "x")
    assert options["curve"] == Schedule(1.0, 0.0, 10, "cosine")
    with pytest.raises(ConfigError, match=r"x\.curve\.shape: .*did you mean 'cosine'"):
        things.check({"name": "gadget", "size": 1, "curve": {**curve, "shape": "cosin"}}, "x")


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="registered twice"):
        things.register("gadget")(Gadget)
