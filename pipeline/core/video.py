"""A video's frames by their numbers, counted as the decoder meets them, each with its own time.

A success that a decoder reports is not believed without a look: packets that are lost or broken are counted, fields of
interlaced frames are separated, and who indexes a video looks at what the pictures show (pipeline/ingest).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from readers.limits import TooLarge, check, limit

# Decoding on costs less than a seek, which starts again from the key frame before.
_SEEK_BEYOND = 100
_COMB = 100  # squared grey levels by which a line of the other field leaves the lines above and below
_TRIES = 100  # broken packets one after the other, after which nothing more is expected
Anchor = tuple[int, int]  # a key frame's position, and its presentation time in the stream's own units


@dataclass(frozen=True)
class Decoded:
    """A frame as the decoder gives it: position from 0, time_s from the stream's start (None where it has none)."""

    position: int
    time_s: float | None
    frame: Any

    @property
    def anchor(self) -> Anchor | None:
        """Where a seek may go; None where the frame is none that decoding can start with."""
        return (self.position, self.frame.pts) if self.frame.key_frame and self.frame.pts is not None else None

    @property
    def interlaced(self) -> bool:
        """Whether its two fields were taken one after the other."""
        return bool(self.frame.interlaced_frame)

    def luma(self) -> np.ndarray:
        """(H, W) uint8 brightness as it is coded: what a look needs, without a conversion of colours."""
        frame, kind = self.frame, self.frame.format.name
        if not kind.startswith(("yuv4", "yuvj4", "nv12", "gray")) or kind.endswith(("le", "be")):
            frame = frame.reformat(format="gray")
        plane = frame.planes[0]
        return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]

    def image(self, convert: VideoReformatter) -> np.ndarray:
        """BGR uint8 (H, W, 3), upright, of one moment."""
        image = convert.reformat(self.frame, format="bgr24", interpolation=Interpolation.BICUBIC).to_ndarray()
        image = one_field(image) if self.interlaced else image
        turns = round(self.frame.rotation / 90) % 4  # counter-clockwise
        return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def one_field(image: np.ndarray) -> np.ndarray:
    """The moment of the upper field: where odd lines of a BGR image (H, W, 3) are another moment's, they become the
    mean of the lines about them; what stands still keeps all its lines."""
    above, odd = image[0:-1:2].astype(np.int16), image[1::2]
    above = above[: len(odd)]
    below = np.concatenate([image[2::2], image[-1:] if len(image) % 2 == 0 else image[:0]])[: len(odd)].astype(np.int16)
    grey = [cv2.cvtColor(part.astype(np.uint8), cv2.COLOR_BGR2GRAY).astype(np.int32) for part in (above, odd, below)]
    comb = (grey[1] - grey[0]) * (grey[1] - grey[2]) > _COMB
    comb = cv2.dilate(comb.astype(np.uint8), np.ones((3, 5), np.uint8)).astype(bool)
    mended = image.copy()
    mended[1::2][comb] = ((above + below) // 2).astype(np.uint8)[comb]
    return mended


class Video:
    """Frames in order by iteration, or by number; anchors: where seeks may go, as they were found to work."""

    def __init__(self, path: Path, anchors: Sequence[Anchor] = ()) -> None:
        self.path, self.anchors = path, list(anchors)
        self.broken_packets = 0
        self._convert = VideoReformatter()
        self._open()

    def _open(self) -> None:
        if not self.path.is_file():
            raise ValueError(f"{self.path}: no such file")
        try:
            # A playlist of strangers may name what is not its reader's: files alone.
            self._container = av.open(f"file:{self.path}", options={"protocol_whitelist": "file"})
            self._stream = self._container.streams.video[0]
            self._stream.codec_context.thread_type, self._stream.codec_context.thread_count = "NONE", 1
            context = self._stream.codec_context
            most = round(1e6 * limit("picture_megapixels"))
            context.options = {**context.options, "max_pixels": str(min(most, 2**31 - 1))}  # of frames that grow later
            check(context.width * context.height / 1e6, "picture_megapixels", str(self.path), "megapixels of a frame")
        except TooLarge:
            raise
        except (av.FFmpegError, IndexError, ValueError) as error:
            raise ValueError(f"{self.path}: not a video that can be opened, or cut off ({_reason(error)})") from None
        self._decoded = self._decode(0)
        self._next = 0

    @property
    def fps(self) -> float:
        """The rate that the file says; 0 where it says none."""
        return float(self._stream.guessed_rate or self._stream.average_rate or 0)

    @property
    def frames(self) -> int:
        """About how many frames the file says that it has; 0 where it does not say."""
        return int(self._stream.frames or (self.duration_s or 0) * self.fps)

    @property
    def duration_s(self) -> float | None:
        """How long the file says that its pictures run, in seconds; None where it does not say."""
        stream = self._stream
        if self._container.format.name == "avi" and stream.frames and self.fps:
            # Its header counts frames and pauses alike; where the file was cut off ffmpeg goes by what is left.
            return stream.frames / self.fps
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        if told := stream.metadata.get("DURATION"):  # Matroska's
            try:
                hours, minutes, seconds = (float(part) for part in told.split(":"))
                return 3600 * hours + 60 * minutes + seconds
            except ValueError:
                return None
        # The container's is that of its longest stream, which may be another one.
        alone = len(self._container.streams) == 1
        return self._container.duration / av.time_base if alone and self._container.duration else None

    def __iter__(self) -> Iterator[Decoded]:
        """Every frame from the first on."""
        self._reopen()
        self.broken_packets = 0
        for one in self._decoded:
            self._next = one.position + 1
            yield one

    def image(self, decoded: Decoded) -> np.ndarray:
        """BGR uint8 (H, W, 3) of a frame, upright."""
        return decoded.image(self._convert)

    def at(self, position: int) -> Decoded:
        """Frame number `position`. Raises ValueError where the video has no such frame any more."""
        if not 0 <= position - self._next <= _SEEK_BEYOND:
            self._go(position)
        for one in self._decoded:
            self._next = one.position + 1
            if one.position == position:
                return one
        self._reopen()
        raise ValueError(f"{self.path}: frame {position} cannot be decoded; was the file changed since ingest?")

    def read(self, position: int) -> np.ndarray:
        """BGR uint8 (H, W, 3) of frame number `position`; raises as `at`."""
        return self.image(self.at(position))

    def close(self) -> None:
        """Release the decoder."""
        self._container.close()

    def _go(self, position: int) -> None:
        """To the last anchor up to a frame, or to the start."""
        before = [anchor for anchor in self.anchors if anchor[0] <= position]
        if before and not 0 <= position - self._next <= position - before[-1][0]:
            number, pts = before[-1]
            self._container.seek(pts, stream=self._stream, backward=True, any_frame=False)
            self._stream.codec_context.flush_buffers()
            self._decoded, self._next = self._decode(number, pts), number
        elif position < self._next:
            self._reopen()

    def _reopen(self) -> None:
        self.close()
        self._open()

    def _decode(self, number: int, from_pts: int | None = None) -> Iterator[Decoded]:
        """Frames from the file's place on, counted from `number`; those before from_pts are passed over."""
        # pts of streams that were cut out of longer ones do not start at 0.
        start = self._stream.start_time or 0
        for frame in self._frames():
            if from_pts is not None and frame.pts is not None and frame.pts < from_pts:
                continue
            from_pts = None
            time_s = None if frame.pts is None else float((frame.pts - start) * self._stream.time_base)
            yield Decoded(number, time_s, frame)
            number += 1

    def _frames(self) -> Iterator[Any]:
        packets, tries = self._container.demux(self._stream), _TRIES
        while tries:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
                tries = _TRIES
            except av.EOFError:
                return
            except av.FFmpegError:
                # A packet that arrived broken; others may follow.
                self.broken_packets, tries = self.broken_packets + 1, tries - 1
                packets = self._container.demux(self._stream)


def _reason(error: Exception) -> str:
    return "no picture in it" if isinstance(error, IndexError) else getattr(error, "strerror", "") or str(error)
