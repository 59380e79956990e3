"""Any set with a table of labels whose columns `fetch.table` of conf/data names."""

from facial_expression.fetch.places import SPLITS
from facial_expression.fetch.rows import SIDES, Row, joined, table
from facial_expression.fetch.unpack import Files


def recognises(files: Files) -> bool:
    """Whether conf/data names a table."""
    return bool(files.params.table.file)


def read(files: Files) -> list[Row]:
    """The pictures that the table names.

    Several faces of one photograph get numbered names, and are a group unless the table has groups.

    Raises:
        ArchiveError: there is no such table or column, or a split or box cannot be read.
    """
    import pandas as pd

    said = files.params.table
    columns = {"path": said.path, "label": said.label, "split": said.split, "group": said.group}
    columns |= dict(zip(SIDES, said.box, strict=False))
    columns = {name: column for name, column in columns.items() if column}
    kinds: dict[str, type] = dict.fromkeys([*columns.values(), *said.attributes], str)
    kinds.update(dict.fromkeys(said.box, float))
    found = table(files, f"/{said.file}".lower(), kinds)
    labels = pd.DataFrame({name: found[column] for name, column in columns.items()})
    if said.split:
        labels["split"] = labels["split"].str.lower().map(SPLITS)
        if len(unknown := found[labels["split"].isna()]):
            what, split = f"a split of {', '.join(SPLITS)}", repr(unknown[said.split].iloc[0])
            raise files.fault(what, split, "correct it, or fetch.table.split", said.file)
    if said.box:
        sides = labels[list(SIDES)].isna().sum(axis=1)
        if len(partial := labels["path"][(sides > 0) & (sides < len(SIDES))]):
            what, found_ = f"a number in each of {', '.join(said.box)}, or in none", partial.iloc[0]
            raise files.fault(what, f"some for {found_!r}", "correct it", said.file)
        several = labels["path"].duplicated(keep=False)
        number = "_" + labels.groupby("path").cumcount().astype(str) + ".png"
        stem = labels["path"].str.replace(r"\.[^./]*$", "", regex=True).str.replace("/", "_")
        labels["name"] = (stem + number).where(several, "")
        if not said.group:
            labels["group"] = labels["path"].where(several, "")
    labels["facts"] = found[list(said.attributes)].to_dict("records")
    return joined(files, labels.to_dict("records"))
