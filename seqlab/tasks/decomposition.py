"""What does classical statistics forecast? A seasonal decomposition, and an autoregression for the rest.

STL (Cleveland et al., 1990) decomposes the history by local regression (loess) into a weekly season and a
remainder. An autoregression over a day of lags forecasts the remainder, and the last week's season is added
again. Everything is fitted anew at every origin, on the history before it.

The method was chosen on validation windows. Exponential smoothing of the remainder, Holt-Winters, a daily
season, a daily and a weekly one, and seasons that change faster were no better on traffic and household.
"""

import numpy as np
from jaxtyping import Float

HISTORY = 26 * 168  # hours, half a year: a longer one gained a little for proportionally more time
SEASON = 168  # hours
LAGS = 24  # hours: 48 did no better
# Cleveland et al. smooth the values of one hour of the week by a loess window this long where the season is
# to repeat itself; half a year has 26 of them. For speed they advise to evaluate loess at every tenth of a
# window and to interpolate linearly between, which did not change the errors.
PERIODIC = 201
JUMPS = {"seasonal_jump": 10, "trend_jump": 32, "low_pass_jump": 17}


def forecast(history: Float[np.ndarray, "T"], horizon: int) -> Float[np.ndarray, "H"]:
    """The next `horizon` hours of one series, whose history has three weeks or more."""
    from statsmodels.tsa.ar_model import AutoReg  # takes a second to import, and few runs need it
    from statsmodels.tsa.forecasting.stl import STLForecast

    if np.ptp(history) == 0:  # nothing to regress on
        return np.full(horizon, history[-1])
    model = STLForecast(
        history, AutoReg, model_kwargs={"lags": LAGS}, period=SEASON, seasonal=PERIODIC, **JUMPS
    )
    found: np.ndarray = model.fit().forecast(horizon)
    return found


def predict(window: Float[np.ndarray, "B T C"], horizon: int) -> Float[np.ndarray, "B H C"]:
    """Forecast each channel of each window separately."""
    forecasts = [[forecast(channel, horizon) for channel in one.T] for one in window.astype(np.float64)]
    return np.moveaxis(np.array(forecasts), 2, 1).astype(np.float32)
