"""MLX on a CPU that refuses what its Metal back end refuses.

Read from the source of MLX 0.32.4; every refusal says where it stands there. A compiled function runs
uncompiled, and whatever would evaluate an array inside it is refused. What cannot be known this way: speed,
the rounding of Metal's kernels, memory, and errors of the driver.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from types import ModuleType
from typing import Any

# A Mac with an M1 and 16 GB, as `mlx.core.device_info` describes it.
ABOUT = {
    "device_name": "Apple M1, rehearsed on a CPU",
    "architecture": "applegpu_g13g",
    "memory_size": 16 << 30,
    "max_buffer_length": 9_534_832_640,
    "max_recommended_working_set_size": 11_453_251_584,
    "resource_limit": 499_000,
}
ON_CPU_ALONE = (
    "qr", "svd", "inv", "tri_inv", "cholesky", "cholesky_inv", "pinv", "eig", "eigvals", "eigh", "eigvalsh",
    "lu", "lu_factor", "solve", "solve_triangular",
)  # fmt: skip
EVALUATING = ("item", "tolist", "__float__", "__int__", "__bool__", "__complex__", "__index__", "__array__")
NO_OPERATION = ("__init__", "__new__", "__hash__", "__repr__", "__str__", "__len__", "__iter__", *EVALUATING)
SCATTERING = ("__setitem__", "put_along_axis", "scatter_add_axis")


class RefusedError(Exception):
    """What Metal would raise, with the place in MLX's source."""


class _State:
    """The kind of device that computes, and how many compiled functions the program is inside of."""

    kind = "gpu"  # Metal's build starts with its GPU
    compiled = 0


_state = _State()


def install(mx: ModuleType) -> None:
    """Patch a freshly loaded `mlx.core`."""
    arrays = mx.array
    _install_device(mx)
    for place in (mx, mx.fast, mx.fft, mx.linalg, mx.random):
        for name in dir(place):
            function = getattr(place, name)
            if type(function).__name__ == "nb_func" and "stream:" in (function.__doc__ or ""):
                setattr(place, name, _operation(mx, f"{place.__name__}.{name}", function))
    for name in dir(arrays):
        method = arrays.__dict__.get(name)
        if type(method).__name__ == "nb_method" and name not in NO_OPERATION:
            setattr(arrays, name, _operation(mx, f"array.{name}", method))
    arrays.at = property(_at(mx, arrays.at))
    for name in EVALUATING:
        if name in arrays.__dict__:
            setattr(arrays, name, _evaluation(arrays.__dict__[name]))
    for name in ("eval", "async_eval"):
        setattr(mx, name, _evaluation(getattr(mx, name)))
    mx.compile = _compile


def _install_device(mx: ModuleType) -> None:
    """A GPU that is there, and that computes on the CPU."""
    info, choose, stream = mx.device_info, mx.set_default_device, mx.stream
    mx.is_available = lambda device: True
    mx.device_info = lambda device=None: dict(ABOUT) if _kind(mx, device) == "gpu" else info(mx.cpu)
    mx.default_device = lambda: mx.Device(mx.gpu if _state.kind == "gpu" else mx.cpu)

    def set_default_device(device: Any) -> None:
        _state.kind = _kind(mx, device)
        choose(mx.cpu)

    class Stream:
        """`with mx.stream(device):` computes on another device for a while."""

        def __init__(self, device: Any) -> None:
            self._kind, self._real = _kind(mx, device), stream(mx.cpu)

        def __enter__(self) -> Any:
            self._before, _state.kind = _state.kind, self._kind
            return self._real.__enter__()

        def __exit__(self, *error: object) -> Any:
            _state.kind = self._before
            return self._real.__exit__(*error)

    mx.set_default_device, mx.stream = set_default_device, Stream


def _kind(mx: ModuleType, device: Any) -> str:
    """Where a device or a stream computes; None is where this thread does."""
    if device is None:
        return _state.kind
    device = getattr(device, "device", device)  # of a stream
    kind = getattr(device, "type", device)
    return "gpu" if kind == mx.gpu else "cpu"


def _operation(mx: ModuleType, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The operation, refused where Metal refuses it."""
    last = name.rpartition(".")[2]

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        kind = _kind(mx, named.get("stream"))
        if kind == "cpu":
            return function(*arguments, **named)
        if named.get("stream") is not None:
            named["stream"] = mx.cpu  # where it is computed after all
        given = list(_arrays(mx, (arguments, named.values())))
        if ".linalg." in name and last in ON_CPU_ALONE:
            raise RefusedError(
                f"[linalg::{last}] This op is not yet supported on the GPU (mlx/linalg.cpp:13)."
            )
        if last in SCATTERING and given:
            _check_scatter(mx, given[0])
        if last in ("matmul", "__matmul__", "addmm") and not mx.issubdtype(given[0].dtype, mx.inexact):
            raise RefusedError("[matmul] dtype must be inexact (mlx/backend/metal/matmul.cpp:1454).")
        result = function(*arguments, **named)
        for array in (*given, *_arrays(mx, (result,))):
            _check(mx, name, array)
        return result

    return called


def _at(mx: ModuleType, plain: Any) -> Callable[[Any], Any]:
    """`array.at`, whose updates are scattered like `array[...] = `."""

    class At:
        def __init__(self, array: Any) -> None:
            self._array = array

        def __getitem__(self, index: Any) -> Any:
            _check_scatter(mx, self._array)
            return plain.__get__(self._array)[index]

    return At


def _check_scatter(mx: ModuleType, array: Any) -> None:
    if _state.kind == "gpu" and array.dtype.size == 8 and array.dtype != mx.complex64:
        raise RefusedError(
            f"[Scatter::eval_gpu] Does not support {array.dtype} (mlx/backend/metal/indexing.cpp:233)."
        )


def _check(mx: ModuleType, name: str, array: Any) -> None:
    if array.dtype == mx.float64:
        raise RefusedError(f"{name}: float64 is not supported on the GPU (mlx/array.cpp:33).")
    if array.nbytes > ABOUT["max_buffer_length"]:
        raise RefusedError(
            f"[metal::malloc] Attempting to allocate {array.nbytes} bytes which is greater than the maximum "
            f"allowed buffer size of {ABOUT['max_buffer_length']} bytes (mlx/backend/metal/allocator.cpp)."
        )


def _evaluation(function: Callable[..., Any]) -> Callable[..., Any]:
    """What evaluates, refused inside a compiled function."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        if _state.compiled:
            raise RefusedError(
                "[eval] Attempting to eval an array during function transformations like compile or vmap is "
                "not allowed (mlx/transforms.cpp)."
            )
        return function(*arguments, **named)

    return called


def _compile(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    """The function as it is, with everything refused that evaluates."""

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        _state.compiled += 1
        try:
            return function(*arguments, **named)
        finally:
            _state.compiled -= 1

    return called


def _arrays(mx: ModuleType, given: Iterable[Any]) -> Iterator[Any]:
    for one in given:
        if isinstance(one, mx.array):
            yield one
        elif isinstance(one, (list, tuple)) or type(one).__name__ == "dict_values":
            yield from _arrays(mx, one)
