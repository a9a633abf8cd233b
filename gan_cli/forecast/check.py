"""What `gan-train check=true` does: a forecast of the run, and the problems of its data."""

from collections.abc import Iterator
from pathlib import Path

from gan_cli.config.schema import Config
from gan_cli.data.files.download import NotHereError, without_downloads
from gan_cli.forecast.data_page import write_data_page
from gan_cli.forecast.forecast import Forecast, forecast_of
from gan_cli.forecast.inspection import inspections
from gan_cli.forecast.problems import problems
from gan_cli.forecast.trial import Trial
from gan_cli.utils.console import announce
from gan_cli.utils.memory import as_size
from gan_cli.utils.paths import user_path

VALID = "the config is valid"


def forecast(config: Config, folder: Path) -> None:
    """Prints what the run in `folder` would take, and the problems of its data."""
    try:
        with without_downloads():
            trial = Trial(config, folder)
    except NotHereError as missing:
        later = f"{missing}; it is downloaded at the start, and there is no forecast before"
        announce(f"{VALID}; {later}", config.log, "valid")
        return
    found = forecast_of(trial, folder)
    seen = inspections(trial.dataset)
    faults = [*disk_problems(found), *(text for each in seen for text in problems(each, config))]
    page = [] if isinstance(config.check, bool) else [f"the data: {config.check}"]
    if not isinstance(config.check, bool):
        write_data_page(user_path(config.check), trial, list(found.rows()), faults, seen)
    if config.log == "text":
        print("\n".join([VALID, *table(found), *listed_problems(faults), *page]), flush=True)
    else:
        announce(VALID, config.log, "valid", forecast=found.entries(), problems=faults)


def table(found: Forecast) -> list[str]:
    """The forecast as lines with aligned columns."""
    rows = list(found.rows())
    width = max(len(name) for name, _ in rows)
    return [f"  {name:{width}}  {value}" for name, value in rows]


def listed_problems(faults: list[str]) -> list[str]:
    if not faults:
        return ["no problems found"]
    head = "1 problem:" if len(faults) == 1 else f"{len(faults)} problems:"
    return [head, *(f"  - {text}" for text in faults)]


def disk_problems(found: Forecast) -> Iterator[str]:
    """A disk that is too small for the run."""
    disk = found.disk
    if disk.free is not None and disk.total + disk.checkpoint > disk.free:  # and one being written
        yield (
            f"the run needs {as_size(disk.total + disk.checkpoint)} of disk, and "
            f"{as_size(disk.free)} are free; free some, or lower keep_last or raise every.keep"
        )
