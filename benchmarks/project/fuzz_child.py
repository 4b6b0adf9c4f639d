"""A process that reads mutated files of one kind, and says of each what became of it; benchmarks.fuzz starts it.

Input `i` is a function of (seed, kind, i); those below 0 are the known cases, as they are. What a reader may do is
return, or raise ValueError or FileNotFoundError in one line that names the file. An audit hook sees every file that is
opened, and everything that would run a program.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.project.fuzz_cases import known
from benchmarks.project.fuzz_kinds import KINDS, Kind

HANG_S = 5
_NUMBERS = re.compile(rb"-?\d+(?:\.\d+)?")
_ODD = (b"-1", b"0", b"1e308", b"1e999", b"nan", b"4294967296", b"9223372036854775808", b"65536", b"2147483647", b"''")
_ENDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x10000, 300_000)
_RUNS = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "os.remove",
         "os.rename", "os.symlink", "shutil.rmtree", "ctypes.dlopen"}  # fmt: skip


class Hang(BaseException):
    """An input took longer than it may."""


def mutated(examples: list[bytes], words: tuple[bytes, ...], rng: np.random.Generator) -> bytes:
    """An example after one to five changes."""
    data = bytearray(examples[rng.integers(len(examples))])
    for _ in range(rng.integers(1, 6)):
        place, size = int(rng.integers(len(data) + 1)), int(rng.integers(1, 9))
        match rng.integers(9):
            case 0:
                data[place : place + 1] = bytes([rng.integers(256)])
            case 1:
                data[place : place + size] = b""
            case 2:
                data[place:place] = rng.bytes(size)
            case 3 if words:
                data[place : place + int(rng.integers(0, 9))] = words[rng.integers(len(words))]
            case 4:
                data[place : place + 4] = int(_ENDS[rng.integers(len(_ENDS))]).to_bytes(4, "little")
            case 5:
                data[place:place] = data[place : place + 16 * size] * int(rng.integers(1, 5))
            case 6:
                found = list(_NUMBERS.finditer(bytes(data[:100_000])))
                if found:
                    one = found[rng.integers(len(found))]
                    data[one.start() : one.end()] = _ODD[rng.integers(len(_ODD))]
            case 7:
                del data[max(len(data) - 16 * size, 0) :]
            case _:
                other = examples[rng.integers(len(examples))]
                data[place:] = other[int(rng.integers(len(other) + 1)) :]
    return bytes(data)


class Watch:
    """The audit hook: what was opened outside the folder, and what would have run, while `on`."""

    def __init__(self, folder: Path) -> None:
        homes: list[str | Path] = [sys.prefix, sys.base_prefix, Path(__file__).resolve().parents[2], folder, *sys.path]
        homes += ["/usr", "/lib", "/proc", "/dev", "/sys", "/etc/localtime"]
        self.read = tuple(str(Path(home).resolve()) for home in homes if str(home))
        self.written = str(folder.resolve())
        self.on, self.seen = False, list[str]()
        sys.addaudithook(self)

    def __call__(self, event: str, args: tuple) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(args[0], str | bytes):
            path = os.path.abspath(os.fsdecode(args[0]))  # noqa: PTH100  Path's own would be seen, too
            writes = bool((args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if not path.startswith(self.written if writes else self.read) and path != "/dev/null":
                self.seen.append(f"{'wrote' if writes else 'read'} {path[:80]}")
        elif event in _RUNS:
            self.seen.append(f"{event} {str(args)[:60]}")


def judge(kind: Kind, path: Path, watch: Watch) -> str:
    """What is wrong with how an input was read; empty where nothing is."""
    watch.on, watch.seen = True, []
    try:
        signal.alarm(HANG_S)
        kind.read(path)
        found = ""
    except Hang:
        found = f"hang: over {HANG_S} s"
    except (ValueError, FileNotFoundError) as error:
        text = str(error)
        plain = "\n" not in text and (path.name in text or not kind.named)
        found = (
            "" if plain and not isinstance(error, UnicodeError) else f"unnamed: {type(error).__name__}: {text[:150]}"
        )
    except BaseException as error:
        found = f"traceback: {type(error).__name__}: {str(error)[:150]}"
    finally:
        signal.alarm(0)
        watch.on = False
    return f"touched: {watch.seen[0]}" if watch.seen else found


def _rings(*_: Any) -> None:
    raise Hang


def main() -> None:
    """Arguments: kind, seed, first, last, folder. Writes status.json before each input and result.json at the end."""
    name, seed, first, last, folder = sys.argv[1], *map(int, sys.argv[2:5]), Path(sys.argv[5]).resolve()
    os.chdir(folder)
    kind = KINDS[name]
    cases = known(name, kind.ending)
    names, watch = list(cases), Watch(folder)
    whole = kind.examples()
    examples = [*whole, *cases.values()]
    inside = folder / "inside"
    inside.mkdir(exist_ok=True)
    for number, example in enumerate(whole or examples[:1]):
        # What a first reading loads stays loaded; sys.stderr is of the readers' accounts.
        (inside / f"example{number}{kind.ending}").write_bytes(example)
        with suppress(Exception):
            kind.read(inside / f"example{number}{kind.ending}")
    signal.signal(signal.SIGALRM, _rings)
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    path, bad, slowest = inside / f"input{kind.ending}", list[tuple[int, str]](), 0.0
    for number in range(first, last):
        if number < 0:
            data = cases[names[number]]
        else:
            data = mutated(examples, kind.words, np.random.default_rng([seed, zlib.crc32(name.encode()), number]))
        path.write_bytes(data)
        (folder / "status").write_text(str(number))
        begun = time.monotonic()
        if found := judge(kind, path, watch):
            bad.append((number, f"{found} ({names[number]})" if number < 0 else found))
            (folder / f"{name}-{number}{kind.ending}").write_bytes(path.read_bytes())
        slowest = max(slowest, time.monotonic() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (folder / "result.json").write_text(json.dumps({"bad": bad, "slowest_s": slowest, "peak_bytes": peak}))
