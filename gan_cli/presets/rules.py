"""The rules of presets: which settings follow from the data and the device, and why."""

from collections import Counter

from gan_cli.data.spec import image_spec
from gan_cli.games import games
from gan_cli.networks.layers.sizes import pyramid
from gan_cli.presets.facts import Facts, Machine
from gan_cli.presets.levels import LEAST_SHOWN, Level
from gan_cli.presets.plan import Plan
from gan_cli.report.words import duration
from gan_cli.utils.errors import ConfigError

SIDES = (8, 16, 32, 64, 128, 256)
ENLARGED = 20  # one of so many images may be smaller than the chosen size
FEW, SOME, MANY = 500, 2_000, 20_000  # images
OFTEN = 50  # times that an image is shown, from which on a critic may know it by heart
GAMMA, GAMMA_SIDE = 10.0, 64  # a weight of R1 and R2, and the size for which it is good
LAZY, LAZY_GAMMA = 16, 0.5  # steps between penalties of R1 alone, and their weight
STYLE_GAMMA = 0.0002  # of StyleGAN2, times pixels / batch: configuration auto of arXiv:2006.06676
LEAST_STEPS, TIMES = 100, 8


def choose_size(plan: Plan, level: Level, sizes: Counter[tuple[int, int]], gpu: bool) -> None:
    """The size of images from files: as large as nearly all of them are, up to a limit."""
    if not any(plan.value(f"dataset.{key}") is not None for key in ("size", "height", "width")):
        limit = level.gpu_side if gpu else level.cpu_side
        if len(sizes) == 1 and fits(*next(iter(sizes)), limit):
            return  # all images have one size, and networks for it
        sides = sorted(min(size) for size in sizes.elements())
        usual = sides[len(sides) // ENLARGED]
        side = max((s for s in SIDES if s <= min(usual, limit)), default=SIDES[0])
        most = f"the most that this preset trains on a {'GPU' if gpu else 'CPU'}"
        why = most if side == limit else "nearly all images are at least as large"
        plan.choose("dataset.size", side, why)
    if plan.value("dataset.resize") == "none":
        plan.choose("dataset.resize", "crop", "keeps the proportions")


def fits(height: int, width: int, limit: int) -> bool:
    """Whether networks halve images of this size to a small map."""
    try:
        pyramid(image_spec((3, height, width)))
    except ConfigError:
        return False
    return max(height, width) <= limit


def choose_device(plan: Plan, machine: Machine) -> None:
    """Precision."""
    if machine.bfloat16:
        where = "GPU" if machine.is_gpu else "processor"
        plan.choose("device.precision", "bfloat16", f"the {where} has units for it: faster")
    else:
        plan.choose("device.precision", "float32", "no units for bfloat16 here")


def choose_networks(plan: Plan, level: Level, facts: Facts) -> None:
    """Model, widths, loss and weights of its penalties; a typed model or loss is left as it is."""
    if not plan.typed("model"):
        networks = choose_r3gan if facts.machine.is_gpu else choose_dcgan
        networks(plan, level, facts)
    if plan.typed("loss") or plan.typed("model"):
        return
    if facts.machine.is_gpu:
        choose_r3gan_loss(plan, facts)
    else:
        choose_r1(plan)


def choose_r1(plan: Plan) -> None:
    """A penalty at every 16th step, which costs little."""
    plan.choose("loss", "r1", "half the time per step of r3gan, and closer to the data")
    plan.choose("loss.penalties.r1.every", LAZY, "as in StyleGAN2: costs little")
    plan.choose("loss.penalties.r1.weight", LAZY_GAMMA, "good for dcgan up to 64 x 64")


def choose_r3gan_loss(plan: Plan, facts: Facts) -> None:
    """Penalties at every step, by the pixels."""
    plan.choose("loss", "r3gan", "the networks converge, and cover the data")
    gamma = GAMMA * facts.height * facts.width / GAMMA_SIDE**2
    for penalty in ("r1", "r2"):
        why = "10 at 64 x 64 for small networks, times the pixels"
        plan.choose(f"loss.penalties.{penalty}.weight", round(gamma, 4), why)


def choose_dcgan(plan: Plan, level: Level, facts: Facts) -> None:
    """The fast networks."""
    name = "cgan" if facts.labelled else "dcgan"
    labels = ", with labels" if facts.labelled else ""
    plan.choose("model", name, f"the fast networks, without a CUDA GPU{labels}")
    why = f"channels at half the size, for preset={plan.composed.preset}"
    plan.choose("model.networks.generator.width", level.cpu_width, why)
    plan.choose("model.networks.discriminator.width", min(level.cpu_width, 32), why)


def choose_r3gan(plan: Plan, level: Level, facts: Facts) -> None:
    """Residual networks, which the same widths of the coarse maps give for all sizes."""
    plan.choose("model", "r3gan", "the better networks, on a CUDA GPU")
    few = facts.count < SOME
    limit = max(64, level.gpu_width * (2 if few else 4))
    width = min(limit, max(16, limit // 4 * GAMMA_SIDE // facts.side))
    why = f"{facts.count:,} images of {facts.height} x {facts.width}"
    for role in ("generator", "discriminator"):
        where = f"model.networks.{role}"
        plan.choose(f"{where}.width", width, why)
        plan.choose(f"{where}.max_width", limit, why)
        plan.choose(f"{where}.blocks", level.gpu_blocks, f"for preset={plan.composed.preset}")
    if facts.labelled:
        plan.choose("model.networks.generator.conditioning", "concat", "the data have labels")
        plan.choose(
            "model.networks.discriminator.conditioning", "projection", "the data have labels"
        )


def choose_batch(plan: Plan, level: Level, facts: Facts) -> None:
    """The batch, before its memory is measured."""
    batch = 8 if level.steps else 32
    if facts.machine.is_gpu and not level.steps:
        batch = 64 if facts.side <= 64 else 32
    while batch > max(4, facts.count):
        batch //= 2
    where = "a GPU" if facts.machine.is_gpu else "a CPU"
    plan.choose("batch_size", batch, f"usual on {where} at this size")


def choose_gamma(plan: Plan, facts: Facts) -> None:
    """The weight of R1 for StyleGAN2, whose loss has a rule of its authors instead of one value."""
    chosen = plan.chosen.get("loss")
    if (chosen.value if chosen else plan.start.choices.get("loss")) != "stylegan2":
        return
    gamma = STYLE_GAMMA * facts.height * facts.width / int(plan.value("batch_size"))
    why = f"{STYLE_GAMMA} * {facts.height} * {facts.width} / batch_size; try a fifth and 5 times"
    plan.choose("loss.penalties.r1.weight", float(f"{gamma:.3g}"), why)


def choose_augment(plan: Plan, facts: Facts, shown: int) -> None:
    """Augmentation by the number of images, and by how often each of the `shown` ones returns.

    Mirroring is left to the user, who knows the data.
    """
    game = games.entries.get(str(plan.value("model.game.name") or "gan"))
    if plan.typed("augment") or not getattr(game, "augments", False):
        return
    repeats = shown // facts.count
    often = f"{facts.count:,} images, each of them shown {repeats:,} times"
    if repeats < OFTEN or facts.count >= MANY:
        plan.choose("augment", "none", often)
    elif not facts.machine.is_gpu:
        plan.choose("augment", "diffaugment", often)
        plan.choose("augment.policy", "[translation]", "colours and cutout need more steps")
    elif facts.count < FEW:
        plan.choose("augment", "diffaugment", often)
        plan.choose("augment.policy", "[color,translation]", "cutout, the third, may leak")
    else:
        plan.choose("augment", "ada", often)
        speed = rounded(min(500_000, max(20_000, shown // 4)))
        plan.choose("augment.speed", speed, "p can rise to 1 in a quarter of the run")


def images_shown(plan: Plan, level: Level, facts: Facts, steps_per_second: float) -> int:
    """How many images a run shows in the time of its level, or as many as are enough."""
    batch = int(plan.value("batch_size"))
    if plan.typed("steps") or level.steps:
        return batch * int(level.steps or plan.value("steps"))
    minutes = level.gpu_minutes if facts.machine.is_gpu else level.cpu_minutes
    in_time = int(60 * minutes * steps_per_second) * batch
    return min(in_time, level.images, max(LEAST_SHOWN, facts.count * level.repeats))


def choose_lengths(plan: Plan, level: Level, facts: Facts, steps_per_second: float) -> None:
    """Steps by images and speed; average and intervals by steps."""
    batch = int(plan.value("batch_size"))
    steps = max(LEAST_STEPS, rounded(images_shown(plan, level, facts, steps_per_second) // batch))
    if level.steps:
        plan.choose("steps", level.steps, "a short check")
    elif steps_per_second:
        time = duration(steps / steps_per_second)
        plan.choose("steps", steps, f"{time} at {steps_per_second * batch:.3g} images/s")
    steps = int(plan.value("steps"))
    half_life = rounded(min(500_000, max(500, steps * batch // 20)))
    plan.choose("ema.half_life", half_life, f"a 20th of the {steps * batch:,} images shown")
    plan.choose("every.preview", max(1, rounded(steps / 20)), "20 previews")
    for key in ("every.evaluate", "every.checkpoint"):
        plan.choose(key, max(1, rounded(steps / TIMES)), f"{TIMES} times")


def rounded(number: float) -> int:
    """A whole number with two digits that are not zero, at most `number`."""
    whole = int(number)
    scale: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // scale * scale
