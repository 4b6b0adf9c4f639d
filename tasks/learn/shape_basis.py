"""BuildShapeBasis: what a few numbers can say about a vehicle's shape, from the simulated fleet or a CAD folder."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import luigi

from models.shape_basis import GROUPS, SHIPPED, WIDE_GROUPS, ShapeBasis, save_bases
from models.shape_basis.build import COMPONENTS, build_basis
from models.shape_basis.cad import cad_models, read_cad_folder
from models.shape_basis.envelope import envelope_triangles
from models.shape_basis.fleet import fleet_models
from pipeline.core.skeletons import VEHICLE_12
from pipeline.core.storage import atomic_path
from pipeline.simulate.vehicles.fleet import make_vehicle
from pipeline.simulate.vehicles.fleets import FLEETS
from pipeline.simulate.vehicles.wide.fleet import make_wide_vehicle
from readers.texts import expanded
from tasks.common.console import Report


class BuildShapeBasis(luigi.Task):
    """Write the shape bases of all class groups to one file: mean, components, mesh; metres, mirror symmetric."""

    cad_dir = luigi.Parameter(
        default="", description="folder of meshes with keypoints.json (docs/cad_folder.md), else the simulated fleet"
    )
    output_file = luigi.Parameter(
        default="",
        description="file to write, else shape_basis.npz in the CAD folder, else the shipped fleet.npz, or wide.npz",
    )
    components = luigi.IntParameter(default=COMPONENTS, description="coefficients of a shape, the same for all groups")
    fleet = luigi.ChoiceParameter(
        choices=sorted(FLEETS), default="plain", description="which simulated fleet; what ships is of the plain one"
    )
    samples = luigi.IntParameter(default=300, description="vehicles of the simulated fleet for each body type")
    seed = luigi.IntParameter(default=0, description="seed of the first of them")

    def output_path(self) -> Path:
        """Where the bases go."""
        if self.output_file:
            return expanded(self.output_file, "--output-file").resolve()
        if self.cad_dir:
            return expanded(self.cad_dir, "--cad-dir").resolve() / "shape_basis.npz"
        return SHIPPED if self.fleet == "plain" else SHIPPED.with_name(f"{self.fleet}.npz")

    def complete(self) -> bool:
        """Built anew each time it is asked for: a CAD folder changes without its name."""
        return False

    def run(self) -> None:
        """Learn and write the bases, and say where they are."""
        most = 3 * len(VEHICLE_12) // 2  # a vehicle's right half follows from its left
        if not 1 <= self.components <= most:
            raise ValueError(
                f"--components: expected 1 to {most}, the numbers that {len(VEHICLE_12)} keypoints give, "
                f"got {self.components}"
            )
        if not self.cad_dir and self.samples < 2:
            raise ValueError(f"--samples: expected at least 2, got {self.samples}")
        report = Report(self, "shape basis", "groups")
        bases = dict(self._from_cad() if self.cad_dir else self._from_fleet(report))
        with atomic_path(self.output_path()) as part:
            save_bases(part, bases)
        print(f"shape bases: {self.output_path()}", flush=True)
        report.close(", ".join(f"{name} of {basis.size} components" for name, basis in bases.items()))

    def _from_cad(self) -> Iterator[tuple[str, ShapeBasis]]:
        for group, cads in read_cad_folder(expanded(self.cad_dir, "--cad-dir")).items():
            models, triangles = cad_models(group, cads)
            yield group, build_basis(group, models, triangles, self.components)

    def _from_fleet(self, report: Report) -> Iterator[tuple[str, ShapeBasis]]:
        seeds = range(self.seed, self.seed + self.samples)
        wide = self.fleet == "wide"
        groups, make = (WIDE_GROUPS, partial(make_wide_vehicle, bare=True)) if wide else (GROUPS, make_vehicle)
        for done, (group, bodies) in enumerate(groups.items()):
            report(done, len(groups))
            models = list(fleet_models(group, bodies, seeds, make))
            yield group, build_basis(group, models, envelope_triangles(), self.components, bounded=wide)
