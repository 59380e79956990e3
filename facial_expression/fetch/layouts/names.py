"""Sets whose file names say who shows which expression.

JAFFE (Lyons et al. 1998): `KA.AN1.39.tiff`, person and expression.  KDEF (Lundqvist et al. 1998):
`AF01ANS.JPG`, session, sex, person, expression, angle.  CK+: `S005_001_00000011.png`, subject.
"""

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

    pattern: str

    def codes(self, file: File) -> dict[str, str]:
        """What the name of a picture says; nothing if it is not of this layout."""
        found = re.fullmatch(self.pattern, file.name, re.IGNORECASE)
        return {key: code.upper() for key, code in found.groupdict().items()} if found else {}

    def recognises(self, files: Files) -> bool:
        """Whether more than half of the pictures have such names."""
        return 2 * sum(bool(self.codes(file)) for file in files.pictures) > len(files.pictures)

    def read(self, files: Files) -> list[Row]:
        """The pictures with such names, all in train; a person is a group."""
        rows = []
        for file in files.pictures:
            if codes := self.codes(file):
                label, group = CLASSES[codes.pop("label")], codes.pop("group")
                facts = {name: MEANINGS[code] for name, code in codes.items()}
                rows.append(Row("train", label, file.name, file, group, facts=facts))
        return rows


JAFFE = Names(r"(?P<group>[A-Z]{2})\.(?P<label>AN|DI|FE|HA|NE|SA|SU)\d+\.\d+\.\w+")
PERSON, ANGLE = r"(?P<group>(?P<sex>[FM])\d\d)", "(?P<angle>S|HL|HR|FL|FR)"
KDEF = Names(rf"[AB]{PERSON}(?P<label>AF|AN|DI|HA|NE|SA|SU){ANGLE}\.\w+")
CK_PLUS = Names(r"(?P<group>S\d{3})_\d{3}_\d+\.\w+")


def with_people(rows: list[Row]) -> list[Row]:
    """The rows of a set in class folders, with groups if the names of all its pictures say them."""
    for kind in (JAFFE, KDEF, CK_PLUS):
        if all(kind.codes(row.file) for row in rows):
            return [row._replace(group=kind.codes(row.file)["group"]) for row in rows]
    return rows
