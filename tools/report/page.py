"""A run -> one HTML file that asks for nothing outside itself."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from facial_expression.core.errors import damaged
from facial_expression.export.card import SPLITS, absent
from tools.report import tables, words
from tools.report.card import read_card
from tools.report.history import Output
from tools.report.run import Run

HERE = Path(__file__).parent
TABLES = (
    *(tables.scores, tables.per_class, tables.attributes, tables.confusion),
    tables.confused_pairs,
    *(tables.calibration, tables.selective, tables.class_counts, tables.findings),
)


@damaged("source.json, audit.json, scores.json or parity.json", "dvc repro -f")
def render(run: Run, outputs: Sequence[Output], differences: Sequence[str]) -> str:
    """The page; the same run gives the same text.  `differences` are sentences for its head.

    Raises:
        DatasetError: a JSON file or the model card lacks a part that the page shows.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = tables.percent
    environment.filters["count"] = lambda number: f"{number:,}"
    rows = [[o.path, o.stage, f"{o.size:,}", o.md5.removesuffix(".dir")] for o in outputs]
    per_class = run.tables["per_class"]
    return environment.get_template("report.html").render(
        run=run,
        card=read_card(run.card),
        style=Markup((HERE / "report.css").read_text(encoding="utf-8")),
        tables={make.__name__: make(run) for make in TABLES},
        outputs=tables.Table(
            "What the stages wrote, as dvc.lock names it",
            ("file", "stage", "bytes", "md5"),
            rows,
            words=(1, 3),
        ),
        alternatives=words.alternatives(run),
        accuracy=tables.interval(run.scores, "accuracy"),
        absent=absent(run.metrics["classes_absent"]),
        commonest=per_class.loc[per_class["support"].idxmax()].to_dict(),
        split_is=SPLITS[run.split],
        differences=differences,
    )
