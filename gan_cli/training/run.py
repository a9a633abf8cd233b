"""A training run: its parts, the training loop, and what happens at intervals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gan_cli.checkpoints.files import Checkpoints, State
from gan_cli.checkpoints.resume import nonfinite_weight, rank_states, restore, state_of
from gan_cli.config.schema import Config
from gan_cli.data.feeds.feed import open_feed
from gan_cli.data.kinds import kind_of
from gan_cli.data.sets import datasets
from gan_cli.evaluation.evaluation import Evaluation
from gan_cli.games.abilities import Evaluates
from gan_cli.games.build import build_game
from gan_cli.games.freezing import freeze_first_blocks
from gan_cli.games.game import Batch
from gan_cli.health import Health
from gan_cli.optim.optimizers import options_of
from gan_cli.runtime.runtime import Runtime
from gan_cli.training.best import Scores
from gan_cli.training.ema import MovingAverage
from gan_cli.training.logger import Logger
from gan_cli.training.meters import Meters
from gan_cli.training.pretrained import load_pretrained
from gan_cli.training.previews import Previews
from gan_cli.training.progress import Display
from gan_cli.training.scoring import score
from gan_cli.training.shortage import reporter
from gan_cli.training.together import check_processes, stop_if_asked
from gan_cli.training.turns import turns_of
from gan_cli.utils.errors import NonFiniteError, StorageError
from gan_cli.utils.stop_signals import StopSignal

Tree = Mapping[str, Any]
ROLLBACKS = 3  # a run that diverges more often than this is given up


class Run:
    """All parts of a training run. Nothing is written before `train`."""

    def __init__(
        self, config: Config, folder: Path, runtime: Runtime | None = None, own: Tree | None = None
    ) -> None:
        self.config, self.own = config, own or {}  # own: settings so far, with keys that are new
        self.step = self.drawn = self.rollbacks = 0
        self.runtime = runtime = runtime or Runtime(config.device)
        processes = runtime.processes
        self.folder = folder = Path(processes.share(str(folder)))  # the name may contain the time
        with processes.one_first():
            self.dataset = datasets.build(config.dataset, where="dataset")
        check_processes(processes, config, self.dataset)
        for field in self.dataset.spec.fields.values():
            kind_of(field).check(field)
        torch.manual_seed(config.seed)  # initial weights, equal on every rank
        self.game = build_game(config.model, config.loss, config.augment, self.dataset.spec)
        self.game.look_at(self.dataset)
        load_pretrained(self.game, config.model, self.dataset.spec, self.folder)
        freeze_first_blocks(self.game, config.model)
        runtime.place(self.game.networks)
        self.game.place(runtime.device)
        self.turns = turns_of(self.game, runtime, config)
        self.players = {
            name: self.turns.player(
                [self.game.networks[role] for role in roles], options_of(config.optimizer, name)
            )
            for name, roles in self.game.players.items()
        }
        self.game.optimizers = {name: player.optimizer for name, player in self.players.items()}
        self.ema = MovingAverage(self.game, config.ema)
        self.meters = Meters()
        with processes.one_first():  # features may be downloaded or trained
            others = self.game.targets(self.dataset.spec)[1:]
            self.evaluation = Evaluation(
                config.metrics, self.dataset, runtime.device, others=others
            )
        self.scores = Scores()
        off = "" if config.every.log else "every.log=0"
        off = off if config.health else "health=false"
        self.health = Health(self.game, self.players, self.dataset, runtime.device, off)
        self.checkpoints = Checkpoints(folder / "checkpoints", config.keep_last, config.every.keep)
        self.feed = open_feed(
            self.dataset,
            batch_size=config.batch_size // processes.world,
            seed=config.seed,
            rank=processes.rank,
            world=processes.world,
            device=runtime.device,
            resident=config.device.resident,
            resident_gib=config.device.resident_gib,
            workers=config.device.workers,
        )

    def resume(self) -> None:
        """Restores the newest intact checkpoint of the folder, if there is one."""
        state = self.latest()
        if state is not None:
            restore(self, state)

    def latest(self) -> State | None:
        """Returns the newest intact checkpoint, which rank 0 reads for all processes."""
        processes = self.runtime.processes
        return processes.share(self.checkpoints.latest() if processes.rank == 0 else None)

    def train(self, logger: Logger, display: Display, stop: StopSignal) -> None:
        """Trains to the last step of the config.

        Raises SignalError on a signal and DataError if data have vanished, after writing a
        checkpoint; NonFiniteError if the run diverges, in which case the last checkpoint is still
        finite; StorageError if a checkpoint cannot be written.
        """
        self.logger, self.display = logger, display
        self.turns.on_shortage = reporter(self)
        if self.runtime.processes.rank == 0:
            self.checkpoints.set_aside_later(self.step)
            self.previews = Previews(self.ema.game, self.dataset, self.feed.batches(0))
            if self.config.every.preview:
                self.previews.log_data(logger)
        while self.step < self.config.steps:
            try:
                self.loop(stop)
            except NonFiniteError as error:
                self.roll_back(error)

    def loop(self, stop: StopSignal) -> None:
        """Trains until the last step, or until a loss is not finite."""
        config, batch = self.config, Batch()
        batches = self.feed.batches(self.drawn)
        while self.step < config.steps:
            drawn = self.drawn
            self.runtime.seed(config.seed, self.rollbacks, self.step)
            for player in self.players.values():
                player.schedule(self.step)
            self.game.schedule(self.step)
            for turn in self.game.turns(self.step):
                if turn.draw:
                    batch = next(batches)
                    self.drawn += 1
                if self.health_due(ahead=1):
                    self.health.before_update(turn.player)
                terms = self.turns.play(turn, self.players[turn.player], batch)
                self.meters.add(self.step, turn.player, terms)
            self.runtime.average_buffers(self.game.networks)
            self.ema.update(self.step, config.batch_size)
            self.step += 1
            error = self.between_steps(self.drawn - drawn)
            stop_if_asked(self, stop.received, error)

    def between_steps(self, draws: int) -> Exception | None:
        """Does what is due, and reads the batches of the next step, which draws as many again.

        Returns an error that does not keep the run from being saved.
        """
        try:
            self.at_intervals()
            if self.step < self.config.steps:
                self.feed.prepare(draws)
        except (NonFiniteError, StorageError):
            raise
        except Exception as error:
            return error
        return None

    def at_intervals(self) -> None:
        """Logs, previews, evaluates and saves when due."""
        self.display.advance(self.step)
        every = self.config.every
        if self.due(every.log):
            self.write_log()
        if self.due(every.preview) and self.runtime.processes.rank == 0:
            self.previews.log(self.step, self.logger)
        if self.due(every.evaluate):
            self.evaluate()
        if self.due(every.checkpoint):
            self.save()

    def due(self, every: int, ahead: int = 0) -> bool:
        """Returns whether `every` divides the number of completed steps, or training is done."""
        step = self.step + ahead
        return every > 0 and (step % every == 0 or step == self.config.steps)

    def write_log(self) -> None:
        values = self.meters.read()
        if values:
            if self.health_due():
                values |= self.read_health(values)
            rate = self.display.show(self.step, self.config.batch_size, values)
            self.logger.scalars(self.step, {**values, "images_per_second": rate})

    def health_due(self, ahead: int = 0) -> bool:
        """Returns whether this process reads health signals with the log of this step.

        Only rank 0 does; no reading waits for another process.
        """
        wanted = self.config.health and self.runtime.processes.rank == 0
        return wanted and self.due(self.config.every.log, ahead)

    def read_health(self, values: dict[str, float]) -> dict[str, float]:
        """Returns the health signals to log, and reports new and resolved findings."""
        self.health.remember_start(self.meters.first, self.meters.losses)
        signals, changed = self.health.read(self.step, values)
        for finding in changed:
            self.display.print(finding.message(), "finding")
            self.logger.text(self.step, "health", finding.message())
        self.logger.update_run_json(self.health.outcome())
        self.display.show_health(self.health.verdict())
        return {f"health/{name}": value for name, value in signals.items()}

    def evaluate(self) -> None:
        """Scores samples of the averaged networks, drawn by all processes, and saves the best."""
        self.check_finite()  # a diverged run is reported as such, and is never the best
        if self.config.metrics.compute or isinstance(self.ema.game, Evaluates):
            drawn = self.evaluation.draw(self.ema.game, self.runtime.processes)
            if self.runtime.processes.rank == 0 and drawn is not None:
                score(self, drawn)

    def save(self) -> None:
        """Writes a checkpoint after checking that losses and weights are finite."""
        self.check_finite()
        ranks = rank_states(self)
        if self.runtime.processes.rank == 0:
            self.checkpoints.save(self.step, state_of(self) | ranks)

    def check_finite(self) -> None:
        """Raises NonFiniteError if losses or weights, which all processes share, are not finite."""
        self.meters.collect()
        fault = nonfinite_weight(self)
        if fault is not None:
            raise NonFiniteError(f"step {self.step}: {fault} is not finite")

    def roll_back(self, error: NonFiniteError) -> None:
        """Continues from the last checkpoint with other noise, or raises `error`."""
        rollbacks, state = self.rollbacks + 1, None
        if self.config.on_nonfinite == "rollback" and rollbacks <= ROLLBACKS:
            state = self.latest()
        if state is None:
            self.health.not_finite = str(error)
            raise error
        self.display.print(f"{error}; back to step {state['step']} ({rollbacks} of {ROLLBACKS})")
        self.meters.clear()
        restore(self, state)
        self.turns.forget()
        self.rollbacks = rollbacks
