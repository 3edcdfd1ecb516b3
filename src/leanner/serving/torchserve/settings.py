"""What TorchServe is told: files in its folder, a command line, an environment."""

from __future__ import annotations

import json
import os
import site
import socket
import sys
import sysconfig

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.serving.server import ServerError


if TYPE_CHECKING:
    from leanner.serving.batching import DynamicBatching
    from leanner.serving.source import Source
    from leanner.serving.torchserve.installed import Installed


#: The name under which the tagger is served.
MODEL: Final = "tagger"

# A socket's path has at most 107 bytes; TorchServe numbers its own behind a name.
_MAX_SOCKET_B: Final = 107

# A span takes at most so many bytes for each of its request: `{"start":65534,"end":65535,"label":"SPECIES"},` for two.
_ANSWER_PER_REQUEST: Final = 32

# What is said goes to one place; of requests and metrics nothing is said, which would be a line for each.
_LOGGING: Final = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration>
  <Appenders>
    <Console name="OUTPUT" target="SYSTEM_OUT"><PatternLayout pattern="%d{ISO8601} [%-5p] %c - %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="ACCESS_LOG" level="off"/>
    <Logger name="MODEL_METRICS" level="off"/>
    <Logger name="TS_METRICS" level="off"/>
    <Logger name="MODEL_LOG" level="info"/>
    <Root level="warn"><AppenderRef ref="OUTPUT"/></Root>
  </Loggers>
</Configuration>
"""

# Of the environment: they would turn a worker into a part of a group, or write profiles to /tmp.
_NOT_FOR_WORKERS: Final = frozenset({"LOCAL_RANK", "LOCAL_WORLD_SIZE", "RANK", "WORLD_SIZE"})


@dataclass(frozen=True, slots=True)
class Ports:
    """Where TorchServe listens, on 127.0.0.1."""

    inference: int
    management: int
    metrics: int
    grpc_inference: int
    grpc_management: int


def free_ports() -> Ports:
    """Return ports that nobody has now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(5)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return Ports(*(each.getsockname()[1] for each in sockets))


@dataclass(frozen=True, slots=True)
class Settings:
    """One start of TorchServe.

    Attributes:
        workers: Processes, each with a tagger.
        queue_size: Requests that may wait.
        max_request_bytes: Of a request's body.
        response_timeout_s: How long a worker may take for a batch.
        startup_timeout_s: How long it may take for its tagger.
        ports: Where it listens.
    """

    workers: int
    queue_size: int
    max_request_bytes: int
    response_timeout_s: int
    startup_timeout_s: int
    ports: Ports

    def write(self, folder: Path, source: Source, batching: DynamicBatching) -> None:
        """Write what TorchServe reads into its folder.

        Raises:
            ServerError: The folder's path is too long for the sockets between TorchServe and its workers.
        """
        if len(os.fsencode(_scratch(folder) / ".ts.sock.9000")) > _MAX_SOCKET_B:
            raise ServerError(f"expected a temporary folder with a short path, found {folder}: set TMPDIR to another")
        # A folder in the model store is served like an archive, and nothing has to be packed.
        model = folder / "store" / MODEL
        (model / "MAR-INF").mkdir(parents=True)
        _scratch(folder).mkdir()
        batch_log(folder).touch()
        manifest = {
            # TorchServe says so if it does not know by what it was packed.
            "archiverVersion": "0.12.0",
            "createdOn": "01/01/2025 00:00:00",
            "runtime": "python",
            "model": {
                "modelName": MODEL,
                "modelVersion": "1.0",
                "handler": "leanner.serving.torchserve.handler",
                "configFile": "model-config.yaml",
            },
        }
        (model / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")
        # JSON is YAML.
        (model / "model-config.yaml").write_text(json.dumps(self._of_model(folder, source, batching)), encoding="utf-8")
        properties = self._of_server(batching)
        lines = "".join(f"{name}={value}\n" for name, value in properties.items())
        (folder / "config.properties").write_text(lines, encoding="ascii")
        (folder / "log4j2.xml").write_text(_LOGGING, encoding="utf-8")

    def _of_model(self, folder: Path, source: Source, batching: DynamicBatching) -> dict[str, Any]:
        return {
            "minWorkers": self.workers,
            "maxWorkers": self.workers,
            "batchSize": batching.max_batch_size,
            "maxBatchDelay": int(batching.max_batch_delay_ms),
            "responseTimeout": self.response_timeout_s,
            "startupTimeout": self.startup_timeout_s,
            "handler": {"source": source.to_json(), "batch_log": str(batch_log(folder))},
        }

    def _of_server(self, batching: DynamicBatching) -> dict[str, Any]:
        # The answers to a batch come from its worker as one message.
        answer_bytes = self.max_request_bytes * batching.max_batch_size * _ANSWER_PER_REQUEST
        return {
            "inference_address": f"http://127.0.0.1:{self.ports.inference}",
            "management_address": f"http://127.0.0.1:{self.ports.management}",
            "metrics_address": f"http://127.0.0.1:{self.ports.metrics}",
            "grpc_inference_address": "127.0.0.1",
            "grpc_inference_port": self.ports.grpc_inference,
            "grpc_management_address": "127.0.0.1",
            "grpc_management_port": self.ports.grpc_management,
            "load_models": MODEL,
            "disable_token_authorization": "false",
            # An hour otherwise. Nobody else has the key, and the server ends with who has.
            "token_expiration_min": 60 * 24 * 366,
            "install_py_dep_per_model": "false",
            # Of models that are loaded by address there are none: that API is off, and this keeps it so.
            "allowed_urls": "none",
            # Of bodies the handler sees the bytes, whatever type the client says they have.
            "decode_input_request": "false",
            "job_queue_size": self.queue_size,
            "max_request_size": self.max_request_bytes,
            "max_response_size": min(max(answer_bytes, 6_553_500), 2**31 - 1),
            "number_of_netty_threads": 2,
            "netty_client_threads": 1,
            "disable_system_metrics": "true",
            "metrics_mode": "prometheus",
        }


def batch_log(folder: Path) -> Path:
    """Return where the workers write of their batches."""
    return folder / "batches.jsonl"


def command(installed: Installed, folder: Path) -> list[str]:
    """Return the command line that ``torchserve --start --foreground --ncs`` makes, without what waits for it there."""
    return [
        str(installed.java),
        f"-Dmodel_server_home={installed.home}",
        f"-Dlog4j.configurationFile={(folder / 'log4j2.xml').as_uri()}",
        f"-Djava.io.tmpdir={_scratch(folder)}",
        "-Xmx256m",
        "-XX:+UseSerialGC",
        # Those would go to /tmp, whatever its folder.
        "-XX:-UsePerfData",
        "-cp",
        str(installed.jar),
        "org.pytorch.serve.ModelServer",
        "--python",
        sys.executable,
        "-f",
        str(folder / "config.properties"),
        "-s",
        str(folder / "store"),
        "-ncs",
    ]


def environment(installed: Installed, folder: Path) -> dict[str, str]:
    """Return the environment of TorchServe and its workers: this one, where they import what is imported here.

    ``OMP_NUM_THREADS`` is as it is here: TorchServe sets it only where a model is run in parallel by ``torchrun``.
    """
    environ = {
        name: value for name, value in os.environ.items() if name not in _NOT_FOR_WORKERS and not name.startswith("TS_")
    }
    scratch = str(_scratch(folder))
    # Without LOG_LOCATION and METRICS_LOCATION there would be a folder "logs" besides.
    kept = {"TMPDIR": scratch, "TEMP": scratch, "LOG_LOCATION": str(folder), "METRICS_LOCATION": str(folder)}
    return {**environ, **kept, "JAVA_HOME": str(installed.java_home), "PYTHONPATH": os.pathsep.join(_path())}


def read_keys(folder: Path) -> Mapping[str, str] | None:
    """Return the bearer tokens by what they open, ``inference`` or ``management``; ``None`` if there are none yet."""
    try:
        kinds = json.loads((folder / "key_file.json").read_bytes())
    except (FileNotFoundError, ValueError):  # not written yet, or not to its end
        return None
    return {kind: members["key"] for kind, members in kinds.items()}


def _scratch(folder: Path) -> Path:
    return folder / "tmp"


def _path() -> list[str]:
    """Return what is on this interpreter's path and not on that of every other one."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    own = {*(sysconfig.get_path(name) for name in names), *site.getsitepackages(), site.getusersitepackages()}
    stdlib = Path(sysconfig.get_path("stdlib"))
    own |= {str(stdlib / "lib-dynload"), str(stdlib.with_name(f"python{sys.version_info[0]}{sys.version_info[1]}.zip"))}
    return [str(Path(entry).absolute()) for entry in sys.path if entry not in own]
