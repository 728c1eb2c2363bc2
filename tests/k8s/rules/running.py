"""How things run: settings that exist, time to end, replicas, room in the quota, addresses that lead somewhere."""

import json
from collections.abc import Iterable, Iterator

from pydantic_settings import BaseSettings

from envoy.routes import SLOW_SECONDS
from envoy.settings import Settings as EdgeSettings
from services.catalog.settings import RecoverySettings as CatalogRecoverySettings
from services.catalog.settings import Settings as CatalogSettings
from services.common.metrics import Metrics
from services.common.settings import (
    DatabaseSettings,
    MetricsSettings,
    ServiceSettings,
    StorageSettings,
    StreamsSettings,
)
from services.common.streams import CONTEXTS, KEEP_ERASURES
from services.processing.settings import Settings as ProcessingSettings
from services.processing.settings import WorkerSettings
from services.provision.__main__ import RECOVERED
from services.provision.settings import DatabasesSettings, SecretsSettings
from services.streaming.settings import RecoverySettings as StreamingRecoverySettings
from services.streaming.settings import Settings as StreamingSettings
from services.user.settings import RecoverySettings as UserRecoverySettings
from services.user.settings import Settings as UserSettings
from tests.k8s.manifests import Manifests, Object, Pods, containers, id_of, name_of, program, quantity
from tests.k8s.rules import container, pick, pod, rule
from tests.k8s.rules.references import secrets_made

SOURCE = "running"
PREFIX = "SPOTILIKE_"
SECRETS_DIR = "SPOTILIKE_SECRETS_DIR"
OF_ALL = {SECRETS_DIR, *(PREFIX + name.upper() for name in MetricsSettings.model_fields)}
"""What is read for every program, whatever its own settings are."""
STREAMING_CONTEXTS = ("processing",)
"""Contexts with RPCs that stream."""
SERVICE_SETTINGS: dict[str, type[ServiceSettings]] = {
    "user": UserSettings,
    "catalog": CatalogSettings,
    "processing": ProcessingSettings,
    "streaming": StreamingSettings,
}
PROVISION: dict[str, type[BaseSettings]] = {
    "secrets": SecretsSettings,
    "databases": DatabasesSettings,
    "streams": StreamsSettings,
    "buckets": StorageSettings,
    "recover user": UserRecoverySettings,
    "recover catalog": CatalogRecoverySettings,
    "recover streaming": StreamingRecoverySettings,
}
SPARE_SECONDS = 5
KEPT_DAYS = {"d": 1, "w": 7, "m": 31}


def settings_of(one: Object) -> type[BaseSettings] | None:
    """Return what reads the environment of a container of ours; None for an engine, or what has no settings."""
    match one.get("args", []):
        case ["services.processing.worker"]:
            return WorkerSettings
        case ["services.common.migrate", *_]:
            return DatabaseSettings
        case ["services.provision", *step]:
            return PROVISION[" ".join(step)]
        case ["envoy", _]:
            return EdgeSettings
        case [str(module)] if module.startswith("services."):
            return SERVICE_SETTINGS[module.removeprefix("services.")]
    return None


def _settings(manifests: Manifests) -> Iterator[tuple[Pods, Object, type[BaseSettings]]]:
    for pods, one in containers(manifests):
        if settings := settings_of(one):
            yield pods, one, settings


def _setting(manifests: Manifests, pods: Pods, name: str) -> str:
    """Return a setting of a service as its pod has it, or its default."""
    default = SERVICE_SETTINGS[pods.name].model_fields[name].default
    return manifests.environment(pods.containers[0]).get(PREFIX + name.upper(), str(default))


def _seconds(manifests: Manifests, pods: Pods, what: str) -> float:
    return float(_setting(manifests, pods, f"{what}_seconds"))


@rule("settings-exist", SOURCE, lambda o: pick(o, "ConfigMap", "catalog")["data"].update(SPOTILIKE_UPLOADS_BUKET="x"))
def settings_exist(manifests: Manifests) -> Iterable[str]:
    """Every variable that a pod of ours gets is a setting of the program that runs in it."""
    for pods, one, settings in _settings(manifests):
        names = {name for name in manifests.environment(one) if name.startswith(PREFIX)} - OF_ALL
        if not names <= {PREFIX + name.upper() for name in settings.model_fields}:
            yield pods.id


@rule("settings-complete", SOURCE, lambda o: pick(o, "ConfigMap", "user")["data"].pop("SPOTILIKE_PUBLIC_URL"))
def settings_complete(manifests: Manifests) -> Iterable[str]:
    """Every setting without a default is set, by a variable or by a secret file."""
    made = secrets_made(manifests)
    for pods, one, settings in _settings(manifests):
        given = {name.removeprefix(PREFIX).lower() for name in manifests.environment(one)}
        mounts = {mount["name"] for mount in one.get("volumeMounts", []) if mount["mountPath"].startswith("/run/sec")}
        for volume in pods.spec.get("volumes", []):
            if volume["name"] in mounts:
                files = made.get(volume["secret"]["secretName"], set())
                given |= {file.removeprefix("spotilike_") for file in files}
        if not {name for name, field in settings.model_fields.items() if field.is_required()} <= given:
            yield pods.id


@rule("settings-are-good", SOURCE, lambda o: pick(o, "ConfigMap", "user")["data"].update(
    SPOTILIKE_SMTP_SECURITY="sometimes"
))  # fmt: skip
def settings_are_good(manifests: Manifests) -> Iterable[str]:
    """What the variables say is something that the program takes."""
    for pods, one, settings in _settings(manifests):
        known = {name.removeprefix(PREFIX).lower(): value for name, value in manifests.environment(one).items()}
        wanted = {name: value for name, value in known.items() if name in settings.model_fields}
        validator = settings.__pydantic_validator__
        for name, value in wanted.items():
            try:
                validator.validate_assignment(settings.model_construct(), name, _json(value))
            except ValueError:
                yield pods.id


def _json(text: str) -> object:
    """Read what pydantic-settings reads as JSON."""
    return json.loads(text) if text.startswith(("[", "{")) else text


@rule("no-secret-literals", SOURCE, lambda o: pick(o, "ConfigMap", "user")["data"].update(
    SPOTILIKE_REFRESH_SECRET="x"
))  # fmt: skip
def no_secret_literals(manifests: Manifests) -> Iterable[str]:
    """No password, key or connection string stands in a manifest."""
    words = ("SECRET", "PASSWORD", "TOKEN", "ACCESS_KEY", "DATABASE_URL", "SEED")
    for pods, one in containers(manifests):
        for name, value in manifests.environment(one).items():
            is_path = value.startswith("/") or name == SECRETS_DIR
            if value and not is_path and any(word in name for word in words):
                yield pods.id
    yield from (id_of(secret) for secret in manifests.of("Secret"))


@rule("no-tokens", SOURCE, lambda o: pick(o, "ServiceAccount", "user").pop("automountServiceAccountToken"))
def no_tokens(manifests: Manifests) -> Iterable[str]:
    """No pod can speak to the Kubernetes API, unless it is the one that makes secrets."""
    for account in manifests.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield id_of(account)
    for pods in manifests.pods:
        if pods.spec.get("automountServiceAccountToken") and pods.name != "provision-secrets":
            yield pods.id


@rule("grace", SOURCE, lambda o: pod(o, name="catalog").update(terminationGracePeriodSeconds=30))
def grace(manifests: Manifests) -> Iterable[str]:
    """A service has time to end its longest call and its longest stream before it is killed."""
    for pods in manifests.lasting:
        if pods.name in SERVICE_SETTINGS:
            call, stream, delay, drain = (
                _seconds(manifests, pods, what) for what in ("call", "stream", "drain_delay", "drain")
            )
            longest = max(call, stream if pods.name in STREAMING_CONTEXTS else 0)
            stopping = _pre_stop(pods) + delay + drain + SPARE_SECONDS
            if drain < longest or pods.spec["terminationGracePeriodSeconds"] < stopping:
                yield pods.id


@rule("worker-grace", SOURCE, lambda o: pod(o, name="worker").update(terminationGracePeriodSeconds=60))
def worker_grace(manifests: Manifests) -> Iterable[str]:
    """A worker that has to go may end its task, or give it back."""
    for pods in manifests.lasting:
        if pods.name == "worker":
            drain = float(manifests.environment(pods.containers[0])["SPOTILIKE_DRAIN_SECONDS"])
            if pods.spec["terminationGracePeriodSeconds"] < drain + SPARE_SECONDS:
                yield pods.id


@rule("edge-grace", SOURCE, lambda o: container(o, name="edge")["lifecycle"]["preStop"]["sleep"].update(seconds=10))
def edge_grace(manifests: Manifests) -> Iterable[str]:
    """The edge answers what it was asked before it ends, however long a call may take."""
    for pods in manifests.lasting:
        if pods.name == "edge":
            wait = _pre_stop(pods)
            if wait < max(SLOW_SECONDS.values()) or pods.spec["terminationGracePeriodSeconds"] < wait + SPARE_SECONDS:
                yield pods.id


def _pre_stop(pods: Pods) -> float:
    hook = pods.containers[0].get("lifecycle", {}).get("preStop", {})
    return float(hook.get("sleep", {}).get("seconds", 0))


@rule("pre-stop", SOURCE, lambda o: container(o).pop("lifecycle"))
def pre_stop(manifests: Manifests) -> Iterable[str]:
    """What others call says goodbye before it takes no more."""
    for pods in manifests.lasting:
        is_called = pods.name in (*SERVICE_SETTINGS, "edge") or (
            pods.name == "nats" and pods.owner["spec"]["replicas"] > 1
        )
        if is_called and "preStop" not in pods.containers[0].get("lifecycle", {}):
            yield pods.id


@rule("replicas", SOURCE, lambda o: pick(o, "HorizontalPodAutoscaler")["spec"].update(minReplicas=1))
def replicas(manifests: Manifests) -> Iterable[str]:
    """Services and the edge have at least two replicas, and a budget that keeps one of them."""
    for pods in manifests.lasting:
        if pods.name in (*SERVICE_SETTINGS, "edge"):
            budgets = [one for one in manifests.of("PodDisruptionBudget") if name_of(one) == pods.name]
            if manifests.replicas(pods) < 2 or not budgets:
                yield pods.id


@rule("scalers-rule-alone", SOURCE, lambda o: pick(o, "Deployment", "user")["spec"].update(replicas=2))
def scalers_rule_alone(manifests: Manifests) -> Iterable[str]:
    """What is scaled has no number of its own, which each rollout would set again."""
    for scaler in manifests.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        workload = manifests.find(target["kind"], target["name"])
        if workload and "replicas" in workload["spec"]:
            yield id_of(workload)


@rule("metrics-exist", SOURCE, lambda o: pick(o, "HorizontalPodAutoscaler")["spec"]["metrics"][1]["pods"][
    "metric"
].update(name="calls"), "prod")  # fmt: skip
def metrics_exist(manifests: Manifests) -> Iterable[str]:
    """What services are scaled by is measured by them."""
    declared = {metric.name for metric in Metrics.declared}
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        measured = [
            metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"] if metric["type"] == "Pods"
        ]
        if not set(measured) <= declared:
            yield id_of(scaler)


@rule("nobody-less", SOURCE, lambda o: pick(o, "Deployment", "user")["spec"]["strategy"].pop("rollingUpdate"))
def nobody_less(manifests: Manifests) -> Iterable[str]:
    """During a rollout of a service or the edge there is nobody less than before."""
    for pods in manifests.lasting:
        if pods.name in (*SERVICE_SETTINGS, "edge"):
            update = pods.owner["spec"]["strategy"].get("rollingUpdate", {})
            if update.get("maxUnavailable") != 0 or not update.get("maxSurge"):
                yield pods.id


@rule("zones", SOURCE, lambda o: pod(o).pop("topologySpreadConstraints"), "prod")
def zones(manifests: Manifests) -> Iterable[str]:
    """Replicas are spread over zones; where there are several machines, they must be."""
    wanted = "DoNotSchedule" if manifests.overlay != "dev" else "ScheduleAnyway"
    for pods in manifests.lasting:
        spread = pods.spec.get("topologySpreadConstraints", [])
        if [(one["topologyKey"], one["whenUnsatisfiable"]) for one in spread] != [
            ("topology.kubernetes.io/zone", wanted)
        ]:
            yield pods.id


@rule("schema-first", SOURCE, lambda o: pod(o)["initContainers"].clear())
def schema_first(manifests: Manifests) -> Iterable[str]:
    """A release waits for the schema of its context, which a job of the same release makes."""
    waits = {"worker": "processing"} | {context: context for context in CONTEXTS}
    migrated = {one["args"][1] for pods in manifests.pods for one in pods.containers if _migrates(one)}
    for pods in manifests.lasting:
        if context := waits.get(pods.name):
            first = [one.get("args") for one in pods.all_containers[:1]]
            if first != [["services.common.migrate", context, "--wait"]] or context not in migrated:
                yield pods.id


def _migrates(one: Object) -> bool:
    return program(one) == "services.common.migrate" and "--wait" not in one["args"]


@rule("two-roles", SOURCE, lambda o: pod(o, "Job", "migrate-user")["volumes"][1]["secret"].update(
    secretName="user-secrets"
))  # fmt: skip
def two_roles(manifests: Manifests) -> Iterable[str]:
    """Migrations run as the owner of the tables, and nothing else does."""
    for pods in manifests.pods:
        secrets = [volume["secret"]["secretName"] for volume in pods.spec.get("volumes", []) if "secret" in volume]
        is_owner = any(name.endswith("-owner") for name in secrets)
        if is_owner != any(_migrates(one) for one in pods.containers):
            yield pods.id


@rule("writable-places", SOURCE, lambda o: container(o)["volumeMounts"].append({"name": "tmp", "mountPath": "/app"}))
def writable_places(manifests: Manifests) -> Iterable[str]:
    """Programs of ours write to /tmp, workers to /scratch, and the edge's configuration is written once."""
    allowed = {"/tmp", "/scratch", "/run/envoy", "/data"}  # noqa: S108 (mount points, no files of this process)
    for pods, one in containers(manifests):
        places = {mount["mountPath"] for mount in one.get("volumeMounts", []) if not mount.get("readOnly")}
        if one["image"].startswith("spotilike") and not places <= allowed:
            yield pods.id


@rule("secrets-stay-in-memory", SOURCE, lambda o: pod(o, name="edge")["volumes"][2]["emptyDir"].clear())
def secrets_stay_in_memory(manifests: Manifests) -> Iterable[str]:
    """What holds the edge's key is never written to a disk, and every other scratch space has a size."""
    for pods in manifests.pods:
        for volume in pods.spec.get("volumes", []):
            if "emptyDir" in volume:
                needs_memory = volume["name"] == "configuration"
                if "sizeLimit" not in volume["emptyDir"] or needs_memory != (
                    volume["emptyDir"].get("medium") == "Memory"
                ):
                    yield pods.id


@rule("quota", SOURCE, lambda o: pick(o, "ResourceQuota")["spec"]["hard"].update({"requests.memory": "8Gi"}), "prod")
def quota(manifests: Manifests) -> Iterable[str]:
    """The quota has room for everything at its most, with one pod more of each while a release comes."""
    for limit in manifests.of("ResourceQuota"):
        hard = limit["spec"]["hard"]
        needed = dict.fromkeys(hard, 0.0)
        for pods in manifests.pods:
            count = manifests.most(pods) + (1 if pods.kind == "Deployment" else 0)
            _add(needed, count, [one["resources"] for one in pods.containers])
        for cluster in manifests.of("Cluster"):
            _add(needed, cluster["spec"]["instances"], [cluster["spec"]["resources"]])
        for store in manifests.of("ObjectStore"):
            instances = manifests.of("Cluster")[0]["spec"]["instances"]
            _add(needed, instances, [store["spec"]["instanceSidecarConfiguration"]["resources"]], pods=0)
        if any(needed[key] > quantity(hard[key]) for key in hard):
            yield id_of(limit)


def _add(needed: dict[str, float], count: int, resources: list[Object], pods: int = 1) -> None:
    needed["pods"] += count * pods
    for one in resources:
        for side in ("requests", "limits"):
            for what, amount in one.get(side, {}).items():
                if f"{side}.{what}" in needed:
                    needed[f"{side}.{what}"] += count * quantity(str(amount))


@rule("connections", SOURCE, lambda o: pick(o, "ScaledObject")["spec"].update(maxReplicaCount=200), "prod")
def connections(manifests: Manifests) -> Iterable[str]:
    """The database takes all connections of a service and its workers at their most, while a release comes."""
    for cluster in manifests.of("Cluster"):
        context = name_of(cluster).removesuffix("-db")
        needed = 0
        for pods in manifests.lasting:
            settings = settings_of(pods.containers[0])
            if settings and pods.name in (context, "worker" if context == "processing" else context):
                needed += (manifests.most(pods) + 1) * int(settings.model_fields["database_pool"].default)
        role = next(one for one in cluster["spec"]["managed"]["roles"] if one["name"] == f"{context}_app")
        most = int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
        if not needed <= role["connectionLimit"] < most:
            yield id_of(cluster)


@rule("durable", SOURCE, lambda o: pick(o, "Cluster")["spec"]["postgresql"]["synchronous"].update(
    dataDurability="preferred"
), "prod")  # fmt: skip
def durable(manifests: Manifests) -> Iterable[str]:
    """What was acknowledged is on two machines: rows by synchronous replication, facts in streams of three servers."""
    for cluster in manifests.of("Cluster"):
        synchronous = cluster["spec"]["postgresql"]["synchronous"]
        if cluster["spec"]["instances"] < 3 or synchronous["dataDurability"] != "required":
            yield id_of(cluster)
    if manifests.overlay != "dev":
        job = next(pods for pods in manifests.pods if pods.name == "provision-streams")
        broker = next(pods for pods in manifests.pods if pods.name == "nats")
        copies = manifests.environment(job.containers[0]).get("SPOTILIKE_NATS_REPLICAS")
        if (copies, broker.owner["spec"]["replicas"]) != ("3", 3):
            yield job.id
    configuration = next(one for one in manifests.of("ConfigMap") if name_of(one).startswith("nats-server"))
    if "sync_interval: always" not in configuration["data"]["nats.conf"]:
        yield id_of(configuration)


@rule("objects-outlive-backups", SOURCE, lambda o: pick(o, "ObjectStore")["spec"].update(retentionPolicy="90d"), "prod")
def objects_outlive_backups(manifests: Manifests) -> Iterable[str]:
    """No object is deleted that a database could name again after being restored."""
    for store in manifests.of("ObjectStore"):
        service = next(pods for pods in manifests.lasting if pods.name == "processing")
        environment = manifests.environment(service.containers[0])
        graces = [environment[f"SPOTILIKE_{what}_GRACE_SECONDS"] for what in ("RETIRED", "REPLACED")]
        if any(float(text) <= _kept_seconds(store) for text in graces):
            yield id_of(store)


@rule("erasures-outlive-backups", SOURCE, lambda o: pick(o, "ObjectStore", "user")["spec"].update(
    retentionPolicy="6w"
), "prod")  # fmt: skip
def erasures_outlive_backups(manifests: Manifests) -> Iterable[str]:
    """Who was erased is known for longer than any moment to which the database of users could go back."""
    for store in manifests.of("ObjectStore"):
        if name_of(store) == "user-db" and _kept_seconds(store) >= KEEP_ERASURES.total_seconds():
            yield id_of(store)


def _kept_seconds(store: Object) -> float:
    kept = store["spec"]["retentionPolicy"]
    return float(kept[:-1]) * KEPT_DAYS[kept[-1]] * 86_400


@rule("recovery-first", SOURCE, lambda o: pod(o, "Job", "recover-user")["initContainers"].clear(), "restore")
def recovery_first(manifests: Manifests) -> Iterable[str]:
    """Where databases go back to a moment, a job puts each context right, in a schema that it knows."""
    recovered = set()
    for pods in manifests.pods:
        match pods.containers[0].get("args", []):
            case ["services.provision", "recover", context]:
                recovered.add(context)
                if [one["args"] for one in pods.all_containers[:1]] != [["services.common.migrate", context, "--wait"]]:
                    yield pods.id
    for cluster in manifests.of("Cluster"):
        context = name_of(cluster).removesuffix("-db")
        if "recovery" in cluster["spec"]["bootstrap"] and context in set(RECOVERED) - recovered:
            yield id_of(cluster)


@rule("one-moment", SOURCE, lambda o: pick(o, "Cluster", "catalog")["spec"]["bootstrap"]["recovery"].update(
    recoveryTarget={"targetTime": "2026-01-02T00:00:00Z"}
), "restore")  # fmt: skip
def one_moment(manifests: Manifests) -> Iterable[str]:
    """All databases go back to one moment, and the job that asks who was erased since knows it."""
    moments = {
        manifests.environment(pods.containers[0])["SPOTILIKE_RESTORED_TO"]
        for pods in manifests.pods
        if pods.name == "recover-user"
    }
    for cluster in manifests.of("Cluster"):
        recovery = cluster["spec"]["bootstrap"].get("recovery")
        if recovery and {recovery["recoveryTarget"]["targetTime"]} != moments:
            yield id_of(cluster)


@rule("listeners", SOURCE, lambda o: pick(o, "ConfigMap", "service")["data"].update(
    SPOTILIKE_HEALTH_LISTEN="0.0.0.0:9000"
))  # fmt: skip
def listeners(manifests: Manifests) -> Iterable[str]:
    """Services listen at the ports that their pods declare."""
    for pods in manifests.lasting:
        if pods.name in SERVICE_SETTINGS:
            for name in ("public", "internal", "health"):
                listens = int(_setting(manifests, pods, f"{name}_listen").rpartition(":")[2])
                if pods.port(name) != listens:
                    yield pods.id


@rule("addresses", SOURCE, lambda o: pick(o, "ConfigMap", "broker")["data"].update(SPOTILIKE_NATS_URL="nats://queue:1"))
def addresses(manifests: Manifests) -> Iterable[str]:
    """Addresses in settings lead to services of the namespace, or out of the cluster."""
    names = ("USER_INTERNAL", "CATALOG_INTERNAL", "NATS_URL", "S3_ENDPOINT")
    for pods, one in containers(manifests):
        environment = manifests.environment(one)
        for name in names:
            host, _, port = environment.get(PREFIX + name, "").rpartition("/")[2].rpartition(":")
            service = manifests.find("Service", host)
            ports = [known["port"] for known in service["spec"]["ports"]] if service else []
            if host and int(port) not in ports and "." not in host:
                yield pods.id
