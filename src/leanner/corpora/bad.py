"""What happens to a document that is not what its format promises."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Final
from typing import Literal
from typing import TypeVar
from typing import get_args

from leanner.corpora.native import CorpusError


if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator


#: "error": the first bad document ends the reading; "skip": it is listed, the reading goes on.
Policy = Literal["error", "skip"]

POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)

Item = TypeVar("Item")
Built = TypeVar("Built")


@dataclass(slots=True)
class BadDocuments:
    """Raises or collects the errors of the readers.

    Attributes:
        policy: "error" raises at once, "skip" collects.
        errors: What was skipped so far, in the order of reading.

    Raises:
        ValueError: The policy is neither.
    """

    policy: Policy = "error"
    errors: list[CorpusError] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"expected a policy of {', '.join(POLICIES)}, found {self.policy!r}")

    def report(self, error: CorpusError) -> None:
        """Raise ``error``, or list it so that the reader can go on.

        Raises:
            CorpusError: The policy is "error".
        """
        if self.policy == "error":
            raise error
        # A traceback holds the frames that it came through, and they the document.
        error.__cause__ = error.__context__ = None
        self.errors.append(error.with_traceback(None))


def read_each(
    items: Iterable[Item],
    build: Callable[[Item], Built],
    bad: BadDocuments,
    *,
    empty: CorpusError | None = None,
) -> Iterator[Built]:
    """Yield the document of each item, and report the items that have none.

    Args:
        items: Pieces of a file. A `CorpusError` that they raise is reported and ends them.
        build: Makes the document of a piece; a `CorpusError` costs that document.
        bad: Takes the errors.
        empty: Reported if there is no item.
    """
    remaining = iter(items)
    found = False
    while True:
        try:
            item = next(remaining)
            found = True
            document = build(item)
        except StopIteration:
            break
        except CorpusError as error:
            found = True
            bad.report(error)
        else:
            yield document
    if not found and empty is not None:
        bad.report(empty)
