"""A pretended accelerator, stricter than CUDA and MPS, which computes on the CPU.

Inside `strict_device`, torch has a device "strict". Its tensors have their values in the memory of
the CPU, but like those of an accelerator they refuse to meet tensors of the CPU, numpy, generators
of the CPU and, as on MPS, float64. It has a random state of its own.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

NAME, BACKEND = "strict", "PrivateUse1"
WIDE = (torch.float64, torch.complex128)  # which MPS lacks
aten = torch.ops.aten
# Operations that take tensors of several devices: copies between them, and indices of the CPU.
COPIES = {aten._to_copy.default, aten.copy_.default, aten._foreach_copy_.default}
INDEXED = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default}


class StrictDeviceError(RuntimeError):
    """An operation that an accelerator would refuse."""


class Backend(_DummyBackendModule):
    """The module torch.strict."""

    state = torch.Generator().manual_seed(0).get_state()  # of the device's random generator

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def manual_seed_all(self, seed: int) -> None:
        Backend.state = torch.Generator().manual_seed(seed).get_state()

    manual_seed = manual_seed_all

    def get_rng_state(self, device: Any = None) -> Tensor:
        return Backend.state.clone()

    def set_rng_state(self, state: Tensor, device: Any = None) -> None:
        Backend.state = state.clone()


class StrictTensor(Tensor):
    """A tensor of the device; `values` is the tensor of the CPU behind it."""

    values: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, values: Tensor) -> "StrictTensor":
        made = Tensor._make_wrapper_subclass(
            cls,
            values.shape,
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=torch.device(NAME, 0),
        )
        made.values = values
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickles the values, since files are read onto the CPU."""
        return self.values.__reduce_ex__(protocol)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        made = self.detach().clone().requires_grad_(self.requires_grad)
        made.__dict__.update({k: v for k, v in self.__dict__.items() if k != "values"})
        memo[id(self)] = made
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"StrictTensor({self.values!r})"

    def tolist(self) -> Any:
        """Replaces a method that torch refuses for subclasses."""
        return self.values.tolist()

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return execute(function, args, kwargs or {})


class StrictMode(TorchDispatchMode):
    """Catches the functions that make tensors on the device out of none."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return execute(function, args, kwargs or {})


def execute(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Computes on the CPU what the device would, after checking that the device could."""
    given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    device = kwargs.get("device")
    strict = any(isinstance(x, StrictTensor) for x in given)
    check_devices(function, given)
    if device is not None:
        strict = torch.device(device).type == NAME
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if strict:
        check_generator(function, args, kwargs)
    if any(isinstance(x, StrictTensor) for x in given) and kwargs.get("dtype") in WIDE:
        raise StrictDeviceError(f"{function}: converts a tensor of the device to float64")
    plain_args, plain_kwargs = tree_map_only(StrictTensor, values_of, (args, kwargs))
    with device_random_state() if strict else ExitStack():
        out = function(*plain_args, **plain_kwargs)
    same = {id(x.values): x for x in given if isinstance(x, StrictTensor)}  # changed in place

    def wrapped(values: Tensor) -> Tensor:
        if values.dtype in WIDE:
            raise StrictDeviceError(f"{function}: makes a tensor of float64 on the device")
        return same[id(values)] if id(values) in same else StrictTensor(values)

    if function is aten.copy_.default:
        return args[0]
    return tree_map_only(Tensor, wrapped, out) if strict else out


def values_of(x: StrictTensor) -> Tensor:
    """Returns the values of a tensor; derivatives in forward mode have zeros without memory."""
    return torch.zeros(x.shape, dtype=x.dtype) if x.values._is_zerotensor() else x.values


def check_devices(function: Any, given: list[Tensor]) -> None:
    """Raises if tensors of the CPU meet those of the device.

    As on CUDA, elementwise functions take numbers, 0-d tensors, of the CPU.
    """
    if function in COPIES or not any(isinstance(x, StrictTensor) for x in given):
        return
    cpu = [x for x in given if not isinstance(x, StrictTensor)]
    if function in INDEXED and isinstance(given[0], StrictTensor):
        cpu = [x for x in cpu if x.is_floating_point()]
    in_place = function._schema.is_mutable and not isinstance(given[0], StrictTensor)
    if torch.Tag.pointwise in function.tags and not in_place:
        cpu = [x for x in cpu if x.dim() > 0]
    if cpu:
        shapes = ", ".join(str(tuple(x.shape)) for x in cpu)
        raise StrictDeviceError(f"{function}: tensors of the CPU ({shapes}) meet the device's")


def check_generator(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if any(isinstance(x, torch.Generator) for x in tree_leaves((args, kwargs))):
        raise StrictDeviceError(f"{function}: draws on the device with a generator of the CPU")


@contextmanager
def device_random_state() -> Iterator[None]:
    """Draws with the random state of the device instead of the CPU's."""
    generator = torch.default_generator
    cpu = generator.get_state()
    generator.set_state(Backend.state)
    try:
        yield
    finally:
        Backend.state = generator.get_state()
        generator.set_state(cpu)


def empty_strided(size: Any, stride: Any, dtype: Any = None, **options: Any) -> Tensor:
    return StrictTensor(torch.empty_strided(size, stride, dtype=dtype))


def copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    plain = [x.values if isinstance(x, StrictTensor) else x for x in (target, source)]
    plain[0].copy_(plain[1])
    return target


@cache
def register() -> tuple[torch.library.Library, ...]:
    """Registers the device, once for the process; autocast does nothing on it."""
    _setup_privateuseone_for_python_backend(NAME, Backend())
    library = torch.library.Library("_", "IMPL")
    library.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    # Where torch leaves out modes and subclasses, as for x[[0, 2]].
    aten_library = torch.library.Library("aten", "IMPL", BACKEND)
    aten_library.impl("empty_strided", empty_strided)
    aten_library.impl("_copy_from", copy_from)
    return library, aten_library


@contextmanager
def strict_device() -> Iterator[torch.device]:
    """Context in which torch has the device "strict", which it yields."""
    register()
    with StrictMode():
        yield torch.device(NAME, 0)
