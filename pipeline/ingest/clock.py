"""When frames were taken: seconds since a video's start, made to increase, and moments in UTC of times in names.

Everything that is odd about the times is told in a sentence, of what and how often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from zoneinfo import ZoneInfo

import numpy as np

from data_manifest.times import NameTime, NameTimes, utc_of

Tell = Callable[[str], None]
_STEADY = 0.9  # of the steps are one period: then a step of several is frames that were lost
_USELESS = 0.5  # of the steps do not increase: then none of the times is believed


def increasing(times_s: Sequence[float | None], fps: float, max_gap_s: float, tell: Tell, what: str) -> np.ndarray:
    """(N,) seconds from the first frame on, increasing: a frame that has no time, or that of another, gets one between
    its neighbours'; where the clock was put back it goes on.

    fps: the file's own rate, on which frames are placed where the times are useless. A step of several periods that is
    no pause (max_gap_s) means lost frames. Raises ValueError where neither times nor a rate are there.
    """
    times = np.round(np.array([np.nan if t is None else t for t in times_s], float), 6)  # microseconds, as in FRAMES
    steps = np.diff(times[np.isfinite(times)])
    if len(times) > 1 and np.count_nonzero(steps > 0) < _USELESS * (len(times) - 1):
        if not fps > 0:
            raise ValueError(f"{what}: the video says neither times nor a frame rate; give source.fps in the manifest")
        tell(f"{what}: its own times do not increase; frames are placed {fps:g} a second, the rate that it says")
        return np.arange(len(times)) / fps
    if len(times) < 2:
        return np.zeros(len(times))
    period = float(np.median(steps[steps > 0]))
    times = _gone_on(times, period, tell, what)
    times = _between(times, period, tell, what)
    steps = np.diff(times)
    _tell_lost(steps, period, max_gap_s, tell, what)
    return times - times[0]


def _gone_on(times: np.ndarray, period: float, tell: Tell, what: str) -> np.ndarray:
    """Times without steps back by several periods, as of a recorder's clock that was set, or files strung together."""
    times = times.copy()
    latest, back = -np.inf, []
    for i in np.flatnonzero(np.isfinite(times)):
        if times[i] < latest - max(5 * period, 1.0):
            back.append((int(i), latest - times[i]))
            times[i:] = np.round(times[i:] + (latest + period - times[i]), 6)
        latest = max(latest, times[i])
    if back:
        times_back = f"{len(back)} times, the first" if len(back) > 1 else "once,"
        tell(f"{what}: its clock goes back {times_back} by {back[0][1]:.1f} s at frame {back[0][0]}; "
             "time goes on there without a pause")  # fmt: skip
    return times


def _between(times: np.ndarray, period: float, tell: Tell, what: str) -> np.ndarray:
    """Times that increase: one that does not lies evenly between the nearest that do."""
    good = np.zeros(len(times), bool)
    latest = -np.inf
    for i, t in enumerate(times):
        if np.isfinite(t) and t > latest:
            good[i], latest = True, t
    odd = np.flatnonzero(~good)
    if not len(odd):
        return times
    place, known = np.arange(len(times)), np.flatnonzero(good)
    mended = np.interp(place, known, times[known])
    # After the last good one there is nothing to lie between.
    mended[known[-1] :] = times[known[-1]] + period * (place[known[-1] :] - known[-1])
    mended[: known[0]] = times[known[0]] - period * (known[0] - place[: known[0]])
    frames = ", ".join(map(str, odd[:3])) + (", ..." if len(odd) > 3 else "")
    tell(f"{what}: {len(odd)} of {len(times)} frames have no time of their own (frame {frames}); they are placed "
         "between their neighbours")  # fmt: skip
    return mended


def _tell_lost(steps: np.ndarray, period: float, max_gap_s: float, tell: Tell, what: str) -> None:
    periods = steps / period if period else steps * 0
    single = np.abs(periods - 1) < 0.25
    pauses = steps > max(max_gap_s, 1.5 * period)
    if np.count_nonzero(single) >= _STEADY * len(steps):
        gaps = ~pauses & (periods > 1.5) & (np.abs(periods - np.round(periods)) < 0.25)
        lost = int(np.round(periods[gaps] - 1).sum())
        if lost:
            tell(f"{what}: {lost} of {len(steps) + 1 + lost} frames were lost before or in the recording; the others "
                 "keep their times")  # fmt: skip
    if pauses.any():
        more = "pauses, the longest" if np.count_nonzero(pauses) > 1 else "pause,"
        tell(f"{what}: {np.count_nonzero(pauses)} {more} {steps.max():.1f} s after frame {int(steps.argmax())}")


def moments_of(
    paths: Sequence[PurePath],
    names: NameTimes,
    zone: ZoneInfo,
    tell: Tell,
    what: str,
    *,
    start: datetime | None = None,
    fps: float | None = None,
) -> list[datetime]:
    """When each file was begun, in UTC; paths are relative, in the order in which people number them.

    start: the local day of names without a date; fps: frames of a second that `%q` counts. Raises ValueError where
    names without a date are of several days, and where the zone never had a time.
    """
    said = [names.read(path) for path in paths]
    if not names.has_date:
        said = _dated(said, paths, start, names, tell, what)
    local = [one.moment for one in said]
    moments = [t.replace(tzinfo=UTC) for t in local] if names.utc else _in_zone(said, zone, tell, what)
    if names.numbered:
        return _within_second(moments, [one.number or 0 for one in said], fps)
    if not _order(said, moments, set()):
        _tell_order(moments, paths, tell, what)
    return _apart(moments, paths, names.resolution_s, tell, what)


def _dated(
    said: list[NameTime], paths: Sequence[PurePath], start: datetime | None, names: NameTimes, tell: Tell, what: str
) -> list[NameTime]:
    back = next((i for i in range(1, len(said)) if said[i].moment < said[i - 1].moment), None)
    if back is not None:
        raise ValueError(
            f"{what}: source.time_pattern {names.pattern!r} has no date, and the files are of more than one day: "
            f"{paths[back]} comes after {paths[back - 1]}. Give the date too; a pattern may name folders, such as "
            "'%Y-%m-%d/%H%M%S'"
        )
    if start is None:
        tell(f"{what}: the names tell no date; 1970-01-01 stands for it, source.start says another")
        return said
    return [NameTime(datetime.combine(start.date(), one.moment.time()), one.number) for one in said]


def _in_zone(said: list[NameTime], zone: ZoneInfo, tell: Tell, what: str) -> list[datetime]:
    """Moments of local wall clocks. In an hour that the clock repeats, the files' order says which one is meant."""
    try:
        first = [utc_of(one.moment, zone) for one in said]
    except ValueError as error:
        raise ValueError(
            f"{what}: {error}; does the recorder's clock follow the zone? If not, set source.time_zone to UTC or to a "
            "zone without summer time, such as Etc/GMT-1 for UTC+1"
        ) from None
    second = [one.moment.replace(tzinfo=zone, fold=1).astimezone(UTC) for one in said]
    twice = [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    if not twice:
        return first
    moments, latest, later = list(first), datetime.min.replace(tzinfo=UTC), 0
    for i in _order(said, first, set(twice)):
        if first[i] < latest <= second[i]:
            moments[i], later = second[i], later + 1
        latest = max(latest, moments[i])
    hour = f"{said[twice[0]].moment:%Y-%m-%d %H:%M}"
    tell(f"{what}: {len(twice)} frames are of an hour that {zone} had twice ({hour}); by the files' order {later} of "
         "them are of the second")  # fmt: skip
    return moments


def _order(said: list[NameTime], moments: list[datetime], twice: set[int]) -> list[int]:
    """The files in an order that times confirm where they are sure: by the counters in the names, else by the names."""
    counters = [one.counter for one in said]
    by_name = list(range(len(said)))
    by_counter = sorted(by_name, key=lambda i: counters[i]) if len(set(counters)) == len(counters) else by_name
    for order in (by_counter, by_name):
        sure = [moments[i] for i in order if i not in twice]
        if sure == sorted(sure):
            return order
    return []


def _within_second(moments: list[datetime], numbers: list[int], fps: float | None) -> list[datetime]:
    """Frame q of a second is q / rate into it; the rate is that of the fullest second where none is given."""
    rate = fps or max(numbers, default=0) + 1
    return [t + timedelta(seconds=min(q / rate, 0.999999)) for t, q in zip(moments, numbers, strict=True)]


def _tell_order(moments: list[datetime], paths: Sequence[PurePath], tell: Tell, what: str) -> None:
    back = [i for i in range(1, len(moments)) if moments[i] < moments[i - 1]]
    tell(f"{what}: the times go back {len(back)} times in the order of the names, first at {paths[back[0]]}; frames "
         "are in the order of their times")  # fmt: skip


def _apart(moments: list[datetime], paths: Sequence[PurePath], step_s: float, tell: Tell, what: str) -> list[datetime]:
    """Frames of one time lie evenly within the step that names can tell, in the files' order."""
    counts = Counter(moments)
    equal = sum(counts.values()) - len(counts)
    if not equal:
        return moments
    seen: Counter[datetime] = Counter()
    placed = []
    for moment in moments:
        within = seen[moment] / counts[moment]
        placed.append(moment + timedelta(seconds=within * max(step_s, 1e-3)))
        seen[moment] += 1
    at = [i for i, moment in enumerate(moments) if counts[moment] > 1][:2]
    tell(f"{what}: {equal} of {len(moments)} frames have the time of another ({paths[at[0]]} and {paths[at[1]]}), and "
         "are placed evenly after it; %q, the frame's number within the second, or %f in source.time_pattern is "
         "exact")  # fmt: skip
    return placed
