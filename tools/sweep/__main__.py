"""Search for good values of a recipe.  Each finished trial is a DVC experiment.

    python -m tools.sweep conf/sweep/sample.yaml
    python -m tools.sweep conf/sweep/mine.yaml --storage postgresql://user@host/sweeps

Reads each FILE (section sweep: the recipe, which of its values to search and where), one after the
other, and the current commit, whose data stages must be up to date.  Optuna draws the values of
each trial; stages train and evaluate run in a clone of the commit, and a trial that falls behind is
given up.  Writes the database of the study and, for each finished trial, an experiment FILE-NUMBER
for `dvc exp show` and `dvc exp apply`.

Start it more than once, on this machine or with --storage on several, to run as many trials at a
time.  After Ctrl-C or a kill the same command goes on, the broken trial from its last epoch.
"""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from facial_expression.core.command import parser
from facial_expression.core.errors import PipelineError, reason, run
from tools.sweep.space import Sweep, read
from tools.sweep.trial import epochs, git, keep, link_networks, overrides, workspace

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial


def open_study(name: str, sweep: Sweep, storage: str, commit: str) -> Study:
    """The study, begun or gone on with.

    Raises:
        PipelineError: the database cannot be opened, the study was begun with another commit or
            search space, or experiments of an older study have its names.
    """
    import optuna
    from optuna.exceptions import ExperimentalWarning
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)  # so heartbeats are called since 2021
    waiting = {"connect_args": {"timeout": 100}} if storage.startswith("sqlite") else {}
    try:
        study = optuna.create_study(
            storage=optuna.storages.RDBStorage(
                storage,
                engine_kwargs=waiting,
                heartbeat_interval=sweep.heartbeat,
                grace_period=2 * sweep.heartbeat,
                heartbeat_stale_trial_callback=_retry(),
            ),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(
                sweep.pruning.after_trials, sweep.pruning.after_epochs
            ),
        )
    except (ImportError, ValueError, SQLAlchemyError) as error:
        raise PipelineError(f"--storage: cannot open the database: {reason(error)}") from None
    if not study.user_attrs:
        clashing = [found for found in _experiments() if found.rpartition("-")[0] == name]
        if clashing:
            raise PipelineError(
                f"expected no experiment named {name}-NUMBER for the new study, found "
                f"{', '.join(sorted(clashing)[:3])}; rename the file of the sweep, or remove them "
                "with dvc exp remove"
            )
    begun = {"commit": commit, "space": repr((sweep.recipe, sweep.space))}
    found = study.user_attrs.get("begun", begun)
    if found != begun:
        what = "commit" if found["commit"] != commit else "recipe or space"
        raise PipelineError(
            f"expected the {what} with which study {name} was begun (commit "
            f"{found['commit'][:7]}), found another; go back to it, or rename the file of the "
            "sweep to begin another study"
        )
    study.set_user_attr("begun", begun)
    return study


def _retry() -> Any:
    """Optuna's answer to a trial whose process died: queue it again."""
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    return RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True)


def _experiments() -> list[str]:
    from dvc.repo import Repo

    with Repo() as repo:
        return [name for found in repo.experiments.ls().values() for name, _ in found]


def check_repository() -> str:
    """The current commit.

    Raises:
        PipelineError: a tracked file differs from it, or its data stages are not up to date.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    if changed := git("status", "--porcelain", "--untracked-files=no"):
        raise PipelineError(
            "expected a commit from which trials can start, found changes in "
            f"{', '.join(line[2:].strip() for line in changed.splitlines()[:3])}; commit them"
        )
    try:
        with Repo() as repo:
            stale = [*repo.status(["preprocess", "index"], with_deps=True)]
    except DvcException as error:
        raise PipelineError(f"dvc status: {reason(error)}") from None
    if stale:
        raise PipelineError(
            f"expected finished data stages, found {', '.join(stale)} out of date; run dvc repro "
            "(or dvc pull), and commit dvc.lock"
        )
    return git("rev-parse", "HEAD")


def search(study: Study, sweep: Sweep, commit: str) -> None:
    """Run trials until the study has as many as the sweep wants."""
    import optuna

    def objective(trial: Trial) -> float:
        row = study.trials[trial.number]
        name = experiment(study, row)
        drawn = {key: parameter.draw(trial, key) for key, parameter in sweep.space.items()}
        print(f"{name}: {_told(drawn)}", flush=True)
        try:
            with workspace(name, commit) as clone:
                link_networks(clone, Path(f"conf/recipe/{sweep.recipe}.yaml"))
                with closing(epochs(clone, name, overrides(sweep, drawn))) as running:
                    for epoch, accuracy in running:
                        trial.report(accuracy, epoch)
                        if trial.should_prune():
                            raise optuna.TrialPruned
                return keep(clone, name)
        except KeyboardInterrupt:
            _retry()(study, study.trials[trial.number])
            raise
        except PipelineError as error:
            print(error, file=sys.stderr, flush=True)
            raise

    def after(study: Study, row: FrozenTrial) -> None:
        done = finished(study)
        if row.state.name != "FAIL":  # which is told already
            score = max(row.intermediate_values.values()) if row.value is None else row.value
            print(f"{experiment(study, row)}: {row.state.name.lower()}, val_acc {score:.4f}; "
                  f"{min(done, sweep.trials)} of {sweep.trials}", flush=True)  # fmt: skip
        hopeless = not any(each.intermediate_values for each in study.trials)
        if not due(study, sweep) or hopeless:  # no trial has come to the end of an epoch
            study.stop()

    if due(study, sweep):
        study.optimize(objective, catch=PipelineError, callbacks=[after])


def finished(study: Study) -> int:
    """How many trials have ended, in whatever way."""
    return sum(row.state.is_finished() for row in study.trials)


def due(study: Study, sweep: Sweep) -> bool:
    """Whether a trial is missing, or one that was interrupted waits to be continued."""
    waits = any(row.state.name == "WAITING" for row in study.trials)
    return waits or finished(study) < sweep.trials


def experiment(study: Study, row: FrozenTrial) -> str:
    """The name of a trial; a trial that is run again keeps it."""
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    first = RetryHeartbeatStaleTrialCallback.retried_trial_number(row)
    return f"{study.study_name}-{row.number if first is None else first}"


def _told(values: dict[str, Any]) -> str:
    texts = {key: f"{value:.4g}" if isinstance(value, float) else value
             for key, value in values.items()}  # fmt: skip
    return ", ".join(f"{key.removeprefix('train.')} {text}" for key, text in texts.items())


def main(argv: Sequence[str] | None = None) -> None:
    """Open the study, run trials, name the best."""
    arguments = parser("tools.sweep", __doc__)
    add = arguments.add_argument
    add("files", type=Path, nargs="+", metavar="FILE",
        help="such as conf/sweep/sample.yaml; its name is the study's")  # fmt: skip
    add("--storage", metavar="URL", default="sqlite:///sweeps.db",
        help="database as SQLAlchemy names it (default %(default)s)")  # fmt: skip
    args = arguments.parse_args(argv)
    sweeps = {file: read(file) for file in args.files}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what schedulers send first
    for file, sweep in sweeps.items():
        _run(file, sweep, args.storage)


def _run(file: Path, sweep: Sweep, storage: str) -> None:
    tmp = Path(".dvc/tmp")
    tmp.mkdir(exist_ok=True)
    with FileLock(tmp / "sweeps.lock"):  # two that start together
        commit = check_repository()
        study = open_study(file.stem, sweep, storage, commit)
    search(study, sweep, commit)
    complete = [row for row in study.trials if row.state.name == "COMPLETE"]
    if not complete:
        raise PipelineError(f"{file}: no trial finished; the lines above say why")
    best = study.best_trial
    name = experiment(study, best)
    print(f"best of {len(complete)} finished trials: {name}, val_acc {best.value:.4f}: "
          f"{_told(best.params)}\nkeep it: dvc exp apply {name} && dvc repro")  # fmt: skip


if __name__ == "__main__":
    run(main)
