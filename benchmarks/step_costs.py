"""Where the time of a training step goes: parts of it alone, and the step without them.

    python -m benchmarks.step_costs --recipe fast

The step of a recipe is timed whole, then without its optimizer (a plain gradient step), without
the statistics of normalisation, forward only, and with a network of one linear layer, which leaves
what Keras and Python take.  The augmentation is timed alone and overlapped with the step, as
training has it; recipes with a teacher, who is asked meanwhile, are refused.  Rounds go through all
parts one after another, so that a busy machine hits all alike.  Random pictures: what they show
does not change what is computed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.comparison import markdown, ranging
from benchmarks.measuring import describe_machine
from benchmarks.time_to_accuracy import find_recipe
from facial_expression.core.arrays import Split
from facial_expression.core.errors import ParameterError, run
from facial_expression.core.params import load
from facial_expression.network.backend import configure, versions
from facial_expression.network.recipe import Optimizer, Recipe
from facial_expression.train.augmentation import augment, mirrored, mixup
from facial_expression.train.batches import Batch, batch_order, epoch_batches

if TYPE_CHECKING:
    import keras

CLASSES, SIDE = 7, 48
WARM_UP = 3  # steps before the clock starts; the first one builds the graph
WHOLE = "the whole step, its batch at hand"
PLAIN = Optimizer("sgd", learning_rate=1e-6, momentum=0, weight_decay=0, bias_rate=1, adam_rate=1)
Step = Callable[[], object]


def random_split(count: int) -> Split:
    """Random pictures, uint8 (count, SIDE, SIDE), and labels."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, SIDE, SIDE), np.uint8)
    return Split(
        images,
        random.integers(0, CLASSES, count),
        [str(row) for row in range(count)],
        np.ones(count, bool),
    )


def batches(recipe: Recipe, split: Split) -> Iterator[Batch]:
    """The recipe's batches of one epoch after another, without end."""
    epoch = 0
    while True:
        epoch += 1
        order = batch_order(recipe, split.labels, epoch)
        yield from epoch_batches(recipe, split, CLASSES, epoch, order)


def with_fixed_normalisation(network: keras.Model) -> keras.Model:
    """The network, whose batch normalisation takes no statistics and learns nothing."""
    for layer in network.layers:
        if hasattr(layer, "moving_mean"):
            layer.trainable = False
    return network


def one_layer() -> keras.Model:
    """A network that computes next to nothing: the mean of a picture, and a linear layer."""
    import keras  # noqa: PLC0415
    from keras import layers  # noqa: PLC0415

    pictures = keras.Input((SIDE, SIDE, 1), dtype="uint8")
    mean = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(pictures))
    return keras.Model(pictures, layers.Dense(CLASSES, name="logits")(mean))


def parts(recipe: Recipe, split: Split) -> dict[str, Step]:
    """What is timed, by its name: each call takes one batch."""
    from facial_expression.train.fit import compiled  # noqa: PLC0415
    from facial_expression.train.models import build  # noqa: PLC0415

    def network() -> keras.Model:
        return build(recipe.model, SIDE, CLASSES, recipe.precision)

    overlapped = batches(recipe, split)
    batch = next(overlapped)
    chosen = batch_order(recipe, split.labels, 1)[0]
    flips = mirrored(recipe.augmentation, recipe.seed, 1, len(split))[chosen]
    random = np.random.default_rng(0)
    whole = compiled(network(), recipe.optimizer)

    def step(model: keras.Model, taken: Batch) -> object:
        return model.train_on_batch(taken.images, taken.targets, sample_weight=taken.weights)

    plain = compiled(network(), PLAIN)
    bare = compiled(with_fixed_normalisation(network()), PLAIN)
    tiny = compiled(one_layer(), PLAIN)
    return {
        WHOLE: lambda: step(whole, batch),
        "the same, with a batch augmented meanwhile (as training does)": lambda: step(
            whole, next(overlapped)
        ),
        f"without {recipe.optimizer.name} (a plain gradient step)": lambda: step(plain, batch),
        "without that and the statistics of normalisation": lambda: step(bare, batch),
        "forward only": lambda: whole.predict_on_batch(batch.images),
        "a network of one linear layer: Keras and Python": lambda: step(tiny, batch),
        "a batch augmented, nothing else": lambda: mixup(
            augment(split.images[chosen], flips, random, recipe.augmentation),
            batch.targets,
            random,
            recipe.augmentation.mixup,
        ),
    }


def milliseconds(steps: dict[str, Step], rounds: int, each: int) -> dict[str, list[float]]:
    """Milliseconds a call of each part, the median of `each` calls, round by round."""
    for step in steps.values():
        for _ in range(WARM_UP):
            step()
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            times = []
            for _ in range(each):
                started = time.perf_counter()
                step()
                times.append(1000 * (time.perf_counter() - started))
            found[name].append(median(times))
    return found


def table(found: dict[str, list[float]]) -> str:
    """Median and range of each part, and its share of the whole step."""
    whole = median(found[WHOLE])
    rows = [
        (name, ranging(values, 1), f"{median(values) / whole:.2f}")
        for name, values in found.items()
    ]
    return markdown([("part", "ms", "of the whole step"), *rows])


def main(argv: Sequence[str] | None = None) -> None:
    """Time the parts of a recipe's step and print one table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step_costs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--recipe", default="fast", help="name of a file in conf/recipe")
    parser.add_argument("--threads", type=int, help="instead of the recipe's")
    parser.add_argument("--rounds", type=int, default=5, help="through all parts")
    parser.add_argument("--steps", type=int, default=20, help="of each part in a round")
    args = parser.parse_args(argv)
    recipe = load(find_recipe(args.recipe), "train", Recipe)
    recipe = replace(recipe, threads=args.threads or recipe.threads)
    if recipe.teacher.weights:
        raise ParameterError(f"--recipe {args.recipe}: expected one without a teacher")
    configure(recipe.backend, recipe.threads)
    steps = parts(recipe, random_split(32 * recipe.batch_size))
    print(describe_machine(sorted(versions(recipe.backend))))
    print(
        f"{args.recipe}, batches of {recipe.batch_size}, {recipe.precision}, {recipe.threads} "
        f"threads; median and range of {args.rounds} rounds of {args.steps} steps\n"
    )
    print(table(milliseconds(steps, args.rounds, args.steps)))


if __name__ == "__main__":
    run(main)
