"""mosec's own program: ``python -m leanner.serving.mosec.application``, run by the supervisor."""

from __future__ import annotations

import math
import os
import sys

from mosec import Server

from leanner.serving.mosec.answering import Answering
from leanner.serving.mosec.orphans import end_with
from leanner.serving.mosec.settings import ROUTE
from leanner.serving.mosec.settings import SOCKETS
from leanner.serving.mosec.settings import Settings
from leanner.serving.mosec.settings import own_folder
from leanner.serving.mosec.tagging import Tagging


def main() -> None:
    """Serve until told to end, or until a worker is gone."""
    end_with(os.getppid())
    folder = own_folder()
    settings = Settings.read(folder)
    wait_ms = math.ceil(settings.batching.max_batch_delay_ms)
    # mosec reads its options from here and nowhere else. Without --wait, a wait of 0 would be one of 10 ms.
    sys.argv[1:] = [
        *("--path", str(folder / SOCKETS)),
        *("--address", "127.0.0.1"),
        *("--port", str(settings.port)),
        *("--capacity", str(settings.queue)),
        *("--timeout", str(math.ceil(settings.timeout_s * 1000))),
        *("--max-request-size", str(settings.max_body_bytes)),
        *("--log-level", "error"),
        *(("--wait", "0") if wait_ms == 0 else ()),
    ]
    server = Server()
    server.append_worker(
        Tagging,
        max_batch_size=settings.batching.max_batch_size,
        max_wait_time=wait_ms,
        timeout=settings.timeout_s,
        route=ROUTE,
    )
    server.append_worker(Answering, timeout=settings.timeout_s, route=ROUTE)
    server.run()


if __name__ == "__main__":
    main()
