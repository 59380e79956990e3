"""How long the epochs of a fit take, and how long those that are left will."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tqdm import tqdm

from facial_expression.network.recipe import Recipe
from facial_expression.train.batches import Batch


class Pace:
    """Measures epochs; what an epoch costs goes with its pixels."""

    def __init__(self, recipe: Recipe, side: int, fits: int = 1) -> None:
        """For so many fits of the recipe to pictures of this side, one after the other."""
        self.recipe, self.side, self.fits = recipe, side, fits
        self.started = 0.0
        self.work_done = 0.0

    def batches(self, batches: Iterator[Batch], title: str, steps: int) -> Iterator[Batch]:
        """One epoch's batches behind a progress bar."""
        for batch in tqdm(batches, title, steps, unit=" batches", leave=False, disable=None):
            yield batch
            # the first step also compiles, which says nothing about the steps to come
            self.started = self.started or time.perf_counter()

    def after_epoch(self, epoch: int) -> str:
        """What to print behind an epoch (from 1) of a fit: seconds an epoch and minutes left."""
        self.work_done += self._work(epoch)
        pace = (time.perf_counter() - self.started) / self.work_done
        if epoch == self.recipe.epochs:
            self.fits -= 1
            left = self.fits * self._work_after(0)
        else:
            left = self._work_after(epoch) + (self.fits - 1) * self._work_after(0)
        return f"{pace * self._work(epoch):.1f} s an epoch, {pace * left / 60:.1f} min left"

    def _work(self, epoch: int) -> float:
        return self.recipe.side(epoch, self.side) ** 2

    def _work_after(self, epoch: int) -> float:
        return sum(self._work(later) for later in range(epoch + 1, self.recipe.epochs + 1))
