"""Nearest-neighbour and linear-probe accuracy of unsupervised features."""

import torch
from torch import Tensor, nn

from gan_cli.data.dataset import Dataset, pick
from gan_cli.metrics.prdc import nearest
from gan_cli.networks import networks
from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.inputs import Inputs

LABELLED = 5000  # training samples that 1-NN and the probe learn from, at most
ITERATIONS = 500  # of the probe's solver


def knowledge(autoencoder: Autoencoder, inputs: Inputs, trained: Dataset) -> dict[str, float]:
    """1-NN and linear-probe accuracy of features, beside those of pixels and a random encoder.

    On MNIST the former is a weak test: BiGAN reports 97.39 % (Donahue et al. 2017, Table 1), and
    raw pixels reach 96.9 % with the same 60,000 neighbours.
    """
    order = torch.randperm(len(trained), generator=torch.Generator().manual_seed(0))[:LABELLED]
    known = pick(trained, trained.spec.target, order)
    labels, truth = trained.labels(), inputs.labels
    assert labels is not None
    assert truth is not None
    spaces = {
        "features": body(autoencoder.encoder),
        "random_features": body(untrained_encoder(autoencoder)),
        "latent": autoencoder.encoder,
        "pixels": nn.Flatten(),
    }
    values = {}
    for name, space in spaces.items():
        train, test = (
            autoencoder.of_samples(space, known),
            autoencoder.of_samples(space, inputs.samples),
        )
        neighbour = labels[order][nearest(test, train)[1]]
        values[f"nn_accuracy_{name}"] = share(neighbour == truth)
        values[f"probe_accuracy_{name}"] = share(probe(train, labels[order], test) == truth)
    return values


def body(encoder: nn.Module) -> nn.Module:
    """Up to the penultimate layer, if the encoder says which that is."""
    trunk = getattr(encoder, "trunk", encoder)
    assert isinstance(trunk, nn.Module)
    return trunk


def untrained_encoder(autoencoder: Autoencoder) -> nn.Module:
    node = autoencoder.model.checkpoint.node("encoder")
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        encoder = networks.build(node, autoencoder.spec, where="model.networks.encoder")
    autoencoder.model.runtime.place(nn.ModuleDict({"encoder": encoder}))
    return encoder.eval()


def probe(train: Tensor, labels: Tensor, test: Tensor) -> Tensor:
    """Alain and Bengio 2017 (arXiv:1610.01644): what a linear classifier says, (N,) int64.

    Logistic regression on standardized features, with scikit-learn's unit L2 penalty.
    """
    from sklearn.linear_model import LogisticRegression  # half a second

    mean, deviation = train.mean(0), train.std(0).clamp(min=1e-6)
    standardized = ((x - mean) / deviation for x in (train, test))
    known, asked = (x.numpy() for x in standardized)
    classifier = LogisticRegression(max_iter=ITERATIONS).fit(known, labels.numpy())
    return torch.from_numpy(classifier.predict(asked))


def share(hits: Tensor) -> float:
    return hits.double().mean().item()
