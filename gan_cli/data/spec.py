"""Specs: kinds and shapes of the samples of a data set, for which networks are built."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Field:
    """Describes one batch key: kind (see `gan_cli.data.kinds`), shape, and what the kind needs."""

    kind: str  # image, vector, audio, tokens or label
    shape: tuple[int, ...] = ()  # of one sample: (C, H, W), (F,), (1, T), (T,); of a label ()
    classes: int = 0  # of a label
    class_names: tuple[str, ...] = ()  # of a label
    vocabulary: tuple[str, ...] = ()  # of tokens: the text of each
    separator: str | None = None  # between the texts of two tokens; None: " " if some are words
    tokenizer: str = ""  # of tokens from a file of the library tokenizers: its content, JSON
    sample_rate: int | None = None  # of audio, in Hz


@dataclass(frozen=True)
class Spec:
    """The fields of a data set by batch key; stored in checkpoints, so that sampling needs no data.

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
        """Batch keys that are neither the target nor labels; a game may condition on them."""
        return tuple(k for k, f in self.fields.items() if k != self.target and f.kind != "label")

    def with_shape(self, shape: tuple[int, ...]) -> "Spec":
        """Returns the spec with another shape of target samples, such as that of a pack."""
        target = replace(self.fields[self.target], shape=shape)
        return replace(self, fields={**self.fields, self.target: target})


def sample_spec(
    target: Field, classes: int = 0, class_names: tuple[str, ...] = (), name: str = "real"
) -> Spec:
    """Returns the spec of a data set with one kind of sample and, if `classes` > 0, labels."""
    fields = {name: target}
    if classes:
        fields["label"] = Field("label", (), classes, class_names)
    return Spec(fields, name)


def image_spec(shape: tuple[int, ...], classes: int = 0, class_names: tuple[str, ...] = ()) -> Spec:
    """Returns the spec of images (C, H, W), with labels if `classes` > 0."""
    return sample_spec(Field("image", shape), classes, class_names)


def vector_spec(length: int, classes: int = 0) -> Spec:
    """Returns the spec of vectors (length,), with labels if `classes` > 0."""
    return sample_spec(Field("vector", (length,)), classes)
