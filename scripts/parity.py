"""Our FID, KID, IS, precision and recall beside torch-fidelity's and pytorch-fid's.

    python -m venv parity && . parity/bin/activate
    pip install -e . torch-fidelity pytorch-fid==0.3.0 "scipy<1.18"
    python scripts/parity.py REAL FAKE [--weights FILE]

An environment of its own, since pytorch-fid 0.3.0 calls scipy.linalg.sqrtm(disp=), which scipy 1.18
no longer has. REAL and FAKE are folders of PNG files of one size. Without --weights all of them get
the same random weights in the published layout. Two seconds a pair of images on one core.

pytorch-fid enlarges with F.interpolate and scales to 2x/255 - 1, where TensorFlow's network had its
own bilinear and (x - 128)/128: another FID by design, which its row "as it is" shows. Its row "fed
as TensorFlow" has its network and its distance on the input that the network was trained with.
"""

import argparse
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from random_inception import write_random_weights
from torch import Tensor

from gan_cli.data.sets.in_memory import InMemory
from gan_cli.metrics.features.inception import Inception
from gan_cli.metrics.features.inception_input import resize_tf
from gan_cli.metrics.frechet import Moments, frechet_distance
from gan_cli.metrics.inception_score import InceptionScore
from gan_cli.metrics.kid import KernelDistance
from gan_cli.metrics.metric import Collected
from gan_cli.metrics.prdc import PrecisionRecall
from gan_cli.utils.errors import ConfigError

SEED = 2020  # torch-fidelity's, of the shuffles of KID and IS
Values = dict[str, float]
TOLERANCES = {  # relative; of precision and recall absolute: a sample may lie on a ball's rim
    "fid": 1e-3,
    "kid": 1e-3,
    "kid_std": 1e-3,
    "is": 1e-4,
    "is_std": 1e-3,
    "precision": 5e-3,
    "recall": 5e-3,
}
NAMES = {  # in torch-fidelity
    "fid": "frechet_inception_distance",
    "kid": "kernel_inception_distance_mean",
    "kid_std": "kernel_inception_distance_std",
    "is": "inception_score_mean",
    "is_std": "inception_score_std",
    "precision": "precision",
    "recall": "recall",
}


def read(folder: Path) -> Tensor:
    """All PNG files, uint8 (N, 3, H, W)."""
    paths = sorted(folder.glob("*.png"))
    pictures = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()


def ours(real: Tensor, fake: Tensor, weights: Path, subset: int, fast: bool = False) -> Values:
    dataset = InMemory({"real": real})
    features = Inception(dataset, torch.device("cpu"), inception_weights=str(weights), fast=fast)
    sides = []
    for images in (real, fake):
        seen = features(images)
        moments = Moments.of(seen.features)
        sides.append(Collected(len(images), moments, seen.features, seen.logits))
    assert sides[0].moments is not None
    assert sides[1].moments is not None
    values = {"fid": frechet_distance(sides[0].moments, sides[1].moments)}
    kernel = KernelDistance(subset_size=subset, seed=SEED)
    for metric in (kernel, InceptionScore(seed=SEED), PrecisionRecall()):
        values |= metric(*sides)
    values |= {"kid": values["kd"], "kid_std": values["kd_std"]}
    return {name: values[name] for name in NAMES}


def torch_fidelity(real: Path, fake: Path, weights: Path, subset: int) -> Values:
    from torch_fidelity import calculate_metrics

    found = calculate_metrics(
        input1=str(fake),
        input2=str(real),
        fid=True,
        kid=True,
        isc=True,
        prc=True,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(weights),
        kid_subset_size=subset,
        rng_seed=SEED,
        batch_size=50,
        cuda=False,
        cache=False,
        verbose=False,
    )
    return {name: found[theirs] for name, theirs in NAMES.items()}


def pytorch_fid(real: Tensor, fake: Tensor, weights: Path, as_tensorflow: bool) -> Values:
    from pytorch_fid import inception
    from pytorch_fid.fid_score import calculate_frechet_distance

    state = torch.load(weights, weights_only=True)
    with mock.patch.object(inception, "load_state_dict_from_url", return_value=state):
        network = inception.InceptionV3([3], not as_tensorflow, not as_tensorflow).eval()
    prepare = to_tensorflow if as_tensorflow else to_unit
    statistics: list[np.ndarray] = []
    with torch.no_grad():
        for images in (real, fake):
            batches = [network(prepare(batch))[0] for batch in images.split(50)]
            features = torch.cat(batches).flatten(1).double().numpy()
            statistics += [features.mean(0), np.cov(features, rowvar=False)]
    return {"fid": float(calculate_frechet_distance(*statistics))}


def to_unit(images: Tensor) -> Tensor:
    return images / 255


def to_tensorflow(images: Tensor) -> Tensor:
    return (resize_tf(images) - 128) / 128


def table(title: str, reference: Values, values: Values, judged: bool = True) -> bool:
    print(f"\n{title}\n{'':12}{'reference':>16}{'ours':>16}{'difference':>12}")
    passed = True
    for name, expected in reference.items():
        share = name in ("precision", "recall")
        error = abs(values[name] - expected) / (1 if share else abs(expected))
        verdict = ("ok" if error <= TOLERANCES[name] else "TOO FAR") if judged else ""
        passed &= verdict != "TOO FAR"
        print(f"{name:12}{expected:>16.8g}{values[name]:>16.8g}{error:>12.1e}  {verdict}")
    return passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("real", type=Path)
    parser.add_argument("fake", type=Path)
    parser.add_argument("--weights", type=Path, help="default: random, in the published layout")
    parser.add_argument("--fast", action="store_true", help="also our fast mode")
    options = parser.parse_args()
    real, fake = read(options.real), read(options.fake)
    print(f"{len(real)} real and {len(fake)} fake images of {tuple(real.shape[1:])}")
    with tempfile.TemporaryDirectory() as temporary:
        weights = options.weights or write_random_weights(Path(temporary) / "random.pth", real[:32])
        passed = compare(options, real, fake, weights)
    raise SystemExit(not passed)


def compare(options: argparse.Namespace, real: Tensor, fake: Tensor, weights: Path) -> bool:
    subset = min(1000, len(real) // 2, len(fake) // 2)
    values = ours(real, fake, weights, subset)
    reference = torch_fidelity(options.real, options.fake, weights, subset)
    passed = table("torch-fidelity", reference, values)
    reference = pytorch_fid(real, fake, weights, as_tensorflow=True)
    passed &= table("pytorch-fid, fed as TensorFlow", reference, values)
    reference = pytorch_fid(real, fake, weights, as_tensorflow=False)
    table("pytorch-fid, as it is (another resize and scale: not judged)", reference, values, False)
    if options.fast:
        try:
            half = ours(real, fake, weights, subset, fast=True)
        except ConfigError as refusal:
            print(f"\n{refusal}")
        else:
            passed &= table("fast, against exact", values, half)
    return passed


if __name__ == "__main__":
    main()
