"""The inputs of an exported network in words, and as code that draws some."""

from gan_cli.data.kinds import kind_of
from gan_cli.deployment.exportable import Exportable

NORMAL = "standard normal"
SHOWN = 4  # samples that the code draws
NAMES = 20  # class names that are listed at most


def in_words(exportable: Exportable, name: str) -> str:
    """Returns which values an input takes."""
    model, spec = exportable.model, exportable.model.spec
    described = getattr(exportable.network, "inputs_in_words", {})
    if name in described:
        return str(described[name])
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
    forms = {
        "label": "torch.arange({count})",
        "tokens": "torch.zeros(({shape}), dtype=torch.int64)",
        "normal": "torch.randn({shape})",
        "uniform": "torch.rand({shape})",
    }
    return in_code(exportable, forms)


def in_numpy(exportable: Exportable) -> list[str]:
    """Returns a line of code for each input, which draws an array."""
    drawn = '(({shape}), dtype="float32")'
    forms = {
        "label": "numpy.arange({count})",
        "tokens": 'numpy.zeros(({shape}), dtype="int64")',
        "normal": f"numpy.random.default_rng().standard_normal{drawn}",
        "uniform": f"numpy.random.default_rng().random{drawn}",
    }
    return in_code(exportable, forms)


def in_code(exportable: Exportable, forms: dict[str, str]) -> list[str]:
    """Returns a line for each input; `forms` are whole numbers from 0, N(0, 1), and [0, 1)."""
    lines = []
    for name, example in exportable.examples.items():
        whole = not example.is_floating_point()
        label, normal = whole and example.ndim == 1, in_words(exportable, name) == NORMAL
        kind = "label" if label else "tokens" if whole else "normal" if normal else "uniform"
        form = forms[kind]
        code = form.format(count=SHOWN, shape=shape_of(exportable, name))
        after = (
            f" % {exportable.model.spec.classes}"
            if label
            else ""
            if normal or whole
            else " * 2 - 1"
        )
        lines.append(f"{name} = {code}{after}")
    return lines


def shape_of(exportable: Exportable, name: str) -> str:
    return ", ".join(map(str, (SHOWN, *exportable.examples[name].shape[1:])))
