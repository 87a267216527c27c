"""Logistic regression with a ridge penalty, by Newton's method; small, exact, and the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
_STEPS, _SMALLEST, _CLOSE = 50, 1e-4, 1e-9


@dataclass(frozen=True, slots=True)
class Logistic:
    """A fitted model.

    Attributes:
        weights: Log-odds per column, shape (columns,).
        intercept: Log-odds where every column is 0.
    """

    weights: Array
    intercept: float

    def logit(self, columns: Array) -> Array:
        """Log-odds of yes, shape (n,)."""
        return np.asarray(columns @ self.weights + self.intercept)

    def probability(self, columns: Array) -> Array:
        """Probability of yes, shape (n,)."""
        return sigmoid(self.logit(columns))


def fit(columns: Array, wanted: Flags, penalty: Array) -> Logistic:
    """Minimise the log loss plus half the penalties times the squared weights; the intercept is free.

    Args:
        columns: Shape (n, d).
        wanted: Shape (n,): yes or no.
        penalty: Of each column, above 0, shape (d,).
    """
    n = len(columns)
    design = np.column_stack([columns, np.ones(n)])
    ridge = np.append(penalty, 1e-9)
    y = wanted.astype(float)
    beta = np.zeros(design.shape[1])
    beta[-1] = np.log((y.sum() + 0.5) / (n - y.sum() + 0.5))
    loss = _loss(design, y, beta, ridge)
    for _ in range(_STEPS):
        p = sigmoid(design @ beta)
        gradient = design.T @ (p - y) + ridge * beta
        curvature = (design * (p * (1 - p))[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > _SMALLEST and _loss(design, y, beta - size * step, ridge) > loss:
            size /= 2  # a full step can overshoot where the curvature is small
        beta = beta - size * step
        before, loss = loss, _loss(design, y, beta, ridge)
        if before - loss < _CLOSE * max(1.0, abs(loss)):
            break
    return Logistic(beta[:-1], float(beta[-1]))


def sigmoid(z: Array) -> Array:
    """Log-odds to probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(z, -40, 40))))


def _loss(design: Array, y: Array, beta: Array, ridge: Array) -> float:
    z = design @ beta
    return float(np.sum(np.logaddexp(0.0, z) - y * z) + 0.5 * np.sum(ridge * beta**2))
