"""What makes the machine of a record."""

from __future__ import annotations

from typing import Final


#: Words, and where a record's environment has it. Another driver is another machine.
MACHINE: Final = {"CPU": "cpu", "ISA": "isa", "GPU": "gpu", "driver": "driver", "threads": "threads"}
