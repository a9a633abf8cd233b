"""The settings of a preset as one table."""

from gan_cli.config.quoting import typed_word
from gan_cli.presets.plan import Plan
from gan_cli.utils.console import announce


def announce_settings(plan: Plan, log: str) -> None:
    """Prints every chosen setting with its reason."""
    settings = list(plan.chosen.values())
    name = plan.composed.preset
    if log == "text":
        words = [setting.word for setting in settings]
        width = max(map(len, words), default=0)
        head = f"preset={name} chooses (what you type wins):"
        rows = [f"  {w:{width}}  {s.reason}" for w, s in zip(words, settings, strict=True)]
        print("\n".join([head, *map(str.rstrip, rows)]), flush=True)
        return
    chosen = {s.key: {"value": s.value, "reason": s.reason} for s in settings}
    text = " ".join(typed_word(s.key, s.value) for s in settings)
    announce(f"preset={name}: {text}", log, "preset", settings=chosen)
