"""The generation of the SoC."""

import os


def get_soc_version() -> int:
    """Return what SIMULATED_SOC_VERSION says; by default that of an Ascend 910B."""
    return int(os.environ.get('SIMULATED_SOC_VERSION', 220))
