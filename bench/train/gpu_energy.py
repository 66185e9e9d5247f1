"""The energy that a GPU has taken, as NVIDIA's driver counts it (NVML)."""

from typing import Any

import pynvml
import torch


def joules(device: torch.device) -> float | None:
    """
    What the whole GPU took since its driver was loaded; the driver counts about ten times a second.

    None where nobody counts: it is not NVIDIA's or older than Volta, or it is divided (MIG), and
    what it takes is several users'.
    """
    properties: Any = torch.cuda.get_device_properties(device)  # pyright: ignore[reportUnknownVariableType]
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{properties.uuid}")  # numbers may differ
        if _divided(handle):
            return None
        return pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000
    except pynvml.NVMLError:
        return None


def _divided(handle: object) -> bool:
    try:
        return pynvml.nvmlDeviceGetMigMode(handle)[0] == pynvml.NVML_DEVICE_MIG_ENABLE
    except pynvml.NVMLError:  # a GPU that cannot be
        return False
