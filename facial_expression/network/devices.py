"""The devices that share one fit: of this process, or of several processes on several machines.

They work as Keras' DataParallel on JAX: each device has the whole network and its part of a batch,
and every sum over a batch (loss, gradients, batch statistics, metrics) is over all parts.
"""

import atexit
import ctypes
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facial_expression.core.errors import ParameterError, TrainingError, reason
from facial_expression.network.backend import Backend, quiet

Distribution = Literal["none", "data_parallel"]
VARIABLES = tuple(
    f"KERAS_DISTRIBUTION_{name}" for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
)
"""Keras' names: the address of process 0 with a port, how many processes, which one this is."""
HEARTBEAT = 20  # seconds of silence after which JAX takes a process for lost
LOST = "another process of this training did not come, or was lost; start all of them again"
LAST_WORD = threading.Lock()  # of a process that ends: one line, whichever thread is first


@dataclass(frozen=True)
class Devices:
    """How many devices share each batch, and which part of it this process is to feed."""

    number: int = 1  # of all processes; each has as many
    processes: int = 1
    process: int = 0  # only process 0 writes and prints

    def part(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The rows that this process feeds of a batch (B, ...), B a multiple of `number`."""
        return rows.reshape(self.processes, -1, *rows.shape[1:])[self.process]

    def scope(self) -> AbstractContextManager[None]:
        """A block in which networks are built on all devices, and trained and applied by them."""
        if self.number == 1:
            return nullcontext()
        import keras

        class Replicas(keras.distribution.DataParallel):
            """With the logits of the whole batch on each device, so that a process has them all."""

            def get_tensor_layout(self, path: str) -> Any:
                if not path.endswith("logits/output"):
                    return None
                return keras.distribution.TensorLayout((None, None), self.device_mesh)

        return Replicas(auto_shard_dataset=False).scope()

    def joined(self, part: NDArray[Any]) -> Any:
        """The batch of which each process has its `part`; inside `scope`."""
        if self.number == 1:
            return part
        import jax
        import keras

        layout = keras.distribution.distribution().get_data_layout(part.shape)
        return jax.make_array_from_process_local_data(layout.backend_layout, part)

    def everywhere(self, value: NDArray[Any]) -> Any:
        """A value that all processes have alike, for a variable inside `scope`.

        Keras would compare those of all processes: one exchange an assignment, several a step.
        """
        if self.number == 1:
            return value
        import jax
        import keras

        layout = keras.distribution.TensorLayout(
            [None] * value.ndim, keras.distribution.distribution().device_mesh
        )
        return jax.make_array_from_process_local_data(layout.backend_layout, value)

    def shared(self, arrays: Any) -> Any:
        """The arrays of process 0, in lists or alone; each process gives some of these shapes."""
        if self.processes == 1:
            return arrays
        from jax.experimental import multihost_utils

        return multihost_utils.broadcast_one_to_all(arrays)

    def shared_bytes(self, data: bytes) -> bytes:
        """What process 0 gives; that of the others does not matter."""
        length = int(self.shared(np.array(len(data), np.uint32)))
        given = np.frombuffer(data[:length].ljust(length), np.uint8)
        return np.asarray(self.shared(given)).tobytes()

    def check_equal(self, digest: str) -> None:
        """Raise TrainingError unless all processes give this text, of this length."""
        if self.processes == 1:
            return
        from jax.experimental import multihost_utils

        found = multihost_utils.process_allgather(np.frombuffer(digest.encode(), np.uint8))
        if others := np.flatnonzero((found != found[0]).any(axis=1)).tolist():
            raise TrainingError.expected(
                f"process {others[0]} of {self.processes}",
                "the recipe, labels, code and versions of process 0",
                "others",
                "give all of them the same",
            )


ALONE = Devices()


@contextmanager
def connected(distribution: Distribution, backend: Backend) -> Iterator[Devices]:
    """The devices of one fit; waits for the other processes, if the `VARIABLES` say there are some.

    They are all devices that JAX sees, with `none` one.  A ParameterError if the backend has no
    such distribution or the variables are not what it needs; a TrainingError if another process
    does not come, or is lost in the block.
    """
    given = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    if distribution == "none":
        if given:
            what = f"data_parallel, because {next(iter(given))} is set"
            remedy = "set it in the recipe, or unset the variable"
            raise ParameterError.expected("train.distribution", what, "none", remedy)
        yield ALONE
        return
    if backend != "jax":
        what, found = "none, or train.backend jax", f"data_parallel with {backend}"
        raise ParameterError.expected("train.distribution", what, found, "change either")
    import jax

    if not given:
        yield Devices(jax.device_count())
        return
    _join(given)
    try:
        with quiet(1):  # Gloo tells of its connections
            devices = Devices(jax.device_count(), jax.process_count(), jax.process_index())
            jax.experimental.multihost_utils.sync_global_devices("connected")
        if jax.local_device_count() * devices.processes != devices.number:
            found = f"{jax.local_device_count()} of {devices.number} here"
            raise TrainingError.expected(
                f"process {devices.process} of {devices.processes}",
                "as many devices in each process",
                found,
                "choose them by CUDA_VISIBLE_DEVICES",
            )
        yield devices
    except BaseException as error:
        LAST_WORD.acquire()
        # the first to be called, because JAX's own waits for the others, who wait for this one
        atexit.register(_leave, 130 if isinstance(error, KeyboardInterrupt) else 1)
        if isinstance(error, jax.errors.JaxRuntimeError) or "Gloo" in str(error):
            raise TrainingError(f"{LOST} ({reason(error):.200})") from error
        raise


def _join(given: dict[str, str]) -> None:
    """Meet the other processes, as `keras.distribution.initialize` does with the same variables.

    That takes no time-out, and JAX's own lets a lost process be waited for, for minutes.
    """
    import jax
    import jax.experimental.multihost_utils

    if absent := [name for name in VARIABLES if name not in given]:
        remedy = "process 0's address and port, how many there are, and which one this is"
        what = f"all of {', '.join(VARIABLES)}"
        raise ParameterError.expected("environment", what, f"no {absent[0]}", f"set them: {remedy}")
    addresses, number, process = (given[name] for name in VARIABLES)
    first = addresses.split(",")[0]
    if not re.fullmatch(r".+:\d+", first):  # JAX crashes
        raise ParameterError.expected(VARIABLES[0], "host:port", f"'{first}'", "correct it")
    where = f"{VARIABLES[0]}={addresses}, process {process} of {number}"
    _hide_what_jax_prints()
    try:
        jax.distributed.initialize(
            first,
            int(number),
            int(process),
            cluster_detection_method="deactivate",  # SLURM's takes one GPU of each machine
            heartbeat_timeout_seconds=HEARTBEAT,
        )
    except (ValueError, RuntimeError) as error:
        what, remedy = (
            "to meet the others",
            "start all of them, with the same address and a free port",
        )
        raise TrainingError.expected(where, what, f"{reason(error):.200}", remedy) from error


def _hide_what_jax_prints() -> None:
    """From now on only Python writes to stderr, and an abort of JAX is one line, exit code 1.

    Its C++ code prints stacks when a process is lost, and ends the others by `abort`.
    """
    sys.stderr.flush()
    ours = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    sys.stderr = os.fdopen(ours, "w", buffering=1)
    if os.name == "posix":
        ctypes.CDLL(None).signal(6, _on_abort)


@ctypes.CFUNCTYPE(None, ctypes.c_int)
def _on_abort(number: int) -> None:
    LAST_WORD.acquire()
    os.write(sys.stderr.fileno(), f"error: {LOST}\n".encode())
    os._exit(1)


def _leave(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
