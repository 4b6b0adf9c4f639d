"""Pickles of strangers as data: nothing that a stream names is imported, called or made.

A class or function that it names becomes `Named`, what it would make of it `Made`, which keep the arguments and the
state to be looked at. Plain arrays are rebuilt from those by `array_of`, which checks every number of them first.
Of the pickle machine only Python's own, in Python, is used: its C twin reserves memory for whatever number it reads.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from readers.limits import check

_PLAIN = (str, bytes, int, float, bool, type(None))
_NUMBER = re.compile(r"[<>|=]?([fiu])([1248])")
_ARRAYS = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_BUFFERS = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
_BYTES = ("_codecs.encode", "builtins.bytes", "__builtin__.bytes")
_RECONSTRUCTORS = ("copyreg._reconstructor", "copy_reg._reconstructor")


class Named:
    """A class or function that the stream names, by its whole name."""

    def __init__(self, name: str) -> None:
        self.name = name


class Made:
    """What calling a Named with arguments would have made, and the state that it was given; both None before."""

    def __init__(self, name: str, args: tuple = ()) -> None:
        self.name, self.args, self.state = name, args, None


class Mapped(dict, Made):
    """An ordered dictionary: filled as any, its attributes kept apart."""

    def __init__(self, name: str) -> None:
        dict.__init__(self)
        Made.__init__(self, name)


class Refused(ValueError):
    """The stream names what files of its kind have no use for."""


class Unpickler(pickle._Unpickler):
    """Reads one pickle of a stream. allowed: whether a whole name is one that such files have; the others end it.

    is_mapping: whether a name stands for what is filled as dictionaries are; persistent: what stands for what the
    stream keeps elsewhere.
    """

    # Of the machine in Python, whose types are nowhere written down.
    stack: list[Any]
    append: Callable[[Any], None]
    readline: Callable[[], bytes]
    pop_mark: Callable[[], list[Any]]
    dispatch: ClassVar[Any] = dict(pickle._Unpickler.dispatch)

    def __init__(
        self, file: Any, allowed: Callable[[str], bool], is_mapping: Callable[[str], bool] = lambda name: False,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(file, fix_imports=False, encoding="latin1")
        self._allowed, self._is_mapping, self._persistent = allowed, is_mapping, persistent

    def find_class(self, module: str, name: str) -> Named:
        """What stands for it. Raises ValueError where no such file needs it."""
        whole = f"{module}.{name}"
        if not self._allowed(whole):
            raise Refused(f"it asks for {whole[:100]!a}, which could run code".replace("'", ""))
        return Named(whole)

    def persistent_load(self, pid: Any) -> Any:
        """What stands for what is kept elsewhere."""
        if self._persistent is None:
            raise ValueError("it refers to what lies outside it")
        return self._persistent(pid)

    def _make(self, function: Any, args: Any) -> Any:
        if not isinstance(function, Named) or not isinstance(args, tuple):
            raise ValueError("it calls what is no function's name")
        if function.name in _RECONSTRUCTORS and args and isinstance(args[0], Named):
            function, args = args[0], ()
        return Mapped(function.name) if self._is_mapping(function.name) else Made(function.name, args)

    def load_reduce(self) -> None:
        """A call."""
        args = self.stack.pop()
        self.stack[-1] = self._make(self.stack[-1], args)

    def load_newobj(self) -> None:
        """A new object."""
        args = self.stack.pop()
        self.stack[-1] = self._make(self.stack[-1], args)

    def load_newobj_ex(self) -> None:
        """A new object, with named arguments, which nothing here needs."""
        self.stack.pop()
        self.load_newobj()

    def load_inst(self) -> None:
        """An object of the oldest protocol."""
        module, name = (self.readline()[:-1].decode("ascii") for _ in range(2))
        self.append(self._make(self.find_class(module, name), tuple(self.pop_mark())))

    def load_obj(self) -> None:
        """The same, its class on the stack."""
        function, *args = self.pop_mark()
        self.append(self._make(function, tuple(args)))

    def load_build(self) -> None:
        """An object's state."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Made):
            raise ValueError("it gives a state to what has none")
        self.stack[-1].state = state

    def load_setitem(self) -> None:
        """An entry of a dictionary."""
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def load_setitems(self) -> None:
        """Entries of a dictionary."""
        self._set(self.pop_mark())

    def load_dict(self) -> None:
        """A dictionary of the oldest protocol."""
        items = self.pop_mark()
        self.append({})
        self._set(items)

    def _set(self, items: list[Any]) -> None:
        # Hashing tuples within tuples within tuples may take for ever.
        if not all(isinstance(key, _PLAIN) for key in items[::2]):
            raise ValueError("a dictionary whose keys are no plain values")
        if isinstance(self.stack[-1], dict):
            self.stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif not isinstance(self.stack[-1], Made):
            raise ValueError("it fills what is no dictionary")

    def load_additems(self) -> None:
        """Members of a set, which nothing here needs."""
        self.pop_mark()

    def load_frozenset(self) -> None:
        """The same of a set that does not change."""
        self.pop_mark()
        self.append(frozenset())

    def load_append(self) -> None:
        """An item of a list."""
        value = self.stack.pop()
        self._extend([value])

    def load_appends(self) -> None:
        """Items of a list."""
        self._extend(self.pop_mark())

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is list:
            self.stack[-1].extend(items)
        elif not isinstance(self.stack[-1], Made):
            raise ValueError("it extends what is no list")


for _code, _name in {
    pickle.REDUCE: "reduce", pickle.NEWOBJ: "newobj", pickle.NEWOBJ_EX: "newobj_ex", pickle.INST: "inst",
    pickle.OBJ: "obj", pickle.BUILD: "build", pickle.SETITEM: "setitem", pickle.SETITEMS: "setitems",
    pickle.DICT: "dict", pickle.ADDITEMS: "additems", pickle.FROZENSET: "frozenset", pickle.APPEND: "append",
    pickle.APPENDS: "appends",
}.items():  # fmt: skip
    Unpickler.dispatch[_code[0]] = getattr(Unpickler, f"load_{_name}")


def array_of(made: Any, where: str) -> np.ndarray:
    """The plain array of numbers that a Made stands for, its own copy.

    Raises ValueError, naming `where`, for another kind of value, and where type, shape and bytes do not go together.
    """
    if not isinstance(made, Made):
        raise ValueError(f"{where}: expected an array of numbers, got {type(made).__name__}")
    if made.name in _ARRAYS and isinstance(made.state, tuple) and len(made.state) == 5:
        _, shape, dtype, by_columns, data = made.state
    elif made.name in _BUFFERS and len(made.args) == 4:
        data, dtype, shape, order = made.args
        by_columns = order == "F"
    else:
        raise ValueError(f"{where}: expected an array of numbers, got {made.name}")
    kind, raw = _dtype(dtype, where), _bytes(data, where)
    sizes = shape if isinstance(shape, tuple) else (shape,)
    whole = all(type(side) is int and 0 <= side < 2**40 for side in sizes) and len(sizes) <= 8
    if not whole or math.prod(sizes) * kind.itemsize != len(raw):
        raise ValueError(f"{where}: expected an array of {kind} that fills its {len(raw)} bytes, got {sizes!s:.80}")
    return np.frombuffer(raw, kind).reshape(sizes, order="F" if by_columns else "C").copy()


def _dtype(made: Any, where: str) -> np.dtype:
    code = made.args[0] if isinstance(made, Made) and made.name == "numpy.dtype" and made.args else None
    state = made.state if isinstance(made, Made) else None
    found = _NUMBER.fullmatch(code) if isinstance(code, str) else None
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else "|"
    if found is None or order not in ("<", ">", "|", "="):
        raise ValueError(f"{where}: expected an array of numbers, got one of {str(code)[:40]!a}")
    return np.dtype(f"{order}{found[1]}{found[2]}".replace("|", "" if found[2] != "1" else "|"))


def _bytes(data: Any, where: str) -> bytes:
    """The bytes of an array, which Python 2 wrote as text, and protocols before 3 as text to be encoded."""
    if isinstance(data, Made) and data.name in _BYTES:
        data = data.args[0] if data.args else b""
    if isinstance(data, str):
        try:
            return data.encode("latin1")
        except UnicodeEncodeError:
            data = None
    if not isinstance(data, bytes | bytearray):
        raise ValueError(f"{where}: expected the bytes of an array, got {type(data).__name__}")
    return bytes(data)


def sparse_of(made: Any, where: str) -> np.ndarray:
    """The dense array of scipy's compressed matrix by rows (csr) or columns (csc) that a Made stands for.

    Raises ValueError, naming `where`, where its indices point outside it, or it is above the limit once it is dense.
    """
    from scipy import sparse

    kind = {"csc_matrix": sparse.csc_matrix, "csr_matrix": sparse.csr_matrix}.get(made.name.rpartition(".")[2])
    state = made.state
    shape = state.get("_shape") if isinstance(state, Mapping) else None
    sides = isinstance(shape, tuple) and len(shape) == 2 and all(type(n) is int and 0 < n < 2**31 for n in shape)
    if kind is None or not isinstance(state, Mapping) or not sides:
        raise ValueError(f"{where}: not a sparse matrix: expected a shape, values and indices")
    check(math.prod(shape) * 8 / 1e6, "arrays_mb", where, "MB unpacked")  # type: ignore[arg-type]
    data, indices, starts = (array_of(state.get(key), f"{where}: {key}") for key in ("data", "indices", "indptr"))
    lines = shape[1] if kind is sparse.csc_matrix else shape[0]  # type: ignore[index]
    across = shape[0] if kind is sparse.csc_matrix else shape[1]  # type: ignore[index]
    fits = starts.shape == (lines + 1,) and data.ndim == 1 and data.shape == indices.shape
    fits = fits and starts.dtype.kind in "iu" and indices.dtype.kind in "iu" and starts[0] == 0
    fits = fits and starts[-1] == len(data) and bool((np.diff(starts.astype(np.int64)) >= 0).all())
    if not fits or (len(indices) and not 0 <= indices.min() <= indices.max() < across):
        raise ValueError(f"{where}: not a sparse matrix: its indices point outside it")
    return kind((data, indices, starts), shape=shape).toarray()
