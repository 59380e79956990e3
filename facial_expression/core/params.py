"""One section of a YAML file -> a frozen, validated dataclass.  The loader only.

A stage declares its parameters as `@dataclass(frozen=True, config=CLOSED)` (pydantic's decorator)
in its own script, so that editing one stage's parameters never touches another stage.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from ruamel.yaml import YAML, YAMLError

from facial_expression.core.errors import ParameterError
from facial_expression.core.files import sha256_of

CLOSED = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Configuration of every parameter dataclass: an unknown key is an error, and so is no number."""

Parameters = TypeVar("Parameters")


def load(path: Path, section: str, kind: type[Parameters]) -> Parameters:
    """Read `section` of the YAML file at `path` as a `kind`.

    Types are strict (the text "3" is not the number 3), a list becomes a tuple, and a key that
    `kind` does not know is refused.

    Raises:
        ParameterError: the file or the section is missing, or a value is unknown, missing, of the
            wrong type or out of range; the message names file, section, key and the value found.
    """
    document = _read(path)
    if not isinstance(document, dict) or section not in document:
        raise ParameterError(f"{path}: expected a section '{section}:', found none; add it")
    values = document[section]
    if not isinstance(values, dict):
        raise ParameterError(f"{path}: expected '{section}:' to hold keys, found {values!r}")
    try:
        text = json.dumps(values)
    except (TypeError, ValueError) as error:  # a date, bytes, an alias of itself
        raise ParameterError(
            f"{path}: expected '{section}:' to hold texts, numbers, true, false, null and lists, "
            f"found another kind of value: {error}; put it in quotes if it is a text"
        ) from None
    try:
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise ParameterError(
            "; ".join(_explain(path, section, item) for item in error.errors())
        ) from error


def pinned(path: str, sha256: str, key: str, remedy: str) -> Path:
    """The file that a parameter names, once its bytes are those that stand beside the name.

    A pin makes DVC notice another file under the same name.

    Args:
        path: the value of the parameter `key`.
        sha256: the value of the parameter `sha256` beside it.
        key: dotted; the last part is the name of the parameter.
        remedy: what to do where there is no such file.

    Raises:
        ParameterError: the file cannot be read, or is another one.
    """
    pin = f"{key.rpartition('.')[0]}.sha256"
    try:
        found = sha256_of(Path(path))
    except OSError as error:
        raise ParameterError(f"{key}: cannot read {path}: {error.strerror}; {remedy}") from None
    if found != sha256:
        raise ParameterError(
            f"{pin}: expected '{sha256}', found {found} in {path}; if that file is the one you "
            f"mean, set {pin} to it, so that dvc notices another"
        )
    return Path(path)


def _read(path: Path) -> Any:
    try:
        return YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise ParameterError(
            f"{path}: no such parameter file; see conf/ for those there are"
        ) from None
    except OSError as error:
        raise ParameterError(f"{path}: expected a YAML file, found: {error.strerror}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{path}: expected YAML, found what is not: {reason}") from None


def _explain(path: Path, section: str, item: Any) -> str:
    key = ".".join([section, *(str(part) for part in item["loc"])])
    match item["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f"{path}: unknown parameter '{key}' (= {item['input']!r}); mend or remove it"
        case "missing" | "missing_argument":
            return f"{path}: parameter '{key}' is missing; add it"
        case _:
            return f"{path}: parameter '{key}': {item['msg']}, found {item['input']!r}"
