"""What breaks a rule on purpose, each with its reason. An exception that excuses nothing fails the test."""

from dataclasses import dataclass
from fnmatch import fnmatch


@dataclass(frozen=True)
class Excuse:
    """One rule does not hold of some objects."""

    rule: str
    overlay: str
    """A pattern of names."""
    objects: str
    """Ids, with `*` for any characters."""
    reason: str

    def covers(self, rule: str, overlay: str, found: str) -> bool:
        """Say whether it excuses a finding."""
        return rule == self.rule and fnmatch(overlay, self.overlay) and fnmatch(found, self.objects)


EXCUSES = (
    Excuse("no-liveness-probe", "*", "Job/*", "a job ends by itself, and one that fails is tried again"),
    Excuse("no-readiness-probe", "*", "Job/*", "nobody calls a job"),
    Excuse(
        "no-liveness-probe",
        "*",
        "Deployment/worker",
        "a worker has no listeners; one that hangs loses its lease in 10 seconds, and its work is taken over",
    ),
    Excuse("no-readiness-probe", "*", "Deployment/worker", "nobody calls a worker: it takes tasks when it can"),
    Excuse(
        "access-to-secrets",
        "dev",
        "Role/provision-secrets",
        "without a keeper of secrets somebody has to make them: one job, with the only token, and no service",
    ),
    Excuse("config-maps-exist", "[pr]*", "ConfigMap/grafana-dashboards", "Grafana reads it, from outside"),
    Excuse("minimum-three-replicas", "dev", "StatefulSet/*", "one machine has one of each engine"),
    Excuse("minimum-three-replicas", "dev", "Deployment/*", "two of everything show what several do, on one machine"),
    Excuse("hpa-minimum-three-replicas", "dev", "HorizontalPodAutoscaler/*", "two show what several do"),
    Excuse(
        "minimum-three-replicas", "[pr]*", "Deployment/worker", "without work there is nobody: KEDA counts the tasks"
    ),
)
