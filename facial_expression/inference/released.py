"""Where the released network is: beside a clone after `dvc pull`, else in the installed package."""

from pathlib import Path

from facial_expression.core.errors import ModelError

CLONE = Path(__file__).parents[2] / "released" / "expression.onnx"
PACKAGE = Path(__file__).parent / "released" / "expression-int8.onnx"  # setup.py puts it there


def released() -> Path:
    """The released network in its best form here: float32 in a clone, int8 in a wheel.

    Raises:
        ModelError: there is none.
    """
    for path in (CLONE, PACKAGE):
        if path.is_file():
            return path
    raise ModelError(
        f"expected the released network as {CLONE} or {PACKAGE}, found none; run `dvc pull` in a "
        "clone, or name a network with --model"
    )
