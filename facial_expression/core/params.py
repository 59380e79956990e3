"""Parameters: one section of a YAML file as a frozen, validated dataclass.

A stage declares its parameters as `@dataclass(frozen=True, config=CLOSED)` (pydantic's decorator)
in its own package, so that editing one stage's parameters never touches another stage.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from facial_expression.core.errors import ParameterError
from facial_expression.core.files import in_repository, sha256_of

CLOSED = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Configuration of every parameter dataclass: unknown keys, NaN and infinity are errors."""

LARGEST, WRITTEN_OUT = 100_000, 500_000
"""Bytes that a file of parameters may have, and characters with its aliases written out."""
SHOWN = 300  # characters of a value in a message

Seed = Annotated[int, Field(ge=0, lt=1 << 32)]
"""What every generator of random numbers takes."""

Parameters = TypeVar("Parameters")


def load(path: Path, section: str, kind: type[Parameters]) -> Parameters:
    """Read `section` of the YAML file at `path` as a `kind`.

    Types are strict (the text "3" is not the number 3), and a list becomes a tuple.

    Raises:
        ParameterError: the file or the section is missing, or a value is unknown, missing, of the
            wrong type or out of range; the message names file, section, key and the value found.
    """
    document = read_yaml(path)
    values = document.get(section) if isinstance(document, dict) else None
    if not isinstance(values, dict):
        what = f"a section '{section}:' that holds keys"
        raise ParameterError.expected(path, what, _short(values), "add it")
    return checked(values, section, kind, path)


def checked(
    values: dict[str, Any], section: str, kind: type[Parameters], where: Path | str
) -> Parameters:
    """The values of a section as a `kind`; a ParameterError that names `where` as `load` does."""
    try:
        text = json.dumps(values)
    except (TypeError, ValueError, RecursionError) as error:  # a date, bytes, an alias of itself
        what = f"'{section}:' to hold texts, numbers, true, false, null and lists"
        found, remedy = f"another kind of value: {error}", "put it in quotes if it is a text"
        raise ParameterError.expected(where, what, found, remedy) from None
    try:
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        wrong = error.errors()
        told = [_explain(where, section, item) for item in wrong[:10]]
        more = [f"and {len(wrong) - 10} more"] if len(wrong) > 10 else []
        raise ParameterError("; ".join([*told, *more])) from error


def pinned(path: str, sha256: str, key: str, remedy: str) -> Path:
    """The file that the parameter `key` names; a ParameterError if its sha256 is another.

    `sha256` is the parameter of that name beside `key`: the pin, by which DVC notices another file
    under the same name.  `remedy` says what to do if there is no file.
    """
    file, pin = in_repository(Path(path)), f"{key.rpartition('.')[0]}.sha256"
    try:
        found = sha256_of(file)
    except (OSError, ValueError) as error:  # a path that holds NUL
        reason = getattr(error, "strerror", error)
        raise ParameterError(f"{key}: cannot read {path}: {reason}; {remedy}") from None
    if found != sha256:
        remedy = f"if that file is the one you mean, set {pin} to it, so that dvc notices another"
        raise ParameterError.expected(pin, f"'{sha256}'", f"{found} in {path}", remedy)
    return file


def read_yaml(path: Path) -> Any:
    """The document in a YAML file, with the numbers of YAML 1.2, as DVC reads them.

    Raises:
        ParameterError: there is no such file, it is not one YAML document, or a key is there twice.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError(f"expected at most {LARGEST:,} bytes")
        return yaml.load(data, _Yaml12)
    except OSError as error:
        remedy = "conf/ holds the existing parameter files"
        raise ParameterError(f"{path}: {error.strerror}; {remedy}") from None
    except Exception as error:  # noqa: BLE001  a tag such as `!!bool maybe` raises anything
        reason = _short(error, str)
        raise ParameterError(f"{path}: expected YAML, found an error: {reason}") from None


class _Yaml12(yaml.SafeLoader):
    """Numbers and booleans of YAML 1.2: `1e-3` and `0o17` are numbers, `yes` and `1:30` texts.

    The patterns are those of ruamel.yaml, which DVC reads and writes with.
    """

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.size, self.sizes = 0, dict[int, int]()  # of all and of each node, aliases written out

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        alias, before = self.check_event(yaml.AliasEvent), self.size
        node = super().compose_node(parent, index)
        own = 1 + len(node.value) if isinstance(node, yaml.ScalarNode) else 1
        self.size += self.sizes.get(id(node), own) if alias else own
        self.sizes.setdefault(id(node), self.size - before)
        if self.size > WRITTEN_OUT:
            raise yaml.YAMLError(f"with its aliases written out, it is over {WRITTEN_OUT:,} long")
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: list[Any] = []
        for name, _ in node.value:
            if name.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(name, deep=True)
            if key in keys:
                raise yaml.MarkedYAMLError(None, None, f"duplicate key {key!r}", name.start_mark)
            keys.append(key)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = self.construct_scalar(node).replace("_", "")
        bases = {"0b": 2, "0o": 8, "0x": 16}
        return int(text, bases.get(text.lstrip("-+")[:2], 10))


_Yaml12.add_constructor("tag:yaml.org,2002:int", _Yaml12.construct_yaml_int)
_Yaml12.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in known if tag.endswith((":null", ":merge", ":timestamp"))
    ]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, _pattern, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    (
        "float",
        r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("int", "[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9_]+)", "-+0123456789"),
):
    _Yaml12.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def _explain(path: Path | str, section: str, item: Any) -> str:
    key, found = ".".join([section, *map(str, item["loc"])]), _short(item["input"])
    match item["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f"{path}: unknown parameter '{key}' (= {found}); correct or remove it"
        case "missing" | "missing_argument":
            return f"{path}: parameter '{key}' is missing; add it"
        case _:
            return f"{path}: parameter '{key}': {item['msg']}, found {found}"


def _short(value: Any, form: Callable[[Any], str] = repr) -> str:
    """The value on one line; its type if it cannot be written, as what holds itself."""
    try:
        text = " ".join(form(value).split())
    except (ValueError, RecursionError):
        return type(value).__name__
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
