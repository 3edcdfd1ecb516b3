"""Meters from outside: what other packages offer under the entry point group ``leanner.meters``.

Their joules stand beside leanner's own and are never added to a total: what they cover
(a wall plug: the whole machine) is for the reader to say.
"""

from __future__ import annotations

import dataclasses
import math

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata
from numbers import Real
from types import TracebackType
from typing import TYPE_CHECKING
from typing import Final
from typing import Protocol

from leanner.meters.errors import MeterError
from leanner.meters.reading import PLUGGED
from leanner.meters.reading import EnergyDomain
from leanner.meters.reading import PluggedSource


if TYPE_CHECKING:
    from leanner.meters.reading import EnergySource
    from leanner.meters.reading import Reading


GROUP: Final = "leanner.meters"


class PluggedMeter(Protocol):
    """Measures one window: it is made and entered right before the window and left right behind it.

    It may also have ``detail``, a text that says what exactly was read. What it raises costs
    its own joules and nothing else.
    """

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def energy_j(self) -> float | None:
        """Joules of the window, once it is left; ``None`` if unknown."""
        ...

    @property
    def reason(self) -> str | None:
        """Why ``energy_j`` is ``None``; ``None`` if it is known."""
        ...

    def __enter__(self) -> object:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> object:
        """End; always called with ``None``, also where the window has no reading."""
        ...


@dataclass(frozen=True, slots=True)
class PlugIn:
    """An entry point: its name, and what it makes for each window, given the torch device that does the work."""

    name: str
    make: Callable[[str], PluggedMeter]


def find_plug_ins() -> tuple[PlugIn, ...]:
    """Import the plug-in meters of all installed packages; one that fails to import says so in every window.

    Raises:
        MeterError: Two have the same name.
    """
    found: dict[str, metadata.EntryPoint] = {}
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        other = found.setdefault(entry.name, entry)
        if other is not entry:
            raise MeterError(
                f"expected one meter called {entry.name!r} in the entry point group {GROUP}, "
                f"found {other.value} ({_package(other)}) and {entry.value} ({_package(entry)}); uninstall one of them"
            )
    return tuple(PlugIn(name, _load(entry)) for name, entry in found.items())


def _package(entry: metadata.EntryPoint) -> str:
    return "of no package" if entry.dist is None else f"of {entry.dist.name}"


def _load(entry: metadata.EntryPoint) -> Callable[[str], PluggedMeter]:
    try:
        make: Callable[[str], PluggedMeter] = entry.load()
    except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything, and it is raised again below
        failure = error

        def fail(_: str) -> PluggedMeter:
            raise MeterError(f"{entry.value} cannot be imported: {_text(failure)}") from failure

        return fail
    return make


class PluggedWindow:
    """The plug-in meters around one window after the other.

    What one of them raises is the reason why its joules are unknown, and never costs the
    window; of a window without a reading nothing is kept.
    """

    def __init__(self, plug_ins: Sequence[PlugIn], device: str) -> None:
        self._plug_ins = tuple(plug_ins)
        self._device = device
        self._entered = ExitStack()
        self._joules: dict[str, EnergyDomain] = {}

    def enter(self) -> None:
        """Make and enter a meter of each plug-in."""
        self._joules = {}
        with ExitStack() as stack:
            for plug_in in self._plug_ins:
                self._enter(plug_in, stack)
            self._entered = stack.pop_all()

    def exit(self) -> None:
        """Leave those that were entered, the last one first."""
        self._entered.close()

    def joules(self) -> dict[str, EnergyDomain]:
        """Return what they measured in the window that has ended, by the names of their entry points."""
        return {plug_in.name: self._joules[plug_in.name] for plug_in in self._plug_ins}

    def _enter(self, plug_in: PlugIn, stack: ExitStack) -> None:
        try:
            meter = plug_in.make(self._device)
            meter.__enter__()
        except Exception as error:  # noqa: BLE001 - becomes the reason
            self._joules[plug_in.name] = plugged_domain(plug_in.name, None, _text(error))
        else:
            stack.callback(self._leave, plug_in.name, meter)

    def _leave(self, name: str, meter: PluggedMeter) -> None:
        try:
            meter.__exit__(None, None, None)
            self._joules[name] = _domain(name, meter)
        except Exception as error:  # noqa: BLE001 - becomes the reason
            self._joules[name] = plugged_domain(name, None, _text(error))


def plugged_domain(name: str, j: float | None, reason: str | None, detail: str | None = None) -> EnergyDomain:
    """Return the joules of a plug-in meter as a domain that no total expects."""
    source: EnergySource = "none" if j is None else PluggedSource(f"{PLUGGED}{name}")
    return EnergyDomain(j, source, reason, expected=False, detail=detail)


def with_plugged(reading: Reading, joules: Mapping[str, EnergyDomain]) -> Reading:
    """Return ``reading`` with what plug-in meters measured, and a note on each that did not."""
    if not joules:
        return reading
    notes = [f"plug-in meter {name}: {domain.reason}" for name, domain in joules.items() if domain.j is None]
    return dataclasses.replace(reading, plugged=dict(joules), quality=(*reading.quality, *notes))


def _domain(name: str, meter: PluggedMeter) -> EnergyDomain:
    detail = str(meter.name)
    if (more := getattr(meter, "detail", None)) is not None:
        detail = f"{detail}: {more}"
    j, reason = meter.energy_j, meter.reason
    if j is None:
        return plugged_domain(name, None, str(reason or "it gave neither joules nor a reason"), detail)
    if reason is not None:
        return plugged_domain(name, None, f"it gave both joules ({j}) and a reason why it has none: {reason}", detail)
    # No machine draws nothing: 0 is a meter that has not moved.
    if isinstance(j, bool) or not isinstance(j, Real) or not 0.0 < j < math.inf:
        return plugged_domain(name, None, f"expected joules above 0, or None and a reason, found {j!r}", detail)
    return plugged_domain(name, float(j), None, detail)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
