"""Trains in several processes, as torchrun starts them, on the CPU.

A server imports the program once and forks the processes, which takes a second and not twenty.
"""

import multiprocessing
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["gan_cli.training.session", "tests.helpers"])
WIDTHS = ("model.networks.generator.width=4", "model.networks.discriminator.width=4")


@dataclass
class Ended:
    """How the processes ended."""

    statuses: list[int]
    errors: list[str]  # what each of them wrote on stderr
    seconds: float

    @property
    def messages(self) -> list[str]:
        """The lines of all processes by which users know that something is wrong."""
        lines = "".join(self.errors).splitlines()
        return [line for line in lines if line.startswith(("gan_cli:", "Traceback"))]


def train_together(folder: Path, *words: str, code: str = "", world: int = 2) -> Ended:
    """Trains the run "test" in `folder`, with the settings of `small`.

    Each process executes `code` first, which knows its `rank` and may replace parts of the program.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = (folder, world, port, words, code)
    ranks = [SERVER.Process(target=one_rank, args=(rank, *arguments)) for rank in range(world)]
    for rank in ranks:
        rank.start()
    start = time.monotonic()
    for rank in ranks:
        rank.join(90)
    seconds = time.monotonic() - start
    for rank in ranks:
        rank.kill()
        rank.join()
    errors = [(folder / f"stderr-{rank}.txt").read_text() for rank in range(world)]
    return Ended([rank.exitcode for rank in ranks], errors, seconds)


def one_rank(
    rank: int, folder: Path, world: int, port: int, words: tuple[str, ...], code: str
) -> None:
    import torch

    from gan_cli.training.session import run_training
    from gan_cli.utils.errors import UserError, print_error
    from tests.helpers import small

    with open(folder / f"stderr-{rank}.txt", "w") as errors:
        os.dup2(errors.fileno(), 2)
    os.chdir(folder)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    try:
        names = {"rank": rank}
        exec(code, names)
        run = run_training(small(*WIDTHS, *words), Path("outputs/test"), time.time())
        names.get("finished", lambda run: None)(run)
    except UserError as error:
        print_error(error)
        sys.exit(error.status)
