"""TrainDetector and EvaluateDetector: what `Train --model detector` and `Evaluate --model detector` were called."""

from __future__ import annotations

import luigi

from tasks.learn.evaluate import Evaluate
from tasks.learn.train import Train


class TrainDetector(Train):
    """Another name, for one version, of `Train --model detector`."""

    model = luigi.Parameter(default="detector", description="the detector")


class EvaluateDetector(Evaluate):
    """Another name, for one version, of `Evaluate --model detector`."""

    model = luigi.Parameter(default="detector", description="the detector")
