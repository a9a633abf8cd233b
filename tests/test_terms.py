"""Terms of a turn: none of them is lost when they are put together."""

import pytest
import torch

from gan_cli.losses.terms import Terms, mean_terms


def terms(losses: dict[str, float], observed: dict[str, float] | None = None) -> Terms:
    return Terms(
        {name: torch.tensor(value) for name, value in losses.items()},
        {name: torch.tensor(value) for name, value in (observed or {}).items()},
    )


def test_terms_are_joined():
    both = terms({"adversarial": 1.0}, {"accuracy": 0.5}) | terms({"r1": 2.0}, {"real": 3.0})
    assert list(both.losses) == ["adversarial", "r1"]
    assert list(both.observed) == ["accuracy", "real"]
    assert both.total() == 3


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (({"cycle": 1.0}, {}), ({"cycle": 2.0}, {})),
        (({"a": 1.0}, {"cycle": 1.0}), ({"b": 1.0}, {"cycle": 1.0})),
        (({"cycle": 1.0}, {}), ({"b": 1.0}, {"cycle": 1.0})),  # in the log they are one line
        (({"a": 1.0}, {"cycle": 1.0}), ({"cycle": 1.0}, {})),
    ],
)
def test_equal_names_are_refused(left, right):
    with pytest.raises(ValueError, match=r"two terms are called cycle; .*Terms\.named\(prefix\)"):
        terms(*left) | terms(*right)


def test_all_equal_names_are_told():
    with pytest.raises(ValueError, match="two terms are called a, c;"):
        terms({"c": 1.0, "a": 1.0, "b": 1.0}) | terms({"c": 1.0}, {"a": 1.0})


def test_named_terms_go_together():
    one, other = terms({"adversarial": 1.0}, {"gap": 4.0}), terms({"adversarial": 2.0})
    both = one.named("source") | other.named("target")
    assert {name: float(value) for name, value in both.losses.items()} == {
        "source_adversarial": 1,
        "target_adversarial": 2,
    }
    assert set(both.observed) == {"source_gap"}
    assert both.total() == 3
    assert set(one.losses) == {"adversarial"}  # it was not changed itself


def test_gradients_pass_through_names_and_sums():
    x = torch.tensor(3.0, requires_grad=True)
    (Terms({"square": x.square()}).named("a") | Terms({"a_cube": x**3})).total().backward()
    assert x.grad == 6 + 27


def test_means_are_taken_name_by_name():
    parts = [terms({"a": 1.0, "b": 5.0}, {"c": 1.0}), terms({"a": 3.0, "b": 5.0}, {"c": 0.0})]
    mean = mean_terms(parts)
    assert {name: float(value) for name, value in mean.losses.items()} == {"a": 2, "b": 5}
    assert {name: float(value) for name, value in mean.observed.items()} == {"c": 0.5}
