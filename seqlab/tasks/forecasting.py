"""Forecasting real hourly series: interstate traffic, one household's power, a transformer's oil.

    |<------ lookback: 336 h ------>|<- horizon: 96 h ->|
                                    ^ origin: the first hour to forecast

**Splits** are by time, 70/10/20. A window belongs to the split that holds all of its targets. Its lookback
may reach into the split before, as a forecaster's would, so the windows scored do not depend on its length.
Values are z-scores by the training split. ETTh1, which is downloaded (`seqlab.tasks.downloads`), is split as
Zhou et al. (2021) do: 12, 4 and 4 months of thirty days.

**Missing hours** (traffic 4.2 %, household 1.2 %) are filled first: traffic by linear interpolation,
household by repeating the last measured hour. To be comparable with the figures published with the data,
`evaluate` scores filled hours as if they were measured; `measured_only=True` leaves them out. Interpolation
leaks a little of the hour after a gap into a lookback that ends in the gap. This concerns 15 of 4,725 test
windows, and is the same for all models.

**Baselines.** With these conventions, all windows (stride 1), and one set of weights for all channels, every
published figure is reproduced (test MSE/MAE; in brackets without filled hours):

    traffic     repeat-last     2.049/1.159  (2.047/1.159)   published 2.05/1.16
                seasonal 168 h  0.094/0.152  (0.094/0.151)             0.094/0.152
                linear          0.063/0.142  (0.062/0.142)             0.063/0.142
    household   repeat-last     1.335/0.713  (1.366/0.728)             1.34/0.71
                seasonal 24 h   1.091/0.604  (1.109/0.612)             1.09/0.60
                linear          0.613/0.514  (0.621/0.516)             0.613/0.514

*Linear* is least squares on the lookback less its last value (NLinear of Zeng et al., 2023); the other
two are `seqlab.models.naive`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from math import gcd
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64
from numpy.lib.stride_tricks import sliding_window_view

from seqlab.errors import UsageError, unknown
from seqlab.tasks import downloads, files

LOOKBACK = 336  # hours: two weeks, the lookback of Nie et al. (2023) and Zeng et al. (2023)
HORIZON = 96  # hours: the shortest of theirs; the others are 192, 336 and 720
DAY, WEEK = 24, 168  # hours
MONTH = 30 * 24  # hours, as the split of ETTh1 counts them
SplitName = Literal["train", "valid", "test"]
Predictor = Callable[[Float32[np.ndarray, "B L C"]], Float32[np.ndarray, "B H C"]]


class Errors(NamedTuple):
    """Mean squared and mean absolute error, of z-scores."""

    mse: float
    mae: float


class Windows(NamedTuple):
    """Views of a series: `measured` is False where a target had to be filled in."""

    lookback: Float32[np.ndarray, "N L C"]
    target: Float32[np.ndarray, "N H C"]
    measured: Bool[np.ndarray, "N H C"]


@dataclass(frozen=True)
class Series:
    """The task: filled z-scores, which of them were measured, and where valid and test start."""

    name: str
    columns: tuple[str, ...]
    season: int  # hours
    values: Float32[np.ndarray, "T C"]
    measured: Bool[np.ndarray, "T C"]
    valid_from: int
    test_from: int
    lookback: int = LOOKBACK  # hours
    horizon: int = HORIZON  # hours

    def origins(self, split: SplitName) -> range:
        """The first target hours of the split's windows."""
        first, end = {
            "train": (self.lookback, self.valid_from),
            "valid": (self.valid_from, self.test_from),
            "test": (self.test_from, len(self.values)),
        }[split]
        origins = range(max(first, self.lookback), end - self.horizon + 1)
        if not origins:
            raise UsageError(
                f"{self.name} has no {split} window of lookback {self.lookback} and horizon "
                f"{self.horizon}: that part ends at hour {end}. Use shorter ones."
            )
        return origins

    def stride(self, split: SplitName, forecasts: int) -> int:
        """The stride that leaves about so many forecasts of single series; 0 leaves all.

        It shares no factor with the hours of a week. A stride that shares one with 24 would skip some hours
        of the day, and repeat-last would then score far from its true mean; so would one of 7 days.
        """
        if not forecasts:
            return 1
        least = len(self.origins(split)) * len(self.columns) // forecasts
        return next(stride for stride in count(max(1, least)) if gcd(stride, WEEK) == 1)

    @property
    def example_origin(self) -> int:
        """The origin of a forecast to draw: the first midnight in the second half of the test split."""
        origins = self.origins("test")
        return next(hour for hour in origins[len(origins) // 2 :] if hour % DAY == 0)

    def windows(self, split: SplitName, *, stride: int = 1) -> Windows:
        """Every `stride`-th window (see `stride`), as views."""
        origins, lookback = self.origins(split), self.lookback
        rows = slice(origins.start - lookback, origins.stop - lookback, stride)
        values, measured = (
            np.moveaxis(sliding_window_view(array, lookback + self.horizon, axis=0)[rows], 1, 2)
            for array in (self.values, self.measured)
        )
        return Windows(values[:, :lookback], values[:, lookback:], measured[:, lookback:])

    def batches(
        self, rng: np.random.Generator, *, batch: int
    ) -> Iterator[tuple[Float32[np.ndarray, "B L C"], Float32[np.ndarray, "B H C"]]]:
        """Training batches without end: lookbacks and targets of windows drawn at random."""
        train = self.windows("train")
        while True:
            drawn = rng.integers(len(train.target), size=batch)
            yield np.ascontiguousarray(train.lookback[drawn]), np.ascontiguousarray(train.target[drawn])


def load(name: str, *, lookback: int = LOOKBACK, horizon: int = HORIZON) -> Series:
    """Read, fill, scale and split "traffic" (C=1), "household" or "ETTh1" (C=7).

    ETTh1 is downloaded where it is missing. Raises `UsageError` for another name, `DataError` where a file is
    missing or altered, or cannot be downloaded.
    """
    if name not in _READERS:
        raise UsageError(unknown("series", name, _READERS))
    return replace(_READERS[name](), lookback=lookback, horizon=horizon)


def _traffic() -> Series:
    stored = files.arrays("metro_traffic_hourly.npz")["y"].astype(np.float64)
    hours = np.where(stored < 0, np.nan, stored)[:, None]
    return prepare("traffic", ("Traffic_volume",), season=WEEK, hours=hours, fill=interpolate)


def _household() -> Series:
    kept = files.arrays("household_power_hourly.npz")
    columns = tuple(str(column) for column in kept["cols"])
    return prepare("household", columns, season=24, hours=kept["x"].astype(np.float64), fill=carry_forward)


def _etth1() -> Series:
    """Loads and oil temperature of an electricity transformer; hours after the 20 months are left out."""
    table = downloads.fetch("ETTh1")["ETTh1.csv"]
    _, *columns = table.read_text(encoding="utf-8").partition("\n")[0].strip().split(",")
    hours = np.loadtxt(table, delimiter=",", skiprows=1, usecols=range(1, len(columns) + 1))
    return prepare(
        "ETTh1", tuple(columns), season=24, hours=hours[: 20 * MONTH], fill=carry_forward,
        borders=(12 * MONTH, 16 * MONTH),
    )  # fmt: skip


_READERS: Mapping[str, Callable[[], Series]] = {
    "traffic": _traffic,
    "household": _household,
    "ETTh1": _etth1,
}


def prepare(
    name: str,
    columns: tuple[str, ...],
    *,
    season: int,
    hours: Float64[np.ndarray, "T C"],
    fill: Callable[[Float64[np.ndarray, "T"]], Float64[np.ndarray, "T"]],
    borders: tuple[int, int] | None = None,
) -> Series:
    """Fill each column's NaN, split at the borders (70/10/20) and scale by the training part alone."""
    valid_from, test_from = borders or (int(0.7 * len(hours)), int(0.8 * len(hours)))
    filled = np.stack([fill(column) for column in hours.T], axis=1)
    mean, deviation = filled[:valid_from].mean(axis=0), filled[:valid_from].std(axis=0)
    values = ((filled - mean) / deviation).astype(np.float32)
    return Series(name, columns, season, values, ~np.isnan(hours), valid_from, test_from)


def interpolate(column: Float64[np.ndarray, "T"]) -> Float64[np.ndarray, "T"]:
    """A straight line over each gap; beyond the first and last measured hour, their values."""
    known = np.flatnonzero(~np.isnan(column))
    filled: np.ndarray = np.interp(np.arange(len(column)), known, column[known])
    return filled


def carry_forward(column: Float64[np.ndarray, "T"]) -> Float64[np.ndarray, "T"]:
    """The last measured hour over each gap; before the first measured hour, its value."""
    known = np.flatnonzero(~np.isnan(column))
    latest = np.searchsorted(known, np.arange(len(column)), side="right") - 1
    filled: np.ndarray = column[known[np.maximum(latest, 0)]]
    return filled


def evaluate(
    predict: Predictor,
    series: Series,
    split: SplitName,
    *,
    stride: int = 1,
    measured_only: bool = False,
    batch: int = 256,
) -> Errors:
    """Errors over all targets of the split's windows: every model and baseline is scored by this function."""
    windows = series.windows(split, stride=stride)
    squared = absolute = counted = 0.0
    for first in range(0, len(windows.target), batch):
        rows = slice(first, first + batch)
        target = windows.target[rows]
        forecast = np.asarray(predict(windows.lookback[rows]))
        if forecast.shape != target.shape:  # broadcasting would hide it
            raise ValueError(f"expected forecasts of shape {target.shape}, found {forecast.shape}.")
        error = forecast.astype(np.float64) - target
        if measured_only:
            error = error[windows.measured[rows]]
        squared, absolute = squared + float((error**2).sum()), absolute + float(np.abs(error).sum())
        counted += error.size
    return Errors(squared / counted, absolute / counted)


def linear(series: Series) -> Predictor:
    """Least squares on all training windows, one set of weights for all channels.

        forecast = last + (lookback - last) W + b

    solved by the normal equations, in double precision.
    """
    lookback, width = series.lookback, series.lookback + series.horizon
    last = lookback - 1
    # A window with a 1 behind it, times `change`: inputs (less the last, then 1), targets less the last.
    change = np.eye(width + 1)
    change[last, :lookback] = change[last, lookback:width] = -1
    change[:, last] = 0
    change[width, last] = 1
    train = series.values[: series.valid_from].astype(np.float64)
    moments = change.T @ sum(_window_moments(channel, width) for channel in train.T) @ change
    weights = np.linalg.solve(moments[:lookback, :lookback], moments[:lookback, lookback:width])

    def predict(window: Float32[np.ndarray, "B L C"]) -> Float32[np.ndarray, "B H C"]:
        by_channel = np.moveaxis(window, 2, 1)
        inputs = by_channel - by_channel[..., -1:]
        inputs[..., -1] = 1  # the last value less itself is always 0; its place carries the intercept
        forecast: np.ndarray = by_channel[..., -1:] + inputs @ weights
        return np.moveaxis(forecast, 1, 2).astype(np.float32)

    return predict


def _window_moments(channel: Float64[np.ndarray, "T"], width: int) -> Float64[np.ndarray, "M M"]:
    """Sum over all windows w of (w, 1)(w, 1)^T, in O(T width), since the next window is this one shifted.

    A product of all windows would take 50 GFLOP for the household series.
    """
    count = len(channel) - width + 1
    moments = np.empty((width + 1, width + 1))
    moments[0, :width] = np.correlate(channel, channel[:count], "valid")
    leaving, entering = channel[: width - 1], channel[count : count + width - 1]
    for i in range(1, width):
        shifted = moments[i - 1, i - 1 : width - 1] - leaving[i - 1] * leaving[i - 1 :]
        moments[i, i:width] = shifted + entering[i - 1] * entering[i - 1 :]
    moments[:width, width] = np.convolve(channel, np.ones(count), "valid")
    moments[width, width] = count
    return np.triu(moments) + np.triu(moments, 1).T
