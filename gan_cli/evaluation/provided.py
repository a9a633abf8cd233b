"""What the sides of a comparison provide for metrics."""

from gan_cli.data.dataset import HasHeldOut
from gan_cli.data.ground_truth import HasDensity
from gan_cli.data.spec import Field, Spec
from gan_cli.evaluation.sides import Data, Generated, Side
from gan_cli.games.abilities import HasLogDensity
from gan_cli.networks.layers.latent import HasStyles


def spec_of(side: Side) -> Spec | None:
    """Returns the spec of the samples of a side; None for saved statistics."""
    if isinstance(side, Data):
        return side.dataset.spec
    return side.model.spec if isinstance(side, Generated) else None


def target_of(spec: Spec | None) -> Field | None:
    """Returns the field of the samples of a spec."""
    return None if spec is None else spec.fields[spec.target]


def label_needs(side: Side) -> frozenset[str]:
    """Returns {"label"} if the samples of a side have labels, else an empty set."""
    if isinstance(side, Data):
        return frozenset({"label"} if side.dataset.labels() is not None else ())
    labelled = isinstance(side, Generated) and side.model.game.labelled
    return frozenset({"label"} if labelled else ())


def abilities_of(side: Side) -> frozenset[str]:
    """Returns which of "latents", "styles" and "likelihood" the model of a side has."""
    if not isinstance(side, Generated):
        return frozenset()
    found = {"likelihood"} if isinstance(side.model.game, HasLogDensity) else set()
    if side.model.has_latent:
        styles = isinstance(side.model.game.networks["generator"], HasStyles)
        found |= {"latents", "styles"} if styles else {"latents"}
    return frozenset(found)


def ground_truth(side: Side) -> frozenset[str]:
    """Returns which of "modes", "density" and "held_out" pairs are known of a side."""
    if not isinstance(side, Data):
        return frozenset()
    modes = {"modes"} if side.dataset.modes() is not None else set()
    known = modes | ({"density"} if isinstance(side.dataset, HasDensity) else set())
    return frozenset(known | ({"held_out"} if isinstance(side.dataset, HasHeldOut) else set()))
