"""Selects the device, checks the precision, and sets PyTorch's process-wide switches."""

import os

import torch

from gan_cli.config.schema import Device
from gan_cli.utils.errors import ConfigError


def pick_device(accelerator: str) -> torch.device:
    """Returns a device; `auto` prefers CUDA, then MPS. ConfigError if it is not available."""
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if accelerator == "auto":
        accelerator = next(kind for kind, there in present.items() if there)
    if not present[accelerator]:
        usable = [kind for kind, there in present.items() if there]
        advice = "device=auto or device=" + ", device=".join(usable)
        raise ConfigError(f"device.accelerator: no '{accelerator}' device here; use {advice}")
    if accelerator == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device(accelerator)


def check_precision(device: torch.device, precision: str) -> None:
    """Raises ConfigError for bfloat16 on GPUs that would emulate it."""
    if (
        precision == "bfloat16"
        and device.type == "cuda"
        and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        name = torch.cuda.get_device_name(device)
        raise ConfigError(
            f"device.precision: {name} has no bfloat16 units and would emulate them slowly; "
            "use device.precision=float16"
        )


def configure_torch(config: Device) -> None:
    """Sets threads, TF32, cuDNN benchmarking and determinism for the whole process."""
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    torch.set_float32_matmul_precision("high" if config.tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = config.tf32
    torch.backends.cudnn.benchmark = not config.deterministic
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(config.deterministic)
