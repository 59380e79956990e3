"""Sets whose file names say who shows which expression.

JAFFE (Lyons et al. 1998): `KA.AN1.39.tiff`, person and expression.  KDEF (Lundqvist et al. 1998):
`AF01ANS.JPG`, session, sex, person, expression, angle.  CK+ (`S005_001_00000011.png`, subject) says
no expression.
"""

import re
from dataclasses import dataclass

from facial_expression.fetch.rows import Row
from facial_expression.fetch.unpack import Files

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
        fitting = sum(self.pattern.fullmatch(file.name) is not None for file in files.pictures)
        return 2 * fitting > len(files.pictures)

    def read(self, files: Files) -> list[Row]:
        """The pictures with such names, all in train; a person is a group."""
        rows = []
        for file in files.pictures:
            if found := self.pattern.fullmatch(file.name):
                codes = {name: code.upper() for name, code in found.groupdict().items()}
                label, group = CLASSES[codes.pop("label")], codes.pop("group")
                facts = {name: MEANINGS[code] for name, code in codes.items()}
                rows.append(Row("train", label, file.name, file, group, facts=facts))
        return rows


JAFFE = Names(re.compile(r"(?P<group>[A-Z]{2})\.(?P<label>AN|DI|FE|HA|NE|SA|SU)\d+\.\d+\.\w+"))
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
        if all(kind.pattern.fullmatch(row.file.name) for row in rows):
            groups = [kind.pattern.sub(r"\g<group>", row.file.name).upper() for row in rows]
            return [row._replace(group=who) for row, who in zip(rows, groups, strict=True)]
    return rows
