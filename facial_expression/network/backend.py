"""Choose the Keras backend and its number of threads before Keras is imported."""

import importlib
import importlib.metadata
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from facial_expression.core.errors import ModelError

Backend = Literal["tensorflow", "jax"]


def configure(backend: Backend, threads: int) -> None:
    """Set backend and threads; must run before the first import of Keras in this process.

    The last bits of the weights depend on the threads: they set the order of float additions.  A
    ModelError if the backend is not installed, or Keras runs on another one already.
    """
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # TensorFlow's choice is off without AVX512
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(threads)
    if backend == "jax":
        flags = ["--xla_cpu_multi_thread_eigen=" + str(threads > 1).lower()]
        flags += bfloat16_flags(_version("jaxlib"))
        os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *flags]).strip()
        os.environ["PJRT_NPROC"] = str(threads)  # otherwise a thread for each core
        os.environ["JAX_ENABLE_PREEMPTION_SERVICE"] = "false"  # it would catch SIGTERM
    running = sys.modules["keras"].backend.backend() if "keras" in sys.modules else backend
    if running != backend:
        raise ModelError(
            f"train.backend: expected '{backend}', but Keras runs on '{running}' already; "
            "start a new process"
        )
    try:
        with quiet(2):
            importlib.import_module(backend)
            import keras  # noqa: F401  with any backend it imports TensorFlow if that is installed
    except ImportError:
        raise ModelError(
            f"train.backend: '{backend}' is not installed; pip install it or choose another backend"
        ) from None


def versions(backend: Backend) -> dict[str, str]:
    """Versions of Keras, what the backend computes with, and NumPy."""
    light = _version("tensorflow-cpu") and ["tensorflow-cpu"]
    computing = ["jax", "jaxlib"] if backend == "jax" else light or [backend]
    return {name: importlib.metadata.version(name) for name in ("keras", *computing, "numpy")}


def precision_here(precision: str) -> str:
    """Keras' dtype policy to train with: float32 where bfloat16 would be slow.

    That is TensorFlow on a processor, without another device, that has no instructions for
    bfloat16: it needs 10 to 15 times as long in it there as in float32.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return precision
    on_processor = all(name.startswith("cpu") for name in keras.distribution.list_devices())
    return "float32" if on_processor and not computes_bfloat16() else precision


def computes_bfloat16(processor: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has instructions for bfloat16; False where no such file says so."""
    try:
        words = {*processor.read_text(encoding="utf-8").split()}
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & words)


def bfloat16_flags(jaxlib: str) -> list[str]:
    """Flags of XLA that keep jitted bfloat16 networks from reading uninitialised memory.

    JAX 0.12.0.1 returns NaN for `fast` on a CPU unless its YNNPACK fusions are off.  XLA ends the
    process at an unknown flag, so only versions of `jaxlib` that know it get it; "" is none.
    """
    known = jaxlib.startswith(("0.9.", "0.10.", "0.11.", "0.12."))
    return ["--xla_cpu_experimental_ynn_fusion_type="] if known else []


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


@contextmanager
def quiet(descriptor: int) -> Iterator[None]:
    """Hide what C++ code prints to stdout (1) or stderr (2), where no log level covers it."""
    saved = os.dup(descriptor)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), descriptor)
    try:
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
