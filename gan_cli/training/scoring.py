"""Scores a run at intervals: its metric cards, the best checkpoint, and the scale of distances."""

from pathlib import Path
from typing import Any, Protocol

from gan_cli.checkpoints.contents import plain
from gan_cli.checkpoints.files import Checkpoints
from gan_cli.checkpoints.resume import Resumable, state_of
from gan_cli.evaluation.card import training_card
from gan_cli.evaluation.evaluation import Drawn, Evaluation
from gan_cli.evaluation.scale import scale_of
from gan_cli.games.build import build_game
from gan_cli.games.game import Game
from gan_cli.report.run_report import refresh
from gan_cli.runtime.random_state import fixed_random_state
from gan_cli.training.logger import Logger
from gan_cli.training.progress import Display
from gan_cli.utils.side_files import read_object
from gan_cli.utils.strict_json import numbers


class Scored(Resumable, Protocol):
    """The parts of a run that its scores need; see `gan_cli.training.run.Run`."""

    folder: Path
    evaluation: Evaluation
    checkpoints: Checkpoints
    logger: Logger
    display: Display


def score(run: Scored, drawn: Drawn | None = None) -> None:
    """Computes the metrics of the averaged networks, of samples `drawn`, and saves the best."""
    card = run.evaluation.evaluate(run.ema.game, drawn)
    run.logger.scalars(run.step, card.values)
    run.display.show_metric(run.step, card.values)
    for warning in card.warnings:
        run.display.print_once(warning)
    improved = run.scores.record(run.step, card)
    written = training_card(run.evaluation, run.ema.game, card, run.folder.name, run.step)
    run.logger.card(run.step, "last", written)
    if improved:
        run.logger.card(run.step, "best", written)
        run.checkpoints.save_best(state_of(run))
    if run.config.score_scale and run.scores.scale is None:
        run.scores.scale = scale(run)
    run.logger.update_run_json(run.scores.outcome())
    refresh(run.folder)


def scale(run: Scored) -> dict[str, Any]:
    """Returns the scale of the distances: that in run.json if it is of these metrics and data."""
    basis = {"metrics": plain(run.config)["metrics"], "data": run.dataset.fingerprint()}
    found = (read_object(run.folder / "run.json") or {}).get("scale")
    if isinstance(found, dict) and found.get("basis") == basis:
        return {**found, **{end: numbers(found.get(end, {})) for end in ("floor", "ceiling")}}
    if not run.evaluation.metrics.metrics:
        return {}
    return {**scale_of(run.evaluation, untrained_game(run)), "basis": basis}


def untrained_game(run: Scored) -> Game:
    """Returns the game with its initial weights; the random state is left unchanged."""
    config, device = run.config, run.evaluation.metrics.device
    with fixed_random_state(device, config.seed):
        game = build_game(config.model, config.loss, config.augment, run.dataset.spec)
    game.networks.to(device).requires_grad_(False)
    return game
