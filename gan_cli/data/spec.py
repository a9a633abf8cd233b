"""What a data set's samples look like; every network is built to fit it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Field:
    """One batch key: a kind (see `gan_cli.data.kinds`), a shape, and what the kind needs."""

    kind: str  # image, vector, audio, tokens or label
    shape: tuple[int, ...] = ()  # of one sample: (C, H, W), (F,), (1, T), (T,); of a label ()
    classes: int = 0  # of a label
    class_names: tuple[str, ...] = ()  # of a label
    vocabulary: tuple[str, ...] = ()  # of tokens: the text of each
    sample_rate: int | None = None  # of audio, in Hz


@dataclass(frozen=True)
class Spec:
    """Named fields, one a batch key. Stored in every checkpoint: sampling needs no data set.

    `target` names the field that a generator makes; the others are labels or inputs.
    """

    fields: Mapping[str, Field] = field(default_factory=dict)
    target: str = "real"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one target sample."""
        return self.fields[self.target].shape

    @property
    def kind(self) -> str:
        """Kind of the target."""
        return self.fields[self.target].kind

    @property
    def label(self) -> str | None:
        """Batch key of the labels: the first field of kind label."""
        return next((name for name, f in self.fields.items() if f.kind == "label"), None)

    @property
    def classes(self) -> int:
        """Number of classes; 0 without labels."""
        return 0 if self.label is None else self.fields[self.label].classes

    @property
    def class_names(self) -> tuple[str, ...]:
        return () if self.label is None else self.fields[self.label].class_names

    @property
    def inputs(self) -> tuple[str, ...]:
        """Batch keys that are neither the target nor labels: what a game may condition on."""
        return tuple(k for k, f in self.fields.items() if k != self.target and f.kind != "label")

    def with_shape(self, shape: tuple[int, ...]) -> "Spec":
        """The same spec with target samples of another shape, such as a pack of several."""
        target = replace(self.fields[self.target], shape=shape)
        return replace(self, fields={**self.fields, self.target: target})


def sample_spec(
    target: Field, classes: int = 0, class_names: tuple[str, ...] = (), name: str = "real"
) -> Spec:
    """Spec of a data set with one kind of sample and, if `classes` is not 0, labels."""
    fields = {name: target}
    if classes:
        fields["label"] = Field("label", (), classes, class_names)
    return Spec(fields, name)


def image_spec(shape: tuple[int, ...], classes: int = 0, class_names: tuple[str, ...] = ()) -> Spec:
    """Spec of images (C, H, W), with labels if `classes` is not 0."""
    return sample_spec(Field("image", shape), classes, class_names)


def vector_spec(length: int, classes: int = 0) -> Spec:
    """Spec of vectors (length,), with labels if `classes` is not 0."""
    return sample_spec(Field("vector", (length,)), classes)
