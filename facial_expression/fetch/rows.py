"""What every reader of a layout makes: one row a picture."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from facial_expression.fetch.unpack import File

NOTHING: Mapping[str, str] = MappingProxyType({})


class Row(NamedTuple):
    """One picture of a data set."""

    split: str  # the folder in images.zip: train, val, valid, validation or test
    label: str  # the name of its class
    name: str  # of the file in the class folder of images.zip
    file: File
    group: str = ""  # the person, subject or clip that it shows, "" if unknown
    facts: Mapping[str, str] = NOTHING  # attributes, such as sex, of the person
