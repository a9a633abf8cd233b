"""Nearest-neighbour and linear-probe accuracy of unsupervised features."""

import torch
from torch import Tensor, nn

from gan_cli.data.dataset import Dataset, pick
from gan_cli.metrics.prdc import nearest
from gan_cli.networks import networks
from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.inputs import Inputs

LABELLED = 5000  # largest number of labelled training samples
ITERATIONS = 500  # of the solver of the linear probe


def feature_accuracies(
    autoencoder: Autoencoder, inputs: Inputs, trained: Dataset
) -> dict[str, float]:
    """1-NN and linear-probe accuracy of features, latents, pixels and an untrained encoder.

    On MNIST 1-NN accuracy is a weak test: BiGAN reports 97.39 % (Donahue et al. 2017, Table 1), and
    raw pixels reach 96.9 % with the same 60,000 neighbours.
    """
    order = torch.randperm(len(trained), generator=torch.Generator().manual_seed(0))[:LABELLED]
    samples = pick(trained, trained.spec.target, order)
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
            autoencoder.apply_to_samples(space, samples),
            autoencoder.apply_to_samples(space, inputs.samples),
        )
        neighbour = labels[order][nearest(test, train)[1]]
        values[f"nn_accuracy_{name}"] = accuracy(neighbour, truth)
        values[f"probe_accuracy_{name}"] = accuracy(probe(train, labels[order], test), truth)
    return values


def body(encoder: nn.Module) -> nn.Module:
    """Returns the encoder without its last layer, if it has a `trunk`, else the whole encoder."""
    trunk = getattr(encoder, "trunk", encoder)
    assert isinstance(trunk, nn.Module)
    return trunk


def untrained_encoder(autoencoder: Autoencoder) -> nn.Module:
    """Returns an encoder of the same architecture with random weights."""
    node = autoencoder.model.checkpoint.node("encoder")
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        encoder = networks.build(node, autoencoder.spec, where="model.networks.encoder")
    autoencoder.model.runtime.place(nn.ModuleDict({"encoder": encoder}))
    return encoder.eval()


def probe(train: Tensor, labels: Tensor, test: Tensor) -> Tensor:
    """Returns the predictions (N,) int64 of a linear probe on features (N, D).

    Alain and Bengio 2017 (arXiv:1610.01644). The probe is a logistic regression on standardized
    features, with the unit L2 penalty of scikit-learn.
    """
    from sklearn.linear_model import LogisticRegression  # takes 0.5 s

    mean, deviation = train.mean(0), train.std(0).clamp(min=1e-6)
    standardized = ((x - mean) / deviation for x in (train, test))
    train_features, test_features = (x.numpy() for x in standardized)
    classifier = LogisticRegression(max_iter=ITERATIONS).fit(train_features, labels.numpy())
    return torch.from_numpy(classifier.predict(test_features))


def accuracy(predicted: Tensor, truth: Tensor) -> float:
    """Returns the share of equal labels."""
    return (predicted == truth).double().mean().item()
