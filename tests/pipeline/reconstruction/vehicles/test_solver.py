"""The solver's normal equations and covariance."""

from dataclasses import replace

import numpy as np
import pytest
from vehicle_street import BASES, CAMERA, Street, outlines

from pipeline.reconstruction.vehicles.outline import VehicleSkin
from pipeline.reconstruction.vehicles.solver import Linear, State, VehicleEvidence, VehicleSolver, View, turn


class TestSolver:
    """The normal equations against finite differences, and the arrow against the dense system."""

    view = View(CAMERA.K, np.eye(6), None)
    model = Linear(BASES["car"].mean, BASES["car"].components)

    def setup(self):
        street = Street(tracks=3, frames=2, noise=2.0, groups=("car",))
        solver = VehicleSolver(self.view, self.model, bound=3.0)
        track = np.unique(street.track, return_inverse=True)[1]
        zero = np.zeros(len(track))
        pixels = self.view.project(street.points_cam) + np.random.default_rng(0).normal(0, 2, street.pixels.shape)
        evidence = VehicleEvidence(pixels, np.full((len(track), 12), 0.25), track, zero, zero, robust_scale=100.0)
        state = State(
            street.R, street.t, street.shape[::2], solver.cost(evidence, street.R, street.t, street.shape[::2])
        )
        return solver, evidence, state

    @pytest.mark.parametrize("outlined", [False, True])
    def test_gradient(self, outlined):
        solver, evidence, state = self.setup()
        if outlined:
            solver.skin = VehicleSkin.of(BASES["car"])
            support = outlines(Street(tracks=3, frames=2, groups=("car",))) + 1.5
            evidence = replace(evidence, support=support, support_weight=np.full(support.shape, 0.3))
        gradient = solver.blocks(evidence, state).gradient
        for column in range(14):
            step = np.eye(14)[column] * 1e-5

            def cost(sign, step=step):
                R = turn(np.tile(sign * step[:3], (6, 1))) @ state.R
                shape = state.shape + sign * step[6:]
                return solver.cost(evidence, R, state.t + sign * step[3:6], shape)

            slope = (cost(1) - cost(-1)) / 2e-5
            np.testing.assert_allclose(2 * gradient[:, column], slope, rtol=1e-4, atol=1e-3)

    def test_steps_and_covariance_are_the_dense_systems(self):
        solver, evidence, state = self.setup()
        blocks = solver.blocks(evidence, state)
        pose_step, shape_step = blocks.step(np.zeros(3))
        pose, shape = blocks.covariance()
        for track in range(3):
            dense, right = np.zeros((20, 20)), np.zeros(20)
            for place, row in enumerate(np.flatnonzero(evidence.track == track)):
                slots = np.r_[6 * place : 6 * place + 6, 12:20]
                dense[np.ix_(slots, slots)] += blocks.normal[row]
                right[slots] += blocks.gradient[row]
            dense[12:, 12:] += np.eye(8)
            right[12:] += state.shape[track]
            step, covariance = -np.linalg.solve(dense, right), np.linalg.inv(dense)
            rows = evidence.track == track
            np.testing.assert_allclose(np.r_[pose_step[rows].ravel(), shape_step[track]], step, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(pose[rows][0], covariance[:6, :6], rtol=1e-4, atol=1e-7)
            np.testing.assert_allclose(shape[track], covariance[12:, 12:], rtol=1e-4, atol=1e-7)
