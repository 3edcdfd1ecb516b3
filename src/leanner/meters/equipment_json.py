"""What a machine was metered with, as JSON and back: all that the arithmetic asks of it, and no handle of a driver."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from leanner.meters.combine import Equipment
from leanner.meters.combine import Mode
from leanner.meters.device import Gpu
from leanner.meters.device import PowerField
from leanner.meters.errors import MeterError
from leanner.meters.json_fields import Fields
from leanner.meters.zones import Zone
from leanner.meters.zones import Zones


def equipment_to_json(equipment: Equipment) -> dict[str, object]:
    """Return JSON-ready built-ins."""
    return {
        "mode": equipment.mode,
        "device": equipment.device,
        "zones": None if equipment.zones is None else _zones_to_json(equipment.zones),
        "no_rapl": equipment.no_rapl,
        "sockets": equipment.sockets,
        "gpu": None if equipment.gpu is None else _gpu_to_json(equipment.gpu),
        "no_gpu": equipment.no_gpu,
        "watts_per_core": equipment.watts_per_core,
        "synchronized": equipment.synchronized,
        "watts_from": equipment.watts_from,
        "no_cgroup": equipment.no_cgroup,
    }


def equipment_from_json(fields: Fields) -> Equipment:
    """Return the equipment; it computes readings, and cannot measure.

    Raises:
        TraceFileError: Something is missing or of another type.
    """
    modes: tuple[Mode, ...] = get_args(Mode)
    zones, gpu = fields.maybe_inner("zones"), fields.maybe_inner("gpu")
    return Equipment(
        mode=fields.one_of("mode", modes),
        device=fields.get("device", str),
        zones=None if zones is None else _zones_from_json(zones),
        no_rapl=fields.maybe("no_rapl", str),
        sockets=fields.maybe("sockets", int),
        gpu=None if gpu is None else _gpu_from_json(gpu),
        no_gpu=fields.maybe("no_gpu", str),
        watts_per_core=fields.maybe_number("watts_per_core"),
        synchronized=fields.get("synchronized", bool),
        watts_from=fields.get("watts_from", str),
        no_cgroup=fields.maybe("no_cgroup", str),
    )


def _zones_to_json(zones: Zones) -> dict[str, object]:
    found = [
        {
            "key": zone.key,
            "domain": zone.domain,
            "package": zone.package,
            "path": str(zone.path),
            "range_uj": zone.range_uj,
            "reason": zone.reason,
        }
        for zone in zones.found
    ]
    return {"found": found, "notes": list(zones.notes)}


def _zones_from_json(fields: Fields) -> Zones:
    found = [Fields(zone, f"{fields.where}: zone {number}") for number, zone in enumerate(fields.items("found"), 1)]
    return Zones(tuple(_zone_from_json(zone) for zone in found), tuple(map(str, fields.items("notes"))))


def _zone_from_json(fields: Fields) -> Zone:
    return Zone(
        key=fields.get("key", str),
        domain=fields.get("domain", str),
        package=fields.maybe("package", int),
        path=Path(fields.get("path", str)),
        range_uj=fields.maybe("range_uj", int),
        reason=fields.maybe("reason", str),
    )


def _gpu_to_json(gpu: Gpu) -> dict[str, object]:
    power = gpu.power
    return {
        "uuid": gpu.uuid,
        "model": gpu.model,
        "counter": gpu.counter,
        "power": None if power is None else _power_to_json(power),
        "shared": gpu.shared,
    }


def _gpu_from_json(fields: Fields) -> Gpu:
    power = fields.maybe_inner("power")
    return Gpu(
        handle=None,
        uuid=fields.get("uuid", str),
        model=fields.get("model", str),
        counter=fields.get("counter", bool),
        power=None if power is None else _power_from_json(power),
        shared=fields.maybe("shared", str),
    )


def _power_to_json(power: PowerField) -> dict[str, object]:
    return {
        "name": power.name,
        "scope": power.scope,
        "averaged_s": power.averaged_s,
        "documented": power.documented,
    }


def _power_from_json(fields: Fields) -> PowerField:
    return PowerField(
        name=fields.get("name", str),
        scope=fields.get("scope", str),
        read_mw=_not_here,
        averaged_s=fields.number("averaged_s"),
        documented=fields.get("documented", bool),
    )


def _not_here() -> int:
    raise MeterError("expected a GPU to read, found one from a recording; open a meter with open_meter() to measure")
