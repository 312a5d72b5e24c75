"""The chart as it was before: what an upgrade comes from.

No version was released before 0.1.0, so the one before is made of the present one, without what was
added last: the gateway, and the fields of the resource that came after the first. Once there is a
release, its package belongs in the place of this.
"""

import shutil
from pathlib import Path
from typing import Any

import yaml

VERSION = "0.0.9"
# Where the resource had no such fields, as paths below spec and status.
LATER_FIELDS = (("spec", "candidate"), ("status", "candidate"), ("status", "bottleneck"))


def write_previous(chart: Path, folder: Path) -> Path:
    """Write the chart of the version before into the folder; give its path."""
    previous = Path(shutil.copytree(chart, folder / "previous"))
    _edit(previous / "Chart.yaml", lambda body: body | {"version": VERSION, "appVersion": VERSION})
    _edit(previous / "values.yaml", _without_gateway)
    shutil.rmtree(previous / "templates" / "gateway")
    _edit(previous / "files" / "agentscalingpolicies.yaml", _without_later_fields)
    return previous


def _edit(path: Path, change: Any) -> None:
    path.write_text(yaml.safe_dump(change(yaml.safe_load(path.read_text())), sort_keys=False))


def _without_gateway(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "gateway"}


def _without_later_fields(crd: dict[str, Any]) -> dict[str, Any]:
    (version,) = crd["spec"]["versions"]
    for part, field in LATER_FIELDS:
        del version["schema"]["openAPIV3Schema"]["properties"][part]["properties"][field]
    return crd
