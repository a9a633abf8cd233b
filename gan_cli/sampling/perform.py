"""Runs a task of gan-sample: opens the checkpoint, calls the task, and returns its report."""

from pathlib import Path

from gan_cli.checkpoints.choice import opened
from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.sampling.folders import check_free, new_folder
from gan_cli.sampling.options import EVERY_MODEL, SampleOptions, code_space, no_inputs
from gan_cli.sampling.task import Job, Task, find_task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.files import atomic_folder
from gan_cli.utils.memory import SAMPLING, memory_errors

SHOWN = 32  # default number of inputs of tasks that show them; others take all


@memory_errors(SAMPLING)
def perform(options: SampleOptions, run: Path | None) -> str:
    """Runs options.task on the run in the folder `run`, else on options.checkpoint."""
    task = find_task(options.task)
    check_keys(task, options)
    if options.output is not None:
        check_free(options.output)
    if "model" not in task.needs:
        if run is None:
            raise ConfigError(f"run: has no value; task={options.task} is for runs, type run=NAME")
        return "\n".join(run_task(task, Job(options, run, run), run / "generated" / "pictures"))
    checkpoint = opened(options, run)
    assert checkpoint.path is not None
    job = Job(options, checkpoint.path, run)
    prepare(job, task, checkpoint)
    home = run or checkpoint.path.parent
    lines = run_task(task, job, home / "generated" / f"step-{checkpoint.step:07d}")
    title = f"{checkpoint.path}: step {checkpoint.step}, {options.weights} weights"
    if "inputs" in task.needs:
        title += f", {len(job.inputs)} samples"
    return "\n".join([title, *lines])


def check_keys(task: Task, options: SampleOptions) -> None:
    """Raises ConfigError for options that the task does not read, and for missing ones."""
    read = task.keys | (EVERY_MODEL if "model" in task.needs else frozenset())
    unread = sorted(options.given_keys() - read)
    faults = [f"{key}: does nothing with task={options.task}; leave it out" for key in unread]
    if "inputs" in task.needs and options.input is None and options.dataset is None:
        faults.append(no_inputs(options))
    if faults:
        raise ConfigError(*faults)


def prepare(job: Job, task: Task, checkpoint: Checkpoint) -> None:
    """Sets what the task needs on the job; ConfigError if the checkpoint lacks it."""
    from gan_cli.sampling.autoencoder import Autoencoder
    from gan_cli.sampling.blend import blend_weights
    from gan_cli.sampling.inputs import open_inputs
    from gan_cli.sampling.model import Model

    options = job.options
    if "encoder" in task.needs and "encoder" not in checkpoint.roles:
        raise ConfigError(
            f"task: '{options.task}' needs an encoder, and the checkpoint's game "
            f"'{checkpoint.game['name']}' trains none; train with model=bigan, give this run one "
            "with model=inversion, or type task=invert"
        )
    job.model = Model(checkpoint, options.weights == "average", options.device)
    blend_weights(job.model.game, options)
    if {"latent", "encoder"} & task.needs:
        if not job.model.has_latent:
            raise ConfigError(f"task: '{options.task}' needs a generator with a latent")
        # A task that takes labels makes one for each class; the first stands for all of them.
        label = 0 if "label" in task.keys and job.model.game.labelled else None
        job.autoencoder = Autoencoder(job.model, options.task, code_space(options), label)
    if "inputs" in task.needs:
        usual = SHOWN if "shows" in task.needs else None
        job.inputs = open_inputs(options, checkpoint, checkpoint.spec.target, usual, job.run)


def run_task(task: Task, job: Job, usual: Path) -> list[str]:
    """Calls the task, which writes all of its files or none.

    They are written to options.output, or to `usual` with a number if there is such a folder.
    Raises StorageError.
    """
    with atomic_folder(new_folder(job.options.output, usual)) as job.folder:
        lines = task.perform(job)
    return [line.replace(str(job.folder), str(job.folder.parent)) for line in lines]
