"""What becomes of a request: an answer, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


#: Nobody listens at the port.
REFUSED: Final = "refused"
#: The server broke the connection off.
RESET: Final = "reset"
#: The server ended the connection before the answer was whole.
CLOSED: Final = "closed"
#: The answer was not whole within the client's patience.
TIMEOUT: Final = "timeout"
#: What came is no HTTP answer.
MALFORMED: Final = "malformed"
#: No descriptor or port is left on this side: the load, and not the server, is at its limit.
EXHAUSTED: Final = "exhausted"
#: The run's time was over: before the answer, or before it was sent.
TIME_LIMIT: Final = "time-limit"
#: Another one had failed before it was sent, and the run was to end then.
NOT_SENT: Final = "not-sent"


class SendError(Exception):
    """A request has no answer.

    Args:
        kind: One of those above, or ``os-`` and the name of another error of the system.
        detail: What happened, for people.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request. Times are those of ``CLOCK_MONOTONIC``, as in the server's log of batches.

    Attributes:
        index: Of its body.
        intended_ns: When it was due, whether or not anything could be sent then; ``None`` if the run ended before.
        sent_ns: When its sending began, connecting included; ``None`` if it was not sent.
        ended_ns: When its answer was whole, or it was given up.
        status: Of HTTP; ``None`` without an answer.
        error: Why there is no answer, one of the kinds above; ``None`` with one.
        body: Of the answer; ``None`` without one.
    """

    index: int
    intended_ns: int | None
    sent_ns: int | None
    ended_ns: int
    status: int | None = None
    error: str | None = None
    body: bytes | None = None

    @property
    def failure(self) -> str | None:
        """Why it was not answered as asked: ``error``, or ``http-503``; ``None`` if it was."""
        if self.status is None or 200 <= self.status < 300:
            return self.error
        return f"http-{self.status}"

    @property
    def latency_ns(self) -> int | None:
        """From when it was due; ``None`` if it never was."""
        return None if self.intended_ns is None else self.ended_ns - self.intended_ns
