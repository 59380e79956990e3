"""What each figure shows, for those who do not see it."""

from tools.report.run import Run
from tools.report.tables import percent


def alternatives(run: Run) -> dict[str, str]:
    """A text for each figure, by its name."""
    split, calibration, confusion = run.split, run.metrics.calibration, run.tables["confusion"]
    mistakes = (confusion["actual"] != confusion["predicted"]).sum()
    before, after = (
        percent(measures.ece_equal_width) for measures in (calibration.before, calibration.after)
    )
    surest = percent(1 - run.metrics.selective.accuracy_at_50)
    return {
        "class_counts": f"Bars: pictures by class and split. {_counts(run)}",
        "curves": f"Two line charts. {_curves(run)}",
        "confusion": f"Matrix of actual and predicted classes on {split}, each row in shares of "
        f"its class. {_range(run, 'recall')} {_pairs(run, 1)}",
        "per_class_f1": f"Bars: F1 by class on {split}. {_range(run, 'f1')}",
        "confused_pairs": f"Rows of pictures, a row a kind of mistake on {split}. {_pairs(run, 3)}",
        "reliability": "Two charts of accuracy by confidence, before and after the temperature, "
        f"beside the diagonal. Expected calibration error: {before} before, {after} after.",
        "risk_coverage": f"A curve of the share of wrong answers on {split}: {surest} among the "
        f"surest half, {percent(1 - run.scores['accuracy'])} among all.",
        "hardest_mistakes": f"The most confident of {mistakes:,} wrong predictions on {split}: "
        "each picture beside its actual class, the predicted class and a bar a class.",
        "predictions": f"Pictures of {split} drawn at random, each beside its actual class, "
        "the predicted class and a bar of probability a class.",
        "saliency": f"Pictures of {split}, a row an actual class, right predictions to the left "
        "and wrong ones to the right, each beside a copy on which the evidence glows.",
        "sample_sheet": "Some training pictures of each class, a row a class.",
        "audit_sheet": "The first findings of each kind of the audit, pairs side by side, with "
        f"score and labels. {_findings(run)}",
    }


def _range(run: Run, key: str) -> str:
    ordered = run.tables["per_class"].sort_values(key, kind="stable").to_dict("records")
    low, high = ordered[0], ordered[-1]
    name = {"f1": "F1"}.get(key, key).capitalize()
    return f"{name} runs from {low[key]:.3f} ({low['class']}) to {high[key]:.3f} ({high['class']})."


def _pairs(run: Run, most: int) -> str:
    told = [
        f"{row['actual']} taken for {row['predicted']} ({row['count']:,})"
        for row in run.tables["confused_pairs"].head(most).to_dict("records")
    ]
    return f"Most frequent: {', '.join(told)}." if told else "There is no mistake."


def _counts(run: Run) -> str:
    found = run.tables["class_counts"].query("split == 'train'").sort_values("count", kind="stable")
    told = [f"{name} with {n:,}" for name, n in zip(found["class"], found["count"], strict=True)]
    return f"In train, most are {told[-1]}, fewest {told[0]}." if told else ""


def _curves(run: Run) -> str:
    history = run.tables["history"]

    def told(key: str) -> str:
        return f"from {history[key].iloc[0]:.2f} to {history[key].iloc[-1]:.2f}"

    return (
        f"Over {len(history)} epochs the loss goes {told('loss')} in training and "
        f"{told('val_loss')} in validation, accuracy {told('accuracy')} and {told('val_accuracy')}."
    )


def _findings(run: Run) -> str:
    found = run.audit.findings.items()
    told = [f"{count:,} {kind.replace('_', ' ')}" for kind, count in found if count]
    return f"Found: {', '.join(told)}." if told else "Nothing was found."
