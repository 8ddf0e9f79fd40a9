"""Alternating rounds, medians, and lines of a Markdown table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Figures:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({min(self.values):.2f} to {max(self.values):.2f})"

    def scaled(self, factor: float) -> Figures:
        return Figures(tuple(value * factor for value in self.values))


@dataclass(frozen=True)
class Comparison:
    """Product against floor, round by round."""

    product: Figures
    floor: Figures

    @property
    def ratio(self) -> Figures:
        return Figures(tuple(p / f for p, f in zip(self.product.values, self.floor.values, strict=True)))

    @property
    def inverse(self) -> Figures:
        """Of speeds instead of times: more is better."""
        return Figures(tuple(f / p for p, f in zip(self.product.values, self.floor.values, strict=True)))


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def compare(product: Callable[[int], float], floor: Callable[[int], float], rounds: int = ROUNDS) -> Comparison:
    """Both take the number of the round and answer with seconds. Round 0 warms up and does not count."""
    pairs = [(product(number), floor(number)) for number in range(rounds + 1)][1:]
    return Comparison(Figures(tuple(p for p, _ in pairs)), Figures(tuple(f for _, f in pairs)))


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def table(*headings: str) -> None:
    print()
    row(*headings)
    row(*["---"] * len(headings))


def verdict(value: float, bound: float, *, at_least: bool = False) -> str:
    """Whether a bound holds, in a word."""
    holds = value >= bound if at_least else value <= bound
    return f"{'holds' if holds else '**missed**'} ({'≥' if at_least else '≤'} {bound:g})"
