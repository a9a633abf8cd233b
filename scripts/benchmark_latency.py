"""Seconds per megapixel of networks from image to image, alone and on the way of gan-sample.

    python scripts/benchmark.py latency [--side 256] [--rounds 3]

The published networks, untrained, on one image whose output has `side` pixels a side; per megapixel
of output, since the time grows with the pixels. Processor time of one thread, which other work on
the machine disturbs little; one round warms up. "In gan-sample" adds the conversion from uint8 and
back. Images larger than a tile take more, by the share of tiles that overlaps.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.data.spec import Field, Spec
from gan_cli.networks import networks
from gan_cli.sampling.tiles import Tiles, translated

# Name of each row, the network and its published size, and by how much it enlarges.
ROWS: tuple[tuple[str, dict[str, object], int], ...] = (
    ("U-Net-256", {"name": "unet"}, 1),
    ("ResNet-9", {"name": "resnet_translator"}, 1),
    ("SRResNet x4", {"name": "srresnet"}, 4),
)
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=256, help="pixels of outputs (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each (%(default)s)")
    options, _ = parser.parse_known_args()
    torch.set_num_threads(1)
    heads = ("network", "parameters", "float32", "channels_last", "bfloat16", "in gan-sample")
    print(f"{heads[0]:14}" + "".join(f"{head:>16}" for head in heads[1:]))
    for title, node, factor in ROWS:
        network = built(node, options.side, factor)
        count = sum(weight.numel() for weight in network.parameters())
        seconds = latencies(network, options.side, factor, options.rounds)
        row = "".join(f"{value:>16.2f}" for value in seconds)
        print(f"{title:14}{count / 1e6:>15.1f}M{row}", flush=True)


def built(node: dict[str, object], side: int, factor: int) -> nn.Module:
    sizes = {"source": side // factor, "target": side}
    fields = {key: Field("image", (3, size, size)) for key, size in sizes.items()}
    network = networks.build(node, Spec(fields, "target"), where="network")
    return network.eval()


@torch.inference_mode()
def latencies(network: nn.Module, side: int, factor: int, rounds: int) -> list[float]:
    """Seconds per megapixel of output: three ways of the network alone, and that of gan-sample."""
    size = side // factor
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
    multiple = max(int(getattr(module, "multiple", 1)) for module in network.modules())
    tiles = Tiles(max(size, multiple), 0, multiple, factor)  # one

    def half() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            output: Tensor = network(image)
        return output

    plain = measured(lambda: network(image), rounds)
    whole = measured(lambda: translated(network, pixels, tiles, CPU), rounds)
    low = measured(half, rounds)
    network.to(memory_format=torch.channels_last)
    last = image.to(memory_format=torch.channels_last)
    times = [plain, measured(lambda: network(last), rounds), low, whole]
    return [seconds / (side * side / 1e6) for seconds in times]


def measured(work: Callable[[], object], rounds: int) -> float:
    """The median of the processor time, of which the first round is left out."""
    found = []
    for _ in range(rounds + 1):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return median(found[1:])


if __name__ == "__main__":
    main()
