"""People in metric 3D: a network's body meshes, refined on the ground to outlines and keypoints, row by row of a table.

The outline's fit (pipeline.reconstruction.outline_fit) comes first: it says what cannot be composed at all, and stays
where the body does not fit the mask.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from calibration.camera import Camera, GroundPlane
from models.frames import Frame
from models.topdown import PersonPose
from pipeline.core.boxes import box_iou
from pipeline.core.frames import cutouts_with_frames
from pipeline.core.instances import Instances
from pipeline.core.skeletons import SMPL_24
from pipeline.core.tables import RECONSTRUCTED, matrix
from pipeline.reconstruction.headings import Headings
from pipeline.reconstruction.outline_fit import Outlined
from pipeline.reconstruction.people.types import PeopleFitSettings, PeopleSeen, RegressedPeople
from pipeline.reconstruction.rows import Progress, liftable, row_of, tracks_of, with_covariance

if TYPE_CHECKING:
    from models.body_model import Body
    from models.poses import PosePrior
    from models.predictor import FramePredictor

_AGREEMENT = 0.05  # an outline off by this fraction of the height makes a keypoint 1 / e as confident


@dataclass(frozen=True)
class MetricPeopleSettings:
    """Which networks see people, which body model they get, and when the fit is taken."""

    bodies: bool = field(
        default=True,
        metadata={"help": "fit body meshes to people; false: hulls to their outlines alone"},
    )
    body_weights: str = field(
        default="", metadata={"help": "weights file of the human mesh network, as `make train MODEL=hmr` writes it"}
    )
    body_model: str = field(
        default="", metadata={"help": "an SMPL .npz or .pkl of your own, else the free body that ships"}
    )
    pose_model: str = field(
        default="",
        metadata={
            "help": "network whose keypoints help, else the mesh network's: a YOLO-pose export (.onnx), or a top-down "
            "config of mmpose, by its name in the zoo or a .py"
        },
    )
    pose_checkpoint: str = field(default="", metadata={"help": "weights (.pth) of the config that pose_model names"})
    min_box_overlap: float = field(
        default=0.6, metadata={"help": "a fit whose box agrees less with the mask's is of somebody else; IoU"}
    )
    fit: PeopleFitSettings = field(default_factory=PeopleFitSettings)


def regress(
    cutouts: pa.Table,
    frames: pa.Table,
    root: Path,
    camera: Camera,
    network: FramePredictor,
    facing: np.ndarray | None = None,
    pose: PersonPose | None = None,
    progress: Progress | None = None,
) -> RegressedPeople:
    """The network's people of person CUTOUTS, looked at in their own FRAMES; NaN and score 0 where a frame cannot be
    read any more. Their keypoints are those of the pose network where one is given. facing: see `facing_of`.
    """
    count, boxes = len(cutouts), matrix(cutouts["bbox_xywh"], 4)
    people = RegressedPeople.of_poses(np.full((count, len(SMPL_24), 3), np.nan), np.full((count, 10), np.nan))
    known = {"bbox_xywh": boxes} | ({} if facing is None else {"facing_cam": facing})
    for rows, pictures in cutouts_with_frames(cutouts, frames, root, progress):
        objects = [{name: column[[row]] for name, column in known.items()} for row in rows]
        shown = [Frame(p, Instances(p.shape[:2], o), camera=camera) for p, o in zip(pictures, objects, strict=True)]
        for row, found in zip(rows, network.of_frames(shown), strict=True):
            people.theta[row], people.beta[row] = found["smpl_theta"][0].reshape(-1, 3), found["smpl_beta"][0]
            people.keypoints[row], people.score[row] = found["keypoints_2d"][0], found["keypoint_score"][0]
        if pose is not None:
            people.keypoints[rows], people.score[rows] = pose.predict(pictures, boxes[rows])
    return people


def _walking_yaw(headings: Headings) -> np.ndarray:
    """(N,) world yaw of people who walk, NaN of all others."""
    # People turn where they stand: how they went before or after tells nothing.
    return np.where(headings.moving, headings.yaw, np.nan)


def facing_of(headings: Headings, plane: GroundPlane) -> np.ndarray:
    """(N, 3) where people who walk face, in the camera's frame; NaN for all others."""
    yaw = _walking_yaw(headings)
    return np.stack([np.cos(yaw), np.sin(yaw), np.zeros(len(yaw))], axis=1) @ plane.R_cam_world.T


def fit_people_rows(
    outlined: Outlined,
    people: RegressedPeople,
    camera: Camera,
    plane: GroundPlane,
    body: Body,
    prior: PosePrior,
    settings: MetricPeopleSettings,
    progress: Progress | None = None,
) -> pa.Table:
    """RECONSTRUCTED of people, with a body in place of the outline's hull where it fits."""
    # torch, which takes seconds to load, is asked for only where there are people to fit.
    from pipeline.reconstruction.people.fit import fit_people

    table, headings = outlined.table, outlined.headings
    if not len(table):
        return table
    seen = PeopleSeen(
        people.theta, people.beta, tracks_of(table), outlined.support, people.keypoints, people.score,
        _walking_yaw(headings), headings.sigma,
    )  # fmt: skip
    fits = fit_people(seen, camera, plane, body, prior, settings.fit, progress)
    boxes = matrix(outlined.cutouts["bbox_xywh"], 4)
    overlap = box_iou(np.nan_to_num(fits.box_xywh), boxes)
    accepted = fits.ok & liftable(table) & (overlap > settings.min_box_overlap)
    confidence = np.exp(-fits.residual_px / boxes[:, 3] / _AGREEMENT)
    confidence = np.where(people.score > 0, people.score, confidence[:, None])
    rows = with_covariance(table, fits, accepted, camera, plane)
    for i in np.flatnonzero(accepted).tolist():
        rows[i] |= row_of(outlined.category, fits, i, camera, confidence[i], fits.footprint[i])
        rows[i] |= {
            "body_model": body.name,
            "smpl_theta": fits.theta[i].ravel().tolist(),
            "smpl_beta": fits.beta[i].tolist(),
            "smpl_transl": fits.transl[i].tolist(),
        }
    return pa.Table.from_pylist(rows, schema=RECONSTRUCTED)
