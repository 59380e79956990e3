"""What lies beside a model file (names of its classes, temperature), or beside data/ of a run."""

from pathlib import Path, PureWindowsPath
from typing import Any

from facial_expression.core.errors import DatasetError, ModelError, ParameterError, damaged
from facial_expression.core.files import read_json
from facial_expression.core.params import read_yaml
from tools.arguments import positive_float


def find_classes(model: Path) -> Path:
    """classes.json beside the model, or where the pipeline keeps that of data/model/model.keras.

    Raises:
        ModelError: there is no model.
        DatasetError: there are no names: a guess would be a wrong score that looks right.
    """
    if not model.is_file():
        raise ModelError(f"{model}: no such model; correct the path")
    places = [model.parent / "classes.json"]
    if model.parent.name == "model":  # of a run; another folder's neighbour may be of another set
        places.append(model.parent.parent / "arrays" / "classes.json")
    for path in places:
        if path.is_file():
            return path
    raise DatasetError(
        f"expected the names of the model's classes in {' or '.join(map(str, places))}, found "
        "none; name the file with --classes"
    )


def find_temperature(model: Path) -> float:
    """What calibration.json beside the model says, as stage export writes it; 1 without one."""
    path = model.parent / "calibration.json"
    if not path.is_file():
        return 1.0
    with damaged(path, "the export stage"):
        return positive_float(str(read_json(path, "the export stage")["temperature"]))


def on_this_disk(path: str) -> bool:
    """Whether a value is an absolute path, which is nobody else's business; on any system."""
    return path.startswith(("~", "file:", "/")) or PureWindowsPath(path).is_absolute()


def active_parameters(root: Path) -> dict[str, dict[str, Any]]:
    """What stands in params.yaml of `root` and in the two files that it names, by their path.

    Raises:
        ParameterError: one is missing, or holds no keys.
    """
    found = {"params.yaml": read_yaml(root / "params.yaml")}
    for kind in ("data", "recipe"):
        active = found["params.yaml"]
        if not isinstance(active, dict) or not isinstance(active.get(kind), str):
            raise ParameterError(
                f"{root / 'params.yaml'}: expected a key '{kind}' with the name of a file in "
                f"conf/{kind}; add it"
            )
        name = f"conf/{kind}/{active[kind]}.yaml"
        found[name] = read_yaml(root / name)
        if not isinstance(found[name], dict):
            raise ParameterError(f"{root / name}: expected sections such as train:, found none")
    return found
