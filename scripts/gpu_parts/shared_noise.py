"""Random numbers of the CPU's generator on every device, so that devices can be compared."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
FACTORIES = {
    aten.randn.default,
    aten.rand.default,
    aten.randint.default,
    aten.randint.low,
    aten.randperm.default,
}
LIKE = {aten.randn_like.default: torch.randn, aten.rand_like.default: torch.rand}
IN_PLACE = {
    aten.normal_.default,
    aten.uniform_.default,
    aten.bernoulli_.float,
    aten.exponential_.default,
}


class SharedNoise(TorchDispatchMode):
    """Draws on the CPU and copies; the numbers are those that the CPU would draw."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in FACTORIES and torch.device(kwargs.get("device") or "cpu").type != "cpu":
            device = kwargs.pop("device")
            return func(*args, **{**kwargs, "device": "cpu", "pin_memory": False}).to(device)
        if func in LIKE and args[0].device.type != "cpu":
            drawn = LIKE[func](args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
            return drawn.to(args[0].device)
        if func in IN_PLACE and args[0].device.type != "cpu":
            target: Tensor = args[0]
            drawn = torch.empty(target.shape, dtype=target.dtype)
            return target.copy_(func(drawn, *args[1:], **kwargs))
        if func is aten.bernoulli.p and args[0].device.type != "cpu":
            return func(args[0].cpu(), *args[1:], **kwargs).to(args[0].device)
        if func is aten.native_dropout.default and args[0].device.type != "cpu":
            x, p = args[0], args[1]
            mask = torch.empty(x.shape, dtype=x.dtype).bernoulli_(1 - p).to(x.device)
            return x * mask / (1 - p), mask.bool()
        return func(*args, **kwargs)
