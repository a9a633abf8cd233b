"""The inputs of an exported network in words, and as code that draws some."""

from gan_cli.data.kinds import kind_of
from gan_cli.deployment.exportable import Exportable

NORMAL = "standard normal"
SHOWN = 4  # samples that the code draws
NAMES = 20  # class names that are listed at most


def in_words(exportable: Exportable, name: str) -> str:
    """Returns which values an input takes."""
    model, spec = exportable.model, exportable.model.spec
    if name == "noise":
        return NORMAL
    if name == "latent":
        uniform = model.game.networks["generator"].prior == "uniform"
        return "uniform on [-1, 1]" if uniform else NORMAL
    if not exportable.examples[name].is_floating_point():
        names = ", ".join(spec.class_names[:NAMES])
        more = ", ..." if len(spec.class_names) > NAMES else ""
        return f"0 to {spec.classes - 1}" + (f" ({names}{more})" if names else "")
    return "in [-1, 1]" if kind_of(spec.fields[spec.target]).bounded else "numbers"


def in_torch(exportable: Exportable) -> list[str]:
    """Returns a line of code for each input, which draws a tensor."""
    lines = []
    for name in exportable.examples:
        shape = shape_of(exportable, name)
        if not exportable.examples[name].is_floating_point():
            lines.append(f"{name} = torch.arange({SHOWN}) % {exportable.model.spec.classes}")
        elif in_words(exportable, name) == NORMAL:
            lines.append(f"{name} = torch.randn({shape})")
        else:
            lines.append(f"{name} = torch.rand({shape}) * 2 - 1")
    return lines


def in_numpy(exportable: Exportable) -> list[str]:
    """Returns a line of code for each input, which draws an array."""
    lines = []
    for name in exportable.examples:
        drawn = f'(({shape_of(exportable, name)}), dtype="float32")'
        if not exportable.examples[name].is_floating_point():
            lines.append(f"{name} = numpy.arange({SHOWN}) % {exportable.model.spec.classes}")
        elif in_words(exportable, name) == NORMAL:
            lines.append(f"{name} = numpy.random.default_rng().standard_normal{drawn}")
        else:
            lines.append(f"{name} = numpy.random.default_rng().random{drawn} * 2 - 1")
    return lines


def shape_of(exportable: Exportable, name: str) -> str:
    return ", ".join(map(str, (SHOWN, *exportable.examples[name].shape[1:])))
