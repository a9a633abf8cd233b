"""Small configs and silent runs for tests."""

from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gan_cli.config.command_line import hydra_arguments
from gan_cli.config.schema import Config
from gan_cli.data.sets import datasets
from gan_cli.data.spec import Spec
from gan_cli.games.build import build_game
from gan_cli.games.game import Game
from gan_cli.training.logger import Logger
from gan_cli.training.progress import Display
from gan_cli.training.run import Run
from gan_cli.utils.paths import CONFIGS
from gan_cli.utils.stop_signals import StopSignal
from gan_cli.validation.validate import validate

SMALL = (
    "run=test",
    "dataset=synthetic",
    "dataset.count=64",
    "batch_size=8",
    "steps=2",
    "every={log: 1, preview: 0, evaluate: 0, checkpoint: 0}",
    "metrics=none",
    "health=false",
    "device=cpu",
)


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def composed(*overrides: str) -> dict:
    """Returns the config composed by Hydra, the input of `validate`."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("train", hydra_arguments(list(overrides)))
    OmegaConf.set_struct(config, False)
    config.pop("hydra", None)
    return config


def small(*overrides: str) -> Config:
    return validate(composed(*SMALL, *overrides))


def built(config: Config, spec: Spec | None = None) -> Game:
    """Returns the game of a config before its first step, for its data set or for `spec`."""
    if spec is None:
        spec = datasets.build(config.dataset, where="dataset").spec
    torch.manual_seed(config.seed)
    return build_game(config.model, config.loss, config.augment, spec)


def trained(config: Config, folder: Path) -> Run:
    """Trains (or resumes) a run in this process to its last step and returns it."""
    run = Run(config, folder)
    run.resume()
    logger = Logger(folder, run.step)
    with StopSignal() as stop:
        run.train(logger, Display(config.steps, run.step, silent=True), stop)
    logger.close()
    run.feed.close()
    return run


def tensors_of(run: Run) -> dict[str, torch.Tensor]:
    """Returns all tensors that training changes: networks, averages, optimizer moments."""
    found = {f"live.{k}": v for k, v in run.game.networks.state_dict().items()}
    for role, network in run.ema.networks.items():
        found |= {f"average.{role}.{k}": v for k, v in network.state_dict().items()}
    for name, player in run.players.items():
        for index, state in player.optimizer.state_dict()["state"].items():
            found |= {f"{name}.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
    return found
