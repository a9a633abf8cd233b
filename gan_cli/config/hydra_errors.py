"""Errors of Hydra, OmegaConf and PyYAML as one line that says what to type instead."""

from traceback import walk_tb

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from gan_cli.config.quoting import shown
from gan_cli.utils.errors import ConfigError

# What to install for launchers and sweepers, by the first word of their names.
PLUGINS = {
    "hydra/launcher/submitit": "'gan-cli[slurm]'",
    "hydra/launcher/joblib": "'gan-cli[joblib]'",
    "hydra/launcher/ray": "'gan-cli[ray]'",
    "hydra/launcher/rq": "hydra-rq-launcher",
    "hydra/sweeper/optuna": "'gan-cli[optuna]'",
    "hydra/sweeper/ax": "hydra-ax-sweeper",
    "hydra/sweeper/nevergrad": "hydra-nevergrad-sweeper",
}


def as_config_error(error: BaseException) -> ConfigError:
    """The error of a composition as a ConfigError with one line."""
    return ConfigError(message(error))


def message(error: BaseException) -> str:
    """What is wrong, on one line."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    for link in chain:
        if isinstance(link, YAMLError):
            return yaml_message(link)
    if undecoded := next((link for link in chain if isinstance(link, UnicodeDecodeError)), None):
        return f"{config_file(undecoded)}: is not UTF-8: {undecoded.reason}"
    if (misfit := misfit_message(error, chain)) is not None:
        return misfit
    if any(isinstance(link, RuntimeError) and '"srun"' in str(link) for link in chain):
        return (
            "hydra/launcher: there is no SLURM on this machine (no program srun); type "
            "hydra/launcher=local for processes of this machine"
        )
    text = own_message(error)
    if isinstance(error, HydraException) and isinstance(error.__cause__, OmegaConfBaseException):
        text += f": {own_message(error.__cause__)}"
    for start, package in PLUGINS.items():
        if f"'{start}" in text:
            return f"{text}; type pip install {package}"
    return text


def misfit_message(error: BaseException, chain: list[BaseException]) -> str | None:
    """What a list, or keys and values, should have been that an override sets; None otherwise."""
    locals_of = (frame.f_locals.get("override") for frame, _ in walk_tb(error.__traceback__))
    override = next((found for found in locals_of if isinstance(found, Override)), None)
    if override is None:
        return None
    key, said = override.key_or_group, " ".join(map(str, chain))
    if "Cannot merge" in said and key == "metrics.compute":
        expected = "names of metrics"
    elif "Cannot merge" in said:
        expected = "keys and values" if isinstance(override.value(), list) else "a list"
    elif "invalid literal for int()" in said or "index out of range" in said:
        whole = key.rpartition(".")[0]
        return f"{shown(key)}: {whole} is a list, which is set as a whole; type {whole}=[...]"
    else:
        return None
    value = override.input_line.partition("=")[2] if override.input_line else ""
    return f"{key}: expected {expected}, got {shown(value)}"


def own_message(error: BaseException) -> str:
    """The first line of an error, with the key; its type where it is not Hydra's."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = shown((lines or [""])[0].split(", set env var HYDRA_FULL_ERROR")[0].rstrip(" ."), 300)
    if isinstance(error, OmegaConfBaseException):
        key = error.full_key
        return f"{key}: {text}" if key and not text.startswith(str(key)) else text
    if isinstance(error, HydraException):
        more = lines[1:2] if text.endswith("raised while composing config:") else []
        more += [f"({line})" for line in lines[1:] if line.startswith("full_key: ")]
        return " ".join([text, *more])
    return f"the config cannot be composed: {type(error).__name__}: {text}"


def config_file(error: BaseException) -> str:
    """The file that Hydra was reading when an error occurred."""
    paths = (frame.f_locals.get("full_path") for frame, _ in walk_tb(error.__traceback__))
    return next((str(path) for path in paths if path), "a config file")


def yaml_message(error: YAMLError) -> str:
    """The file, the line and the problem of a YAML file."""
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{mark.name}, line {mark.line + 1}: no valid YAML: {error.problem}"
    return f"no valid YAML: {' '.join(str(error).split())}"
