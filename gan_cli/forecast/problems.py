"""The problems of a data set in words: one line each, with what to do."""

from collections.abc import Iterator

from gan_cli.augment import augments
from gan_cli.config.schema import Config
from gan_cli.forecast.inspection import Inspection

FEW = 1000  # samples, below which a discriminator learns them by heart
TINY = 50  # samples of a class
IMBALANCE = 10  # times as many samples in the largest class as in the smallest
SIDES = (8, 16, 32, 64, 128, 256, 512)
NAMED = 3  # files that a line names


def problems(found: Inspection, config: Config) -> Iterator[str]:
    """Yields every problem of one field of the data."""
    for check in (broken, few, enlarged, cropped, modes, classes, constant, copies, similar):
        for text in check(found, config):
            yield text if found.key == "real" else f"{found.key}: {text}"


def broken(found: Inspection, config: Config) -> Iterator[str]:  # noqa: ARG001
    if found.files and found.files.broken:
        first = [f"{name}: {why}" for name, why in sorted(found.files.broken.items())]
        yield f"{counted(len(first), 'broken file')} left out ({listed(first)}); replace or delete"


def few(found: Inspection, config: Config) -> Iterator[str]:
    if found.count >= FEW or found.spec.kind not in ("image", "audio"):
        return
    advice = []
    fitting = {name for name, each in augments.entries.items() if found.spec.kind in each.kinds}
    if config.augment["name"] == "none" and (names := sorted(fitting - {"none"})):
        advice.append(f"augment={'ada' if 'ada' in names else names[0]}")
    if found.spec.kind == "image" and not found.hflip:
        advice.append("dataset.hflip=true if a mirror image is plausible")
    advice.append("pretrained=RUN to start from a run on similar data")
    yield (
        f"only {counted(found.count, 'sample')}, which a discriminator soon knows by heart; "
        f"type {', or '.join(advice)} (see the page on small data)"
    )


def enlarged(found: Inspection, config: Config) -> Iterator[str]:  # noqa: ARG001
    small = enlarged_files(found)
    if not small or found.files is None:
        return
    height, width = found.spec.shape[1:]
    shorter = sorted(min(size) for size in found.files.sizes)
    usual = shorter[len(shorter) // 20]  # all but 5 % are larger
    fitting = [side for side in SIDES if side <= usual and side < min(height, width)]
    instead = f"type dataset.size={fitting[-1]}, or " if fitting else ""
    yield (
        f"{len(small)} of {counted(found.count, 'image')} are smaller than {width}x{height} and "
        f"are enlarged, which blurs them ({listed(map(found.name, small))}); {instead}"
        "leave them out"
    )


def enlarged_files(found: Inspection) -> list[int]:
    """Numbers of the images that are enlarged."""
    if found.files is None or found.resize not in ("crop", "stretch"):
        return []
    height, width = found.spec.shape[1:]
    return [i for i, (h, w) in enumerate(found.files.sizes) if h < height or w < width]


def cropped(found: Inspection, config: Config) -> Iterator[str]:  # noqa: ARG001
    """Images whose shape differs much from that of the network."""
    if found.files is None or found.resize not in ("crop", "stretch"):
        return
    height, width = found.spec.shape[1:]
    ratios = [w * height / (h * width) for h, w in found.files.sizes]
    far = [i for i, ratio in enumerate(ratios) if max(ratio, 1 / ratio) > 2]
    if not far:
        return
    effect = "lose more than half of their area" if found.resize == "crop" else "are distorted"
    other = "pad" if found.resize == "crop" else "crop"
    yield (
        f"{len(far)} of {counted(found.count, 'image')} {effect}, since they are more than twice "
        f"as long ({listed(map(found.name, far))}); type dataset.resize={other}, or leave them out"
    )


def modes(found: Inspection, config: Config) -> Iterator[str]:  # noqa: ARG001
    """Gray images among coloured ones, and transparency that is lost."""
    looked, channels = len(found.looked_at), len(found.spec.shape) == 3 and found.spec.shape[0]
    if found.spec.kind == "image" and channels in (3, 4) and found.gray:
        if found.gray == looked and found.files is not None:
            yield "all images are gray; type dataset.channels=1, which is faster"
        elif 0 < found.gray < looked:
            yield (
                f"{found.gray} of {counted(looked, 'image')} are gray among coloured ones, and the "
                "model will draw both; leave them out, or type dataset.channels=1"
            )
    clear = sum(n for mode, n in found.modes.items() if "A" in mode or "transparent" in mode)
    if clear and channels != 4:
        yield (
            f"{counted(clear, 'image')} with transparent pixels, which become white; to keep them, "
            "type dataset.channels=4"
        )


def classes(found: Inspection, config: Config) -> Iterator[str]:  # noqa: ARG001
    if not found.classes:
        return
    least, most = (f(found.classes, key=found.classes.__getitem__) for f in (min, max))
    tiny = [f"{name}: {n}" for name, n in found.classes.items() if n < TINY]
    if tiny:
        yield (
            f"{len(tiny)} of {counted(len(found.classes), 'class')} with fewer than {TINY} samples "
            f"({listed(tiny)}); merge them with others, or leave them out"
        )
    if found.classes[most] >= IMBALANCE * max(found.classes[least], 1):
        yield (
            f"the classes are unequal: {most} has {found.classes[most]:,} samples, {least} has "
            f"{found.classes[least]:,}; the model will draw the small ones badly, so add to them"
        )


def constant(found: Inspection, config: Config) -> Iterator[str]:  # noqa: ARG001
    if found.constant and found.spec.kind in ("image", "audio"):
        what = "of one colour only" if found.spec.kind == "image" else "silent"
        names = listed(map(found.name, found.constant))
        number = counted(len(found.constant), "sample")
        yield f"{number} {what} ({names}): delete what shows nothing"


def copies(found: Inspection, config: Config) -> Iterator[str]:  # noqa: ARG001
    if not found.copies or found.spec.kind == "tokens":
        return
    extra = sum(len(group) - 1 for group in found.copies)
    first = [" = ".join(map(found.name, group[:2])) for group in found.copies]
    yield (
        f"{counted(extra, 'exact copy')} of other samples ({listed(first)}); delete them: "
        "what is there twice is learnt, and scored, twice"
    )


def similar(found: Inspection, config: Config) -> Iterator[str]:  # noqa: ARG001
    if found.similar:
        first = [f"{found.name(i)} ~ {found.name(j)}" for i, j, _ in found.similar]
        yield (
            f"{counted(len(first), 'pair')} of images that look the same ({listed(first)}); view "
            "them with check=data.html, and keep one of each"
        )


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    plural = {"class": "classes", "exact copy": "exact copies"}.get(noun, f"{noun}s")
    return f"{number:,} {noun if number == 1 else plural}"


def listed(names: object) -> str:
    """The first names, and that there are more."""
    found = list(names)  # type: ignore[call-overload]
    return ", ".join(found[:NAMED]) + (", ..." if len(found) > NAMED else "")
