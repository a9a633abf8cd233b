"""The terminal that commands print to."""

from rich.console import Console


class Terminal(Console):
    """A console whose closed pipe is an error, as for print()."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the program


console = Terminal(highlight=False)
