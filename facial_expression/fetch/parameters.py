"""Section `fetch:` of conf/data/*.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from facial_expression.core.params import CLOSED


@dataclass(frozen=True, config=CLOSED)
class FetchParameters:
    """Section `fetch` of conf/data/*.yaml.

    Attributes:
        source: `sample`, a local path, a URL, `kaggle:owner/name` or `gdrive:<id>`.
        licence: who may use the pictures, and for what; copied to source.json.
        sha256: of the normalised archive; None where DVC itself notices a change.
        max_bytes: a source that unpacks to more is refused as a decompression bomb.
        max_files: a source with more members is refused.
    """

    source: str
    licence: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    max_bytes: Annotated[int, Field(gt=0)] = 4 << 30
    max_files: Annotated[int, Field(gt=0)] = 1_000_000
