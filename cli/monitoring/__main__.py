"""Writes the alerts and the dashboards: `python -m cli.monitoring`. What it writes is committed."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from cli.engines.data import ROOT
from cli.monitoring.alerts import rules
from cli.monitoring.dashboards import DASHBOARDS

FOLDER = ROOT / "k8s" / "components" / "monitoring"
WIDTH = 120


def files() -> Mapping[Path, str]:
    """Return what every file holds."""
    written = {FOLDER / "rules.yaml": yaml.safe_dump(dict(rules()), sort_keys=False, width=WIDTH)}
    for dashboard in DASHBOARDS:
        name = dashboard.uid.removeprefix("spotilike-")
        written[FOLDER / "dashboards" / f"{name}.json"] = json.dumps(dashboard.written(), indent=1) + "\n"
    return written


if __name__ == "__main__":
    for file, text in files().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
