"""The plan of a full factorial: which configuration is which cell, and what the effects are of their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final

import numpy as np


if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Factors that can be analysed: cells double with each.
MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Factor:
    """What is varied: the level that it starts from, and the one that is tried."""

    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Design:
    """A full factorial of factors with two levels, each cell one configuration.

    Attributes:
        factors: The first is the one that changes fastest over the cells.
        cells: Names of configurations in standard order (Montgomery 2017, Design and Analysis of Experiments, section
            6.3): ``(1), a, b, ab, c, ac, bc, abc``, where a letter stands for the high level of its factor.

    Raises:
        ValueError: The numbers do not fit, or a name stands twice.
    """

    factors: tuple[Factor, ...]
    cells: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.factors) <= MOST:
            raise ValueError(f"expected 1 to {MOST} factors, found {len(self.factors)}")
        expected = 2 ** len(self.factors)
        if len(self.cells) != expected:
            raise ValueError(
                f"expected {expected} cells for {len(self.factors)} factor{'s'[: len(self.factors) > 1]}, "
                f"found {len(self.cells)}: {', '.join(self.cells)}"
            )
        for what, names in (("cell", self.cells), ("level", [f.high for f in self.factors])):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"expected each {what} once, found {', '.join(twice)} again")

    @property
    def effects(self) -> tuple[tuple[int, ...], ...]:
        """The factors of each effect, by their places: ``A, B, AB, C, AC, BC, ABC``."""
        number = len(self.factors)
        return tuple(
            tuple(factor for factor in range(number) if effect >> factor & 1) for effect in range(1, 2**number)
        )

    @property
    def weights(self) -> NDArray[np.float64]:
        """What each cell counts in each effect. *Shape:* ``(effects, cells)``."""
        scale = [2.0 ** (len(self.factors) - len(effect)) for effect in self.effects]
        weights: NDArray[np.float64] = self._signs / np.array(scale)[:, None]
        return weights

    def levels(self, cell: int) -> tuple[str, ...]:
        """Return the level of each factor in a cell."""
        return tuple(f.high if cell >> place & 1 else f.low for place, f in enumerate(self.factors))

    def effects_of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the effects of the cells' values.

        Of one factor: the mean at its high level less the mean at its low one. Of several, their interaction: the
        effect of the others at the high level of the last less that at its low level, a difference of differences.
        That is Yates' contrast over the number of cells at one setting of the effect's factors. Montgomery (section
        6.3) divides by half of the cells, so that of two factors his interaction is half of this one, of three a
        quarter.

        Args:
            values: In the order of the cells. *Shape:* ``(…, cells)``

        Returns:
            *Shape:* ``(…, effects)``
        """
        found: NDArray[np.float64] = values @ self.weights.T
        return found

    def rebuilt(self, mean: float, effects: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values of the cells: as many numbers say as much, so that nothing is left over.

        Args:
            mean: Of the cells.
            effects: As ``effects_of`` gives them. *Shape:* ``(effects,)``

        Returns:
            *Shape:* ``(cells,)``
        """
        share = [0.5 ** len(effect) for effect in self.effects]
        values: NDArray[np.float64] = mean + (effects * np.array(share)) @ self._signs
        return values

    @property
    def _signs(self) -> NDArray[np.float64]:
        """Return +1 and -1: the product of the signs of the effect's factors. *Shape:* ``(effects, cells)``."""
        cells = np.arange(len(self.cells))
        columns = [np.where(cells >> place & 1, 1.0, -1.0) for place in range(len(self.factors))]
        return np.array([np.prod([columns[place] for place in effect], axis=0) for effect in self.effects])


#: The question of the exposé: what int8, half of the weights and batches do, alone and together.
FACTORS: Final = (
    Factor("fp32", "int8"),
    Factor("dense", "50 % zeros"),
    Factor("batch 1", "batch 16 / 5 ms"),
)
#: Its cells without what serves them.
_CELLS: Final = tuple(
    f"{passes}-{batch}"
    for batch in ("b1", "b16")
    for passes in ("fp32", "int8", "second-order-50", "int8-second-order-50")
)


def served(prefix: str) -> Design:
    """Return the factorial of the configurations that ``prefix`` serves, as ``torchserve``."""
    return Design(FACTORS, tuple(f"{prefix}-{cell}" for cell in _CELLS))
