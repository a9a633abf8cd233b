"""format=plot: vectors of one number as a histogram, of two as points; sound as waveforms."""

from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.sampling.exports.export import Drawing, export

if TYPE_CHECKING:
    from gan_cli.data.spec import Field


def is_plottable(field: "Field") -> bool:
    """Points on a line or in the plane, or sound."""
    return field.kind == "audio" or field.shape in ((1,), (2,))


@export("plot", kinds=["vector", "audio"], shows=is_plottable)
def write_plot(folder: Path, drawing: Drawing) -> list[Path]:
    """plot.png."""
    from gan_cli.data.kinds import Context, kind_of
    from gan_cli.plots.density import histogram_plot
    from gan_cli.plots.scatter import points_plot
    from gan_cli.utils.images import save_png

    kind, field = kind_of(drawing.field), drawing.field
    if field.kind == "audio":
        picture = kind.picture(field, [kind.to_model(drawing.samples)], Context())
        assert picture is not None
    else:
        draw = histogram_plot if field.shape == (1,) else points_plot
        picture = draw(drawing.samples)
    save_png(folder / "plot.png", picture)
    return [folder / "plot.png"]
