"""A data set of several unpaired domains."""

from collections.abc import Sequence

from torch import Tensor

from gan_cli.data.dataset import MapDataset
from gan_cli.data.sets.domain import Domain
from gan_cli.data.spec import Spec
from gan_cli.utils.digest import short_hash


class JointDataset:
    """Joins the batch keys of all `domains`; `target` is the key that a generator makes.

    Domains are unpaired: samples with the same index are unrelated.
    """

    hflip = False  # each domain has its own

    def __init__(self, domains: Sequence[Domain], target: str, settings: str = "") -> None:
        self.domains, self.settings = domains, settings
        fields = {key: f for domain in domains for key, f in domain.spec.fields.items()}
        self.spec = Spec(fields, target)

    def parts(self) -> Sequence[MapDataset]:
        return self.domains

    def __len__(self) -> int:
        return max(map(len, self.domains))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        samples = [part[index % len(part)] for part in self.parts()]
        return {key: value for sample in samples for key, value in sample.items()}

    def tensors(self) -> None:
        return None

    def labels(self) -> None:
        return None

    def modes(self) -> None:
        return None

    def fingerprint(self) -> str:
        content = [domain.dataset.fingerprint() for domain in self.domains]
        return short_hash(repr((content, self.settings)))
