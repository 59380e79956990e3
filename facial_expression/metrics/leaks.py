"""Which pictures stand more than once in a data set, from the audit's findings."""

from __future__ import annotations

from pathlib import Path

from facial_expression.core.errors import DatasetError
from facial_expression.core.files import read_csv

LEAKS = ("duplicate", "near_duplicate")
COLUMNS = ("path", "kind", "partner", "score")


def read_leaks(findings: Path) -> set[str]:
    """Paths of the pictures that audit.csv pairs as duplicates or near-duplicates, both of a pair.

    A picture that is not among them is leak-free: no other like it was found in any split.

    Raises:
        DatasetError: the table is missing or not one of findings.
    """
    found: set[str] = set()
    try:
        for row in read_csv(findings):
            if row["kind"] in LEAKS:
                found |= {row["path"], row["partner"]}
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"{findings}: expected a table of findings with columns {', '.join(COLUMNS)}: "
            f"{error!r}; run the index stage"
        ) from None
    return found
