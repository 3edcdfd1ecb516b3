"""Whether TorchServe's workers have their tagger: its management API."""

from __future__ import annotations

import http.client
import json

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, as TorchServe tells of it.

    Attributes:
        pid: Its process; ``None`` before it has said so.
        ready: Whether it has its tagger.
    """

    pid: int | None
    ready: bool


def workers(port: int, key: str, model: str, timeout_s: float = 5.0) -> list[Worker] | None:
    """Return the workers of a model; ``None`` where TorchServe does not answer yet, or does not know the model yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", f"/models/{model}", headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        return None
    (description,) = json.loads(body)
    return [
        Worker(worker["pid"] if worker["pid"] > 0 else None, worker["status"] == "READY")
        for worker in description["workers"]
    ]
