"""Entry points of the commands, which handle signals before they import anything large."""

from gan_cli.utils.stop_signals import exit_on_signals


def train() -> None:
    exit_on_signals()
    from gan_cli.train import main

    main()


def sample() -> None:
    exit_on_signals()
    from gan_cli.sample import main

    main()


def fid() -> None:
    exit_on_signals()
    from gan_cli.fid import main

    main()


def export() -> None:
    exit_on_signals()
    from gan_cli.export import main

    main()
