"""What is known of the sensors: gain, update period, averaging, unit, each with its source.

None of it was checked on hardware by us; docs/metering.md says what follows from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


#: Largest relative error of a sensor's gain, by domain.
#:
#: NVML: "accurate to within +/- 5% of current power draw", stated for Fermi and Kepler (NVML API reference,
#: nvmlDeviceGetPowerUsage). For later models nothing is stated; that it is the same is our assumption. More than 70
#: cards beside power meters: Yang, Adamek and Armour, arXiv 2312.02741.
#: RAPL package: measured by the voltage regulators since Haswell (Hackenberg et al. 2015, IPDPSW, 10.1109/
#: IPDPSW.2015.70), close to the wall (Khan et al. 2018, RAPL in Action, 10.1145/3177754); neither states a bound, so
#: we take NVML's. On AMD it is a model that does not see what the data cost (Schöne et al. 2021, arXiv 2108.00808).
#: RAPL DRAM: follows the trend with an offset that varies between systems, worst where the memory is idle (Desrochers,
#: Paradis and Weaver 2016, 10.1145/2989081.2989088), more so with persistent memory (10.1145/3629526.3645052); no
#: source states a bound, so this one is ours, and wide.
GAIN: Final[Mapping[str, float]] = {"gpu": 0.05, "cpu_package": 0.05, "cpu_core": 0.05, "dram": 0.20}

#: NVML's energy counter is updated every 20 to 100 ms (PETSc manual, PetscLogGpuEnergyMeter), about every 100 ms
#: (Zeus, "Thermally Stable Profiling"; its infer_counter_update_period caps at 0.1 s).
NVML_UPDATE_S: Final = 0.1

#: NVML's power fields are refreshed every 100 ms, on some models more often (arXiv 2312.02741).
POWER_REFRESH_S: Final = 0.1

#: What nvmlDeviceGetPowerUsage averages over on Ampere (except GA100) or newer (NVML API reference).
POWER_MEAN_S: Final = 1.0

#: nvmlDeviceGetTotalEnergyConsumption counts millijoules (NVML API reference).
NVML_UNIT_J: Final = 1e-3

#: RAPL's counters are updated about every millisecond (Intel SDM vol. 3B, 16.10.3; Zen 2: arXiv 2108.00808).
RAPL_UPDATE_S: Final = 1e-3

#: RAPL's coarsest common unit of energy, 2^-14 J (Intel SDM vol. 3B, 16.10.1); 2^-16 J elsewhere.
RAPL_UNIT_J: Final = 2.0**-14

#: The kernel counts CPU time in ticks of 10 ms (USER_HZ is 100).
CPU_TICK_S: Final = 0.01

#: A window has this many updates of its sensor at least, else its rounds are repeated within it.
UPDATES: Final = 10


def gain_bound(domain: str) -> float:
    """Return the largest |truth − reading| over reading that the gain of ``domain`` allows.

    A reading within ±g of the truth leaves the truth within g/(1 − g) of the reading.
    """
    gain = GAIN[domain]
    return gain / (1.0 - gain)
