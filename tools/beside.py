"""What lies beside a model file: the names of its classes, and its temperature."""

from pathlib import Path

from facial_expression.core.errors import DatasetError, ModelError, damaged
from facial_expression.core.files import read_json
from tools.arguments import positive_float


def find_classes(model: Path) -> Path:
    """classes.json beside the model, or where the pipeline keeps that of data/model/model.keras.

    Raises:
        ModelError: there is no model.
        DatasetError: there are no names: a guess would be a wrong score that looks right.
    """
    if not model.is_file():
        raise ModelError(f"{model}: no such model; correct the path")
    places = [model.parent / "classes.json", model.parent.parent / "arrays" / "classes.json"]
    for path in places:
        if path.is_file():
            return path
    raise DatasetError(
        f"expected the names of the model's classes in {places[0]} or {places[1]}, found neither; "
        "name the file with --classes"
    )


def find_temperature(model: Path) -> float:
    """What calibration.json beside the model says, as stage export writes it; 1 without one."""
    path = model.parent / "calibration.json"
    if not path.is_file():
        return 1.0
    with damaged(path, "the export stage"):
        return positive_float(str(read_json(path, "the export stage")["temperature"]))
