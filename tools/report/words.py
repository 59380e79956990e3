"""What each figure shows, for those who do not see it."""

from tools.report.run import Run
from tools.report.tables import percent


def alternatives(run: Run) -> dict[str, str]:
    """A text for each figure, by its name."""
    split, calibration, confusion = run.split, run.metrics["calibration"], run.tables["confusion"]
    mistakes = (confusion["actual"] != confusion["predicted"]).sum()
    before, after = (percent(calibration[when]["ece_equal_mass"]) for when in ("before", "after"))
    return {
        "curves": f"Two line charts. {_curves(run)}",
        "confusion": f"Matrix of actual and predicted classes on {split}, each row in shares of "
        f"its class. {_recall(run)} {_pairs(run, 1)}",
        "confused_pairs": f"Rows of pictures, a row a kind of mistake on {split}. {_pairs(run, 3)}",
        "reliability": "A chart of accuracy by confidence, before and after the temperature, "
        f"beside the diagonal. Expected calibration error: {before} before, {after} after.",
        "hardest_mistakes": f"The most confident of {mistakes:,} wrong predictions on {split}: "
        "each picture above the predicted and the actual class with their probabilities.",
        "predictions": f"Pictures of {split} drawn at random, each above the predicted class and "
        "its probability, and the actual class where it is another.",
        "saliency": f"Pictures of {split}, a row an actual class, right predictions to the left "
        "and wrong ones to the right, each beside a copy on which the evidence glows.",
        "sample_sheet": "Some training pictures of each class, a row a class.",
        "audit_sheet": "The first findings of each kind of the audit, pairs side by side, with "
        f"score and labels. {_findings(run)}",
    }


def _recall(run: Run) -> str:
    ordered = run.tables["per_class"].sort_values("recall", kind="stable")
    low, high = (f"{row.recall:.3f} ({row[1]})" for row in ordered.iloc[[0, -1]].itertuples())
    return f"Recall runs from {low} to {high}."


def _pairs(run: Run, most: int) -> str:
    told = [
        f"{row['actual']} taken for {row['predicted']} ({row['count']:,})"
        for row in run.tables["confused_pairs"].head(most).to_dict("records")
    ]
    return f"Most frequent: {', '.join(told)}." if told else "There is no mistake."


def _curves(run: Run) -> str:
    history = run.tables["history"]

    def told(key: str) -> str:
        return f"from {history[key].iloc[0]:.2f} to {history[key].iloc[-1]:.2f}"

    return (
        f"Over {len(history)} epochs the loss goes {told('loss')} in training and "
        f"{told('val_loss')} in validation, accuracy {told('accuracy')} and {told('val_accuracy')}."
    )


def _findings(run: Run) -> str:
    found = run.audit["findings"].items()
    told = [f"{count:,} {kind.replace('_', ' ')}" for kind, count in found if count]
    return f"Found: {', '.join(told)}." if told else "Nothing was found."
