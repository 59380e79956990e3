"""Sets whose file names say who shows which expression.

JAFFE (Lyons et al. 1998): `KA.AN1.39.tiff`, person and expression.  KDEF (Lundqvist et al. 1998):
`AF01ANS.JPG`, session, sex, person, expression, angle.  CK+ (`S005_001_00000011.png`, subject) says
no expression.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from facial_expression.fetch.rows import Row
from facial_expression.fetch.unpack import File, Files

CLASSES = {
    "AF": "fear", "AN": "angry", "DI": "disgust", "FE": "fear", "HA": "happy", "NE": "neutral",
    "SA": "sad", "SU": "surprise",
}  # fmt: skip
MEANINGS = {
    "F": "female", "M": "male", "S": "straight", "HL": "half left", "HR": "half right",
    "FL": "full left", "FR": "full right",
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """A layout by a pattern of names with the groups `group`, `label` and any attributes."""

    pattern: re.Pattern[str]

    def recognises(self, files: Files) -> bool:
        """Whether more than half of the pictures have such names."""
        return 2 * sum(map(bool, map(self.match, files.pictures))) > len(files.pictures)

    def read(self, files: Files) -> list[Row]:
        """The pictures with such names, all in train; a person is a group."""
        rows = []
        for file in files.pictures:
            if found := self.match(file):
                facts = found.groupdict()
                label, group = CLASSES[facts.pop("label").upper()], facts.pop("group").upper()
                facts = {name: MEANINGS[code.upper()] for name, code in facts.items()}
                name = file.path.rpartition("/")[2]
                rows.append(Row("train", label, name, file, group, facts=facts))
        return rows

    def match(self, file: File) -> re.Match[str] | None:
        """What the name of a file says."""
        return self.pattern.fullmatch(file.path.rpartition("/")[2])


JAFFE = Names(re.compile(r"(?P<group>[A-Z]{2})\.(?P<label>AN|DI|FE|HA|NE|SA|SU)\d\.\d+\.\w+"))
KDEF = Names(
    re.compile(
        r"[AB](?P<group>(?P<sex>[FM])\d\d)(?P<label>AF|AN|DI|HA|NE|SA|SU)"
        r"(?P<angle>S|HL|HR|FL|FR)\.\w+",
        re.IGNORECASE,
    )
)
CK_PLUS = Names(re.compile(r"(?P<group>S\d{3})_\d{3}_\d+\.\w+"))


def with_people(rows: list[Row]) -> list[Row]:
    """The rows of a set in class folders, with groups if the names of all its pictures say them."""
    for kind in (JAFFE, KDEF, CK_PLUS):
        found = [kind.match(row.file) for row in rows[:1]]
        if all(found) and all(found := [kind.match(row.file) for row in rows]):
            return [
                row._replace(group=match["group"].upper())
                for row, match in zip(rows, found, strict=True)
                if match
            ]
    return rows
