"""The model card: the facts of a run in the text of card.md, under Hugging Face's metadata.

The sections are those of Mitchell et al. 2019, "Model Cards for Model Reporting"
(arXiv:1810.03993), in the order of the hub's template (github.com/huggingface/huggingface_hub,
modelcard_template.md).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from facial_expression.core.tables import markdown

TEMPLATE = Path(__file__).with_suffix(".md")
SPLITS = {
    "train": "the pictures that the network was trained on",
    "val": "the validation pictures, on which every choice was made",
    "test": "the test pictures, on which no choice was made",
}
PROTOCOLS = {
    "clean": "No exact copy of a validation or test picture is in the training pictures.",
    "leaky": "The training pictures may hold exact copies of validation or test pictures "
    "(`index.drop`).",
    "notebook": "The network was validated on its own test pictures, and copies of them are in the "
    "training pictures. Compare these scores only with those of the seed notebook.",
}
AVERAGES = {
    "": "plain",
    "_flip": "mean over the picture and its mirror image",
    "_views": "mean over 18 moved and mirrored views",
}
SCORES = {
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "top_2_accuracy": "top-2 accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
}
CALIBRATION = {
    "ece_equal_width": "expected calibration error, 15 bins of equal width",
    "ece_equal_mass": "expected calibration error, 15 bins of equal mass",
    "log_loss": "log loss (nats)",
    "brier": "Brier score",
}


@dataclass(frozen=True)
class Facts:
    """What the stages wrote about one run; everything that a card is made of."""

    texts: Mapping[str, str]  # dataset, licence, terms, labels, people: `export` of conf/data
    source: Mapping[str, Any]  # source.json
    audit: Mapping[str, Any]  # audit.json
    metrics: Mapping[str, Any]  # scores.json
    per_class: pd.DataFrame  # per_class.csv
    recipe: str  # its name
    parameters: Mapping[str, Any]  # its section `train`
    model: str  # sha256 of model.keras
    size: int  # bytes of model.keras


def render(facts: Facts) -> str:
    """The card, ready to be uploaded as README.md of a model repository."""
    audit, metrics = facts.audit, facts.metrics
    split, duplicates = metrics["reported_split"], audit["duplicates"]
    calibration = metrics["calibration"]
    rules = [f"{key} {rule}" for key, rule in audit.get("ferplus", {}).items()]
    dropped = [f"{n:,} {reason.replace('_', ' ')}" for reason, n in audit["dropped"].items()]
    copies = duplicates["groups_across_train_and_evaluation"]
    leaky = copies and metrics["protocol"] == "clean" and "also_in_" not in str(audit["dropped"])
    scores = [
        (name, how, f"{s['n']:,}", interval(s), *(f"{s[key]:.3f}" for key in SCORES))
        for name in SPLITS
        for kind, how in AVERAGES.items()
        if (s := metrics.get(name + kind))
    ]
    columns = ["class", "precision", "recall", "f1", "support"]
    classes = [
        (escaped(name), *(f"{share:.3f}" for share in shares), f"{support:,}")
        for name, *shares, support in facts.per_class[columns].itertuples(index=False)
    ]
    errors = [
        (name, *(f"{calibration[when][key]:.4f}" for when in ("before", "after")))
        for key, name in CALIBRATION.items()
    ]
    names = facts.per_class["class"]
    return TEMPLATE.read_text(encoding="utf-8").format(
        **vars(facts) | {"parameters": _yaml(facts.parameters), "size": facts.size / 1e6},
        front_matter=_front_matter(facts),
        count=len(names),
        classes=", ".join(map(escaped, names)),
        split=split,
        splits=SPLITS,
        reported=SPLITS[split],
        scored=metrics[split],
        accuracy=interval(metrics[split]),
        absent=absent({s: [*map(escaped, of)] for s, of in metrics["classes_absent"].items()}),
        licence=facts.source["licence"].rstrip("."),
        used=", ".join(f"{name} {count:,}" for name, count in audit["used"].items()),
        label_set=", ".join([audit["labels"], *rules]),
        start=_start(facts.parameters["initial"]) + _teacher(facts.parameters["teacher"]),
        protocol=PROTOCOLS["leaky" if leaky else metrics["protocol"]],
        dropped=", ".join(dropped) or "nothing",
        duplicates=duplicates,
        scores=markdown([["split", "", "n", "accuracy", *SCORES.values()], *scores]),
        leak_free=_leak_free(metrics, audit),
        temperature=calibration["temperature"],
        fitted="these same pictures" if split == "val" else "the validation pictures",
        calibration=markdown([["", "before", "after"], *errors]),
        classwise=markdown([["class", "precision", "recall", "F1", "support"], *classes]),
        side=metrics["model"]["side"],
        macs=metrics["model"]["macs"] / 1e6,
        versions=", ".join(f"{name} {version}" for name, version in metrics["versions"].items()),
    )


def _front_matter(facts: Facts) -> str:
    """What the hub reads: github.com/huggingface/hub-docs, modelcard.md."""
    split = facts.metrics["reported_split"]
    dataset, licence = facts.texts["dataset"], facts.texts["licence"]
    slug, scored = "-".join(dataset.lower().split()), facts.metrics[split]
    terms = {"license_name": "terms-in-the-card", "license_link": "README.md"}
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"type": slug, "name": dataset, "split": split},
        "metrics": [
            {"type": "accuracy", "name": "accuracy", "value": scored["accuracy"]},
            {"type": "f1", "name": "macro f1", "value": scored["macro_f1"]},
        ],
    }
    metadata = {
        "license": licence,
        **(terms if licence == "other" else {}),
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["facial-expression", slug],
        "metrics": ["accuracy", "f1"],
        "model-index": [{"name": f"{facts.recipe}-{slug}", "results": [result]}],
    }
    return f"---\n{_yaml(metadata)}---"


def _start(initial: Mapping[str, Any]) -> str:
    if not initial["weights"]:
        return "**Start.** From random weights."
    named = f"`{initial['weights']}`, sha256 `{initial['sha256']}`"
    return f"**Start.** From {named}. {' '.join(initial['origin'].split())}".rstrip()


def _teacher(teacher: Mapping[str, Any]) -> str:
    if not teacher["weights"]:
        return ""
    named = f"`{teacher['weights']}`, sha256 `{teacher['sha256']}`"
    return f" {teacher['share']:.0%} of each target are the probabilities that {named} gave."


def _leak_free(metrics: Mapping[str, Any], audit: Mapping[str, Any]) -> str:
    parts = {name: metrics[key] for name in SPLITS if (key := f"{name}_leak_free") in metrics}
    found = [f"{name} {interval(s)}, n = {s['n']:,}" for name, s in parts.items()]
    kind = "duplicate or near-duplicate" if audit["near_duplicates"] else "exact duplicate"
    of = f"**Without leaks.** Accuracy on the pictures that have no known {kind} in any split: "
    return f"{of}{'; '.join(found)}.\n" if found else ""


def interval(scores: Mapping[str, float]) -> str:
    """Accuracy with its 95 % interval, in words."""
    low, high = 100 * scores["accuracy_low"], 100 * scores["accuracy_high"]
    return f"{100 * scores['accuracy']:.1f} % ({low:.1f} to {high:.1f})"


def escaped(name: str) -> str:
    """A name that a folder gave, for Markdown: no character of it is markup."""
    return re.sub(r"([\\`*_\[\]<>|&#~$])", r"\\\1", " ".join(name.split()))


def absent(classes: Mapping[str, Sequence[str]]) -> str:
    """Which classes a split has no picture of, and what that does to its scores; "" if none."""
    lacking = [f"no picture of {', '.join(of)} in {name}" for name, of in classes.items() if of]
    effect = "macro F1 counts such a class as 0, balanced accuracy leaves it out"
    return f" There is {' and '.join(lacking)}: {effect}." if lacking else ""


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
