"""format=plot: vectors of length 1 as a histogram, of length 2 as points; sound as waveforms."""

from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.sampling.exports.export import DrawnSamples, export

if TYPE_CHECKING:
    from gan_cli.data.spec import Field


def is_plottable(field: "Field") -> bool:
    """Returns whether samples are vectors of length 1 or 2, or sound."""
    return field.kind == "audio" or field.shape in ((1,), (2,))


@export("plot", kinds=["vector", "audio"], shows=is_plottable)
def write_plot(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes plot.png."""
    from gan_cli.data.kinds import Context, kind_of
    from gan_cli.plots.density import histogram_plot
    from gan_cli.plots.scatter import points_plot
    from gan_cli.utils.images import save_png

    kind, field = kind_of(drawn.field), drawn.field
    if field.kind == "audio":
        picture = kind.picture(field, [kind.to_model(drawn.samples)], Context())
        assert picture is not None
    else:
        draw = histogram_plot if field.shape == (1,) else points_plot
        picture = draw(drawn.samples)
    save_png(folder / "plot.png", picture)
    return [folder / "plot.png"]
