"""How good the poses of people who hide each other are, by the base, by OPEC-Net and by CoupleGraph.

    make evaluate MODEL=opec_net ARGS="--couples DIR [--split unseen]"                of RenderCouples
    make evaluate MODEL=opec_net ARGS="--couples DIR --weights A.safetensors B.safetensors"
    make evaluate MODEL=opec_net ARGS="--composed data/cam11/clipart"                 people of a camera's clip-art
    make evaluate MODEL=opec_net ARGS="--labels FILE --images DIR"                    of COCO, CrowdPose or OCHuman

Everyone is found in their labelled box, as the paper does it; nobody is matched by the labels. AP is COCO's of OKS, the
score of a pose the mean of its heatmaps' confidences, whichever method moved its joints; `AP own` takes the scores that
the graphs themselves give. CrowdPose's easy, medium and hard pictures are told apart, too, where there are such of two
of these. Inv@75 and V@75 are the fractions of invisible and of visible joints whose term of OKS is
above 0.75 (Table 5).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from calibration.camera import edge_to_pixel
from models.checkpoints import network_of
from models.contract import Progress
from models.frames import Frame
from models.geometry.crop_frames import from_frame
from models.metrics.keypoint_precision import keypoint_precision, keypoint_similarity
from models.metrics.keypoints import joint_similarity
from models.opec_net import SPEC
from models.opec_net.correction import Found
from models.opec_net.network import OpecNet
from models.opec_net.predict import encoded
from models.people_groups import GroupPicture, read_pictures
from models.people_groups.composed import read_composed
from models.people_groups.couples.plan import SPLITS
from models.people_groups.labelled import read_coco_people
from models.people_groups.levels import CROWDING, of_crowding
from pipeline.core.instances import Instances
from pipeline.core.skeletons import Skeleton
from readers.texts import expanded

_CHUNK = 16  # pictures that are predicted together
LEVELS = (0.75, 0.9)


@dataclass(frozen=True)
class Posed:
    """What a method found of a picture's P people: xy (P, K, 2) px; score (P,) by the heatmaps, own (P,) its own."""

    xy: np.ndarray
    score: np.ndarray
    own: np.ndarray


def predicted(
    network: OpecNet, pictures: Sequence[GroupPicture], progress: Progress | None = None
) -> dict[str, list[Posed]]:
    """By method what is found in the labelled boxes of every picture, each of which has people."""
    network.eval()
    device, found = next(network.parameters()).device, dict[str, list[Posed]]()
    for start in range(0, len(pictures), _CHUNK):
        chunk = [pictures[number] for number in range(start, min(start + _CHUNK, len(pictures)))]
        batch = encoded([_frame(picture) for picture in chunk], network.settings)
        ends = np.cumsum([len(picture.people) for picture in chunk])[:-1]
        for method, people in _posed(network, {name: value.to(device) for name, value in batch.items()}).items():
            parts = zip(*(np.split(part, ends) for part in people), strict=True)
            found.setdefault(method, []).extend(Posed(*part) for part in parts)
        if progress:
            progress(start + len(chunk), len(pictures))
    return found


def _frame(picture: GroupPicture) -> Frame:
    image = np.ascontiguousarray(picture.image()[..., ::-1])
    return Frame(image, Instances(picture.size_hw, {"bbox_xywh": picture.boxes}), picture.name)


def _posed(network: OpecNet, batch: dict) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    with torch.inference_mode():
        pred = network(batch)
    poses = pred.by_method()
    if network.couples is not None:
        poses.setdefault("couple", pred.final)  # nobody is in a couple
    score, squares = pred.confidence.mean(-1).cpu().numpy(), batch["square"].cpu()
    own = _own_scores(pred)
    return {
        method: (
            edge_to_pixel(from_frame(xy.double().cpu(), squares, network.aspect).numpy()), score,
            own.get(method, score),
        )
        for method, xy in poses.items()
    }  # fmt: skip


def _own_scores(pred: Found) -> dict[str, np.ndarray]:
    if pred.read is None:
        return {}
    single = torch.sigmoid(pred.read.score)
    both = single if pred.couple_read is None else pred.with_couples(single, torch.sigmoid(pred.couple_read.score))
    scores = {"opec": single, "couple": both}
    return {method: score.mean(-1).cpu().numpy() for method, score in scores.items()}


def marks(pictures: Sequence[GroupPicture], posed: Sequence[Posed], skeleton: Skeleton) -> dict[str, float]:
    """AP, AP50, AP75, AP80, AP90, AP own, and Inv and V at 75 and 90, in percent, of a method's poses; people is how
    many count."""
    likeness, scores, asked, states, terms = [], [], [], [], []
    for picture, found in zip(pictures, posed, strict=True):
        people = picture.people
        truth, area = np.stack([one.xy for one in people]), np.array([one.area_px for one in people])
        labelled = np.stack([one.labelled for one in people])
        asked.append(counting(picture))
        # Of who does not count there is no truth that the pose in the own box could be like.
        likeness.append(keypoint_similarity(found.xy[asked[-1]], np.nan_to_num(truth), labelled, area, skeleton))
        scores.append((found.score[asked[-1]], found.own[asked[-1]]))
        of_joints, _ = joint_similarity(
            torch.from_numpy(found.xy),
            torch.from_numpy(np.where(labelled[..., None], truth, np.nan)),
            torch.from_numpy(area),
            torch.tensor(skeleton.sigmas, dtype=torch.float64),
        )
        for row in np.flatnonzero(asked[-1]):
            terms.append(of_joints[row].numpy())
            states.append(np.select([people[row].visible, people[row].invisible], [1, 2], 0))
    precision, own = (keypoint_precision(likeness, one, asked) for one in zip(*scores, strict=True))
    term, state = np.concatenate(terms), np.concatenate(states)
    joints = {
        f"{name}@{100 * level:.0f}": 100 * float((term[state == number] >= level).mean())
        for name, number in (("Inv", 2), ("V", 1))
        if (state == number).any()
        for level in LEVELS
    }
    percent = {name: 100 * value for name, value in precision.items() if name != "count"}
    return {"people": int(precision["count"]), **percent, "AP own": 100 * own["AP"], **joints}


def counting(picture: GroupPicture) -> np.ndarray:
    """(P,) bool, who has labelled joints and is not ignored; others are neither right nor wrong."""
    return np.array([bool(one.labelled.any()) and not one.ignored for one in picture.people], bool)


def judged(
    network: OpecNet, pictures: Sequence[GroupPicture], progress: Progress | None = None
) -> dict[str, dict[str, float]]:
    """`marks` of every method that the network has. Raises ValueError where there is nobody."""
    alike, found = _of_all(network, pictures, progress)
    return {name: marks(alike, posed, network.settings.joints) for name, posed in found.items()}


def judged_by_level(network: OpecNet, pictures: Sequence[GroupPicture]) -> dict[str, dict[str, dict[str, float]]]:
    """`judged`, by "", and the same of CrowdPose's levels (its section 5.1), by name, unless all are of one."""
    alike, found = _of_all(network, pictures, None)
    levels = {name: rows for name in CROWDING if (rows := of_crowding(alike, name))}
    parts = {"": list(range(len(alike)))} | (levels if len(levels) > 1 else {})
    return {
        part: {
            method: marks([alike[n] for n in rows], [posed[n] for n in rows], network.settings.joints)
            for method, posed in found.items()
        }
        for part, rows in parts.items()
    }


def _of_all(
    network: OpecNet, pictures: Sequence[GroupPicture], progress: Progress | None
) -> tuple[list[GroupPicture], dict[str, list[Posed]]]:
    """The pictures of somebody who counts, in the network's skeleton, and what is found of them by method."""
    alike = [picture.in_skeleton(network.settings.joints) for picture in pictures]
    alike = [picture for picture in alike if counting(picture).any()]
    if not alike:
        raise ValueError(f"opec_net: no person in {len(pictures)} pictures; expected some with labelled joints")
    return alike, predicted(network, alike, progress)


def load_network(path: Path) -> OpecNet:
    """The network of a weights file; raises FileNotFoundError, and ValueError for weights of another model."""
    return cast(OpecNet, network_of(SPEC, path).eval())


def main(arguments: list[str] | None = None) -> int:
    """Print a row for each method of each file of weights; 1 and one line on what is wrong."""
    parser = argparse.ArgumentParser(
        prog="make evaluate MODEL=opec_net", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--couples", type=Path, help="folder that RenderCouples wrote")
    parser.add_argument("--composed", type=Path, help="folder of a camera's clip-art, of which the val split is taken")
    parser.add_argument("--labels", type=Path, help="COCO's form of keypoints, with --images")
    parser.add_argument("--images", type=Path, help="folder of the labelled pictures")
    parser.add_argument("--split", default="test", help=f"one of {', '.join(SPLITS)} (default: %(default)s)")
    parser.add_argument("--weights", type=Path, nargs="+", default=[], help="files of weights, else what ships")
    parser.add_argument("--most", type=int, default=0, help="pictures, spread over the split; 0 for all")
    asked = parser.parse_args(arguments)
    try:
        for line in _lines(asked):
            print(line, flush=True)
    except (ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    return 0


def _lines(asked: argparse.Namespace) -> Iterator[str]:
    given = spread(_given(asked), asked.most)
    files = [expanded(path, "--weights") for path in asked.weights] or [SPEC.shipped]
    networks = {path: load_network(path) for path in files}
    for path, network in networks.items():
        for part, methods in judged_by_level(network, given).items():
            for method, row in methods.items():
                cells = "  ".join(f"{name} {value:.1f}" for name, value in row.items())
                yield "  ".join(
                    filter(None, [path.parent.name or path.name, f"{part:6}" * bool(part), f"{method:6}", cells])
                )


def _given(asked: argparse.Namespace) -> Sequence[GroupPicture]:
    if sum(value is not None for value in (asked.couples, asked.composed, asked.labels)) != 1:
        raise ValueError("expected one of --couples, --composed and --labels")
    if (asked.images is None) is not (asked.labels is None):
        raise ValueError("--labels and --images go together; got one of them")
    if asked.split not in SPLITS:
        raise ValueError(f"--split: expected one of {', '.join(SPLITS)}, got {asked.split!r}")
    if asked.labels is not None:
        return read_coco_people(expanded(asked.labels, "--labels"), expanded(asked.images, "--images"))
    if asked.composed is not None:
        return read_composed(expanded(asked.composed, "--composed"), "val")
    return read_pictures(expanded(asked.couples, "--couples"), asked.split)


def spread(pictures: Iterable[GroupPicture], most: int) -> list[GroupPicture]:
    """At most so many of the pictures, evenly; all for 0."""
    every = list(pictures)
    if not most or most >= len(every):
        return every
    return [every[number] for number in np.linspace(0, len(every) - 1, most).round().astype(int).tolist()]


if __name__ == "__main__":
    raise SystemExit(main())
