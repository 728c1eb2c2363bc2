"""Every check of kube-linter, under its name: the default set, and the optional ones.

Source: docs/generated/checks.md of https://github.com/stackrox/kube-linter (63 checks, July 2026).
"""

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import kubernetes_validate

from tests.k8s import crds
from tests.k8s.manifests import Manifests, Object, Pods, containers, id_of, matches
from tests.k8s.rules import container, pick, pod, rule
from tests.k8s.rules.pod_security import context, each_container, each_pod

DEFAULT, OPTIONAL = "kube-linter, default", "kube-linter, optional"
KUBERNETES = "1.37"
SENSITIVE = {"/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"}
UNSAFE_SYSCTLS = ("kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.", "net.")
PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")
SYSTEM_PRIORITIES = {"", "system-cluster-critical", "system-node-critical"}


def _host_path(path: str) -> Callable[[list[Object]], Any]:
    return lambda o: pod(o)["volumes"].append({"name": "host", "hostPath": {"path": path}})


def _host_paths(pods: Pods) -> Iterator[str]:
    return (volume["hostPath"]["path"] for volume in pods.spec.get("volumes", []) if "hostPath" in volume)


def _probed_ports(one: Object, probe: str) -> Iterator[str | int]:
    asked = one.get(probe, {})
    return (asked[way]["port"] for way in ("httpGet", "tcpSocket", "grpc") if way in asked)


def _unexposed(probe: str) -> Callable[[Object], bool]:
    def is_bad(one: Object) -> bool:
        ports = {port[key] for port in one.get("ports", []) for key in ("name", "containerPort") if key in port}
        return any(port not in ports for port in _probed_ports(one, probe))

    return is_bad


def _rules_of(manifests: Manifests) -> Iterator[tuple[Object, Object]]:
    return ((role, one) for role in manifests.of("Role", "ClusterRole") for one in role.get("rules", []))


def _accounts(manifests: Manifests) -> Iterator[tuple[Pods, str]]:
    return ((pods, pods.spec.get("serviceAccountName", "default")) for pods in manifests.pods)


@rule("dangling-service", DEFAULT, lambda o: pick(o, "Service", "edge")["spec"].update(selector={"a": "b"}))
def dangling_service(manifests: Manifests) -> Iterable[str]:
    """Every service leads to pods."""
    for service in manifests.of("Service"):
        if not manifests.selected({"matchLabels": service["spec"].get("selector", {"none": "none"})}):
            yield id_of(service)


@rule("deprecated-service-account-field", DEFAULT, lambda o: pod(o).update(serviceAccount="user"))
def deprecated_service_account_field(manifests: Manifests) -> Iterable[str]:
    """Accounts are named by the field of today."""
    return each_pod(manifests, lambda pods: "serviceAccount" in pods.spec)


@rule("docker-sock", DEFAULT, _host_path("/var/run/docker.sock"))
def docker_sock(manifests: Manifests) -> Iterable[str]:
    """No pod can speak to the runtime of its node."""
    return each_pod(manifests, lambda pods: any(path.endswith("docker.sock") for path in _host_paths(pods)))


@rule("drop-net-raw-capability", DEFAULT, lambda o: container(o)["securityContext"].pop("capabilities"))
def drop_net_raw_capability(manifests: Manifests) -> Iterable[str]:
    """No container can forge packets."""
    return each_container(
        manifests, lambda one: not {"ALL", "NET_RAW"} & set(context(one).get("capabilities", {}).get("drop", []))
    )


@rule("duplicate-env-var", DEFAULT, lambda o: container(o).update(env=[{"name": "A", "value": ""}] * 2))
def duplicate_env_var(manifests: Manifests) -> Iterable[str]:
    """No variable is set twice."""

    def is_bad(one: Object) -> bool:
        names = [entry["name"] for entry in one.get("env", [])]
        return len(names) != len(set(names))

    return each_container(manifests, is_bad)


@rule("env-var-secret", DEFAULT, lambda o: container(o).update(env=[{"name": "SPOTILIKE_SECRET", "value": "x"}]))
def env_var_secret(manifests: Manifests) -> Iterable[str]:
    """No variable of a pod is a secret."""

    def is_bad(one: Object) -> bool:
        return any(re.search("(?i)secret", entry["name"]) and entry.get("value") for entry in one.get("env", []))

    return each_container(manifests, is_bad)


@rule("host-ipc", DEFAULT, lambda o: pod(o).update(hostIPC=True))
def host_ipc(manifests: Manifests) -> Iterable[str]:
    """No pod shares the shared memory of its node."""
    return each_pod(manifests, lambda pods: pods.spec.get("hostIPC"))


@rule("host-network", DEFAULT, lambda o: pod(o).update(hostNetwork=True))
def host_network(manifests: Manifests) -> Iterable[str]:
    """No pod shares the network of its node."""
    return each_pod(manifests, lambda pods: pods.spec.get("hostNetwork"))


@rule("host-pid", DEFAULT, lambda o: pod(o).update(hostPID=True))
def host_pid(manifests: Manifests) -> Iterable[str]:
    """No pod sees the processes of its node."""
    return each_pod(manifests, lambda pods: pods.spec.get("hostPID"))


@rule("invalid-target-ports", DEFAULT, lambda o: container(o)["ports"][0].update(name="Public_Port"))
def invalid_target_ports(manifests: Manifests) -> Iterable[str]:
    """Names and numbers of ports are such as the API takes."""

    def is_bad(port: str | int) -> bool:
        return not (0 < port < 65_536 if isinstance(port, int) else PORT_NAME.fullmatch(port))

    for pods, one in containers(manifests):
        if any(is_bad(port.get("name", port["containerPort"])) for port in one.get("ports", [])):
            yield pods.id
    for service in manifests.of("Service"):
        if any(is_bad(port.get("targetPort", port["port"])) for port in service["spec"]["ports"]):
            yield id_of(service)


@rule("job-ttl-seconds-after-finished", DEFAULT, lambda o: pick(o, "Job")["spec"].pop("ttlSecondsAfterFinished"))
def job_ttl_seconds_after_finished(manifests: Manifests) -> Iterable[str]:
    """A job that is done goes away by itself."""
    return (id_of(job) for job in manifests.of("Job") if "ttlSecondsAfterFinished" not in job["spec"])


@rule("latest-tag", DEFAULT, lambda o: container(o).update(image="spotilike:latest"))
def latest_tag(manifests: Manifests) -> Iterable[str]:
    """No image changes under its name."""
    return each_container(manifests, lambda one: one["image"].rpartition(":")[2] == "latest" or ":" not in one["image"])


@rule("liveness-port", DEFAULT, lambda o: container(o)["livenessProbe"]["grpc"].update(port=1))
def liveness_port(manifests: Manifests) -> Iterable[str]:
    """Liveness is asked at a port that the container has."""
    return each_container(manifests, _unexposed("livenessProbe"))


@rule(
    "mismatching-selector",
    DEFAULT,
    lambda o: pick(o, "Deployment")["spec"].update(selector={"matchLabels": {"a": "b"}}),
)
def mismatching_selector(manifests: Manifests) -> Iterable[str]:
    """A workload selects the pods that it makes."""
    lasting = manifests.lasting
    return (pods.id for pods in lasting if not matches(pods.owner["spec"].get("selector", {}), pods.labels))


@rule("no-anti-affinity", DEFAULT, lambda o: pod(o)["affinity"].pop("podAntiAffinity"))
def no_anti_affinity(manifests: Manifests) -> Iterable[str]:
    """Replicas of one thing keep to different nodes."""
    for pods in manifests.lasting:
        wanted = pods.spec.get("affinity", {}).get("podAntiAffinity", {})
        terms = [one["podAffinityTerm"] for one in wanted.get("preferredDuringSchedulingIgnoredDuringExecution", [])]
        terms += wanted.get("requiredDuringSchedulingIgnoredDuringExecution", [])
        apart = [term for term in terms if term["topologyKey"] == "kubernetes.io/hostname"]
        if not any(matches(term["labelSelector"], pods.labels) for term in apart):
            yield pods.id


@rule("no-extensions-v1beta", DEFAULT, lambda o: pick(o, "Deployment").update(apiVersion="extensions/v1beta1"))
def no_extensions_v1beta(manifests: Manifests) -> Iterable[str]:
    """Nothing is of an API that is gone."""
    return (id_of(item) for item in manifests.objects if item["apiVersion"].startswith("extensions/v1beta"))


@rule("no-read-only-root-fs", DEFAULT, lambda o: container(o)["securityContext"].pop("readOnlyRootFilesystem"))
def no_read_only_root_fs(manifests: Manifests) -> Iterable[str]:
    """No container can change its own programs."""
    return each_container(manifests, lambda one: not context(one).get("readOnlyRootFilesystem"))


@rule("non-existent-service-account", DEFAULT, lambda o: pod(o).update(serviceAccountName="nobody"))
def non_existent_service_account(manifests: Manifests) -> Iterable[str]:
    """The account of every pod is there."""
    return (pods.id for pods, account in _accounts(manifests) if not manifests.find("ServiceAccount", account))


def _budgets(manifests: Manifests, key: str) -> Iterator[tuple[Object, Any, int]]:
    for budget in manifests.of("PodDisruptionBudget"):
        for pods in manifests.selected(budget["spec"]["selector"]):
            if key in budget["spec"]:
                yield budget, budget["spec"][key], manifests.replicas(pods)


@rule(
    "pdb-max-unavailable",
    DEFAULT,
    lambda o: pick(o, "PodDisruptionBudget")["spec"].update(maxUnavailable=0),
)
def pdb_max_unavailable(manifests: Manifests) -> Iterable[str]:
    """A node can be emptied: each budget lets some pods go."""
    return (id_of(budget) for budget, most, _ in _budgets(manifests, "maxUnavailable") if most in (0, "0%"))


@rule("pdb-min-available", DEFAULT, lambda o: pick(o, "PodDisruptionBudget")["spec"].update(minAvailable=2))
def pdb_min_available(manifests: Manifests) -> Iterable[str]:
    """No budget asks for as many pods as there are."""
    found = _budgets(manifests, "minAvailable")
    return (id_of(budget) for budget, least, replicas in found if least == "100%" or int(least) >= replicas)


@rule(
    "pdb-unhealthy-pod-eviction-policy",
    DEFAULT,
    lambda o: pick(o, "PodDisruptionBudget")["spec"].pop("unhealthyPodEvictionPolicy"),
)
def pdb_unhealthy_pod_eviction_policy(manifests: Manifests) -> Iterable[str]:
    """A pod that never becomes ready does not keep its node from being emptied."""
    for budget in manifests.of("PodDisruptionBudget"):
        if "unhealthyPodEvictionPolicy" not in budget["spec"]:
            yield id_of(budget)


@rule(
    "privilege-escalation-container",
    DEFAULT,
    lambda o: container(o)["securityContext"].update(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
)
def privilege_escalation_container(manifests: Manifests) -> Iterable[str]:
    """No process can gain rights, by whatever way."""

    def is_bad(one: Object) -> bool:
        rights = context(one)
        added = rights.get("capabilities", {}).get("add", [])
        gains = rights.get("allowPrivilegeEscalation") is not False or bool(rights.get("privileged"))
        return gains or "SYS_ADMIN" in added

    return each_container(manifests, is_bad)


@rule("privileged-container", DEFAULT, lambda o: container(o)["securityContext"].update(privileged=True))
def privileged_container(manifests: Manifests) -> Iterable[str]:
    """No container is privileged."""
    return each_container(manifests, lambda one: context(one).get("privileged"))


@rule("readiness-port", DEFAULT, lambda o: container(o)["readinessProbe"]["grpc"].update(port=1))
def readiness_port(manifests: Manifests) -> Iterable[str]:
    """Readiness is asked at a port that the container has."""
    return each_container(manifests, _unexposed("readinessProbe"))


@rule("run-as-non-root", DEFAULT, lambda o: pod(o)["securityContext"].update(runAsGroup=0))
def run_as_non_root(manifests: Manifests) -> Iterable[str]:
    """No container is root's, nor of root's group."""

    def is_bad(pods: Pods) -> bool:
        for one in pods.all_containers:
            rights = {**context(pods.spec), **context(one)}
            if not (rights.get("runAsNonRoot") and rights.get("runAsUser") and rights.get("runAsGroup")):
                return True
        return False

    return each_pod(manifests, is_bad)


@rule("sensitive-host-mounts", DEFAULT, _host_path("/etc"))
def sensitive_host_mounts(manifests: Manifests) -> Iterable[str]:
    """No pod sees the files of its node."""
    return each_pod(manifests, lambda pods: SENSITIVE & set(_host_paths(pods)))


@rule("ssh-port", DEFAULT, lambda o: container(o)["ports"].append({"containerPort": 22}))
def ssh_port(manifests: Manifests) -> Iterable[str]:
    """Nobody can log in to a container."""
    return each_container(manifests, lambda one: any(port["containerPort"] == 22 for port in one.get("ports", [])))


@rule("startup-port", DEFAULT, lambda o: container(o)["startupProbe"]["grpc"].update(port=1))
def startup_port(manifests: Manifests) -> Iterable[str]:
    """Whether a container has started is asked at a port that it has."""
    return each_container(manifests, _unexposed("startupProbe"))


@rule(
    "unsafe-sysctls",
    DEFAULT,
    lambda o: pod(o)["securityContext"].update(sysctls=[{"name": "net.core.somaxconn", "value": "1"}]),
)
def unsafe_sysctls(manifests: Manifests) -> Iterable[str]:
    """No pod changes the kernel's limits."""
    return each_pod(
        manifests,
        lambda pods: any(one["name"].startswith(UNSAFE_SYSCTLS) for one in context(pods.spec).get("sysctls", [])),
    )


@rule("unset-cpu-requirements", DEFAULT, lambda o: container(o)["resources"]["requests"].pop("cpu"))
def unset_cpu_requirements(manifests: Manifests) -> Iterable[str]:
    """The scheduler knows how much of a processor every container needs."""
    return each_container(manifests, lambda one: "cpu" not in one.get("resources", {}).get("requests", {}))


@rule("unset-memory-requirements", DEFAULT, lambda o: container(o)["resources"]["limits"].pop("memory"))
def unset_memory_requirements(manifests: Manifests) -> Iterable[str]:
    """No container can take the memory of its neighbours."""

    def is_bad(one: Object) -> bool:
        wanted = one.get("resources", {})
        return "memory" not in wanted.get("requests", {}) or "memory" not in wanted.get("limits", {})

    return each_container(manifests, is_bad)


@rule(
    "access-to-create-pods",
    OPTIONAL,
    lambda o: pick(o, "Role")["rules"].append({"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}),
)
def access_to_create_pods(manifests: Manifests) -> Iterable[str]:
    """Nobody of ours can start pods."""
    makers = {"pods", "deployments", "statefulsets", "replicasets", "cronjobs", "jobs", "daemonsets"}
    for role, one in _rules_of(manifests):
        if makers & set(one["resources"]) and "create" in one["verbs"]:
            yield id_of(role)


@rule(
    "access-to-secrets",
    OPTIONAL,
    lambda o: o.append({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "curious", "namespace": "spotilike"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}],
    }),
)  # fmt: skip
def access_to_secrets(manifests: Manifests) -> Iterable[str]:
    """Nobody of ours reads Secrets through the API."""
    ways = {"get", "list", "delete", "create", "watch", "*"}
    for role, one in _rules_of(manifests):
        if "secrets" in one["resources"] and ways & set(one["verbs"]):
            yield id_of(role)


@rule(
    "cluster-admin-role-binding",
    OPTIONAL,
    lambda o: pick(o, "RoleBinding")["roleRef"].update(kind="ClusterRole", name="cluster-admin"),
)
def cluster_admin_role_binding(manifests: Manifests) -> Iterable[str]:
    """Nobody of ours rules the cluster."""
    for binding in manifests.of("RoleBinding", "ClusterRoleBinding"):
        if binding["roleRef"]["name"] == "cluster-admin":
            yield id_of(binding)


@rule(
    "dangling-horizontalpodautoscaler",
    OPTIONAL,
    lambda o: pick(o, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"].update(name="gone"),
)
def dangling_horizontalpodautoscaler(manifests: Manifests) -> Iterable[str]:
    """Every scaler scales something."""
    for scaler in manifests.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        if not manifests.find(target["kind"], target["name"]):
            yield id_of(scaler)


def _ingress_services(manifests: Manifests) -> Iterator[tuple[Object, str, Any]]:
    for ingress in manifests.of("Ingress"):
        for one in ingress["spec"].get("rules", []):
            for path in one["http"]["paths"]:
                service = path["backend"]["service"]
                yield ingress, service["name"], service["port"].get("number", service["port"].get("name"))
    for route in manifests.of("HTTPRoute"):
        for one in route["spec"].get("rules", []):
            yield from ((route, backend["name"], backend["port"]) for backend in one.get("backendRefs", []))


@rule(
    "dangling-ingress",
    OPTIONAL,
    lambda o: pick(o, "HTTPRoute")["spec"]["rules"][0]["backendRefs"][0].update(name="gone"),
    "prod",
)
def dangling_ingress(manifests: Manifests) -> Iterable[str]:
    """What comes from outside is sent to a service and a port that are there."""
    for route, name, port in _ingress_services(manifests):
        service = manifests.find("Service", name)
        ports = service["spec"]["ports"] if service else []
        if not any(port in (known["port"], known.get("name")) for known in ports):
            yield id_of(route)


@rule(
    "dangling-networkpolicy",
    OPTIONAL,
    lambda o: pick(o, "NetworkPolicy", "edge")["spec"].update(podSelector={"matchLabels": {"a": "b"}}),
)
def dangling_networkpolicy(manifests: Manifests) -> Iterable[str]:
    """Every network policy is about pods that are there."""
    for policy in manifests.of("NetworkPolicy"):
        if not manifests.selected(policy["spec"]["podSelector"]):
            yield id_of(policy)


def _peers(policy: Object) -> Iterator[Object]:
    spec = policy["spec"]
    for way, side in (("ingress", "from"), ("egress", "to")):
        for one in spec.get(way, []):
            yield from one.get(side, [])


@rule(
    "dangling-networkpolicypeer-podselector",
    OPTIONAL,
    lambda o: pick(o, "NetworkPolicy", "edge")["spec"]["egress"][0]["to"].append(
        {"podSelector": {"matchLabels": {"a": "b"}}}
    ),
)
def dangling_networkpolicypeer_podselector(manifests: Manifests) -> Iterable[str]:
    """Every peer of a network policy is there, unless it is another namespace's."""
    for policy in manifests.of("NetworkPolicy"):
        ours = [peer["podSelector"] for peer in _peers(policy) if set(peer) == {"podSelector"}]
        if not all(manifests.selected(selector) for selector in ours):
            yield id_of(policy)


@rule(
    "dangling-servicemonitor",
    OPTIONAL,
    lambda o: pick(o, "PodMonitor")["spec"].update(selector={"matchLabels": {"a": "b"}}),
    "prod",
)
def dangling_servicemonitor(manifests: Manifests) -> Iterable[str]:
    """Every monitor finds something to read."""
    for monitor in manifests.of("PodMonitor"):
        if not manifests.selected(monitor["spec"]["selector"]):
            yield id_of(monitor)


@rule("default-service-account", OPTIONAL, lambda o: pod(o).pop("serviceAccountName"))
def default_service_account(manifests: Manifests) -> Iterable[str]:
    """Every pod has an account of its own."""
    return (pods.id for pods, account in _accounts(manifests) if account == "default")


@rule("dnsconfig-options", OPTIONAL, lambda o: pod(o).pop("dnsConfig"))
def dnsconfig_options(manifests: Manifests) -> Iterable[str]:
    """A name outside the cluster is not looked up inside of it first."""
    wanted = {"name": "ndots", "value": "2"}
    return each_pod(manifests, lambda pods: wanted not in pods.spec.get("dnsConfig", {}).get("options", []))


@rule(
    "env-value-from",
    OPTIONAL,
    lambda o: container(o).update(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "a"}}}]),
)
def env_value_from(manifests: Manifests) -> Iterable[str]:
    """Variables come from ConfigMaps that are there."""

    def is_bad(one: Object) -> bool:
        given = [entry.get("valueFrom", {}) for entry in one.get("env", [])] + one.get("envFrom", [])
        names = [source.get(key, {}).get("name") for source in given for key in ("configMapKeyRef", "configMapRef")]
        return any(name and not manifests.find("ConfigMap", name) for name in names)

    return each_container(manifests, is_bad)


@rule("exposed-services", OPTIONAL, lambda o: pick(o, "Service", "edge")["spec"].update(type="NodePort"))
def exposed_services(manifests: Manifests) -> Iterable[str]:
    """Nothing is reached from outside but through the gateway."""
    types = ("NodePort", "LoadBalancer")
    return (id_of(service) for service in manifests.of("Service") if service["spec"].get("type") in types)


@rule(
    "hpa-minimum-three-replicas",
    OPTIONAL,
    lambda o: pick(o, "HorizontalPodAutoscaler")["spec"].update(minReplicas=2),
    "prod",
)
def hpa_minimum_three_replicas(manifests: Manifests) -> Iterable[str]:
    """There are never fewer than three."""
    scalers = manifests.of("HorizontalPodAutoscaler")
    return (id_of(scaler) for scaler in scalers if scaler["spec"].get("minReplicas", 1) < 3)


@rule("minimum-three-replicas", OPTIONAL, lambda o: pick(o, "StatefulSet")["spec"].update(replicas=1), "prod")
def minimum_three_replicas(manifests: Manifests) -> Iterable[str]:
    """There are three of everything."""
    return (pods.id for pods in manifests.lasting if manifests.replicas(pods) < 3)


@rule("no-liveness-probe", OPTIONAL, lambda o: container(o).pop("livenessProbe"))
def no_liveness_probe(manifests: Manifests) -> Iterable[str]:
    """A process that hangs is started again."""
    return (pods.id for pods in manifests.pods if any("livenessProbe" not in one for one in pods.containers))


@rule("no-node-affinity", OPTIONAL, lambda o: pod(o)["affinity"].pop("nodeAffinity"))
def no_node_affinity(manifests: Manifests) -> Iterable[str]:
    """Every pod says what nodes it can run on."""
    return each_pod(manifests, lambda pods: "nodeAffinity" not in pods.spec.get("affinity", {}))


@rule("no-readiness-probe", OPTIONAL, lambda o: container(o).pop("readinessProbe"))
def no_readiness_probe(manifests: Manifests) -> Iterable[str]:
    """Nobody is asked before they can answer."""
    return (pods.id for pods in manifests.pods if any("readinessProbe" not in one for one in pods.containers))


@rule(
    "no-rolling-update-strategy",
    OPTIONAL,
    lambda o: pick(o, "Deployment")["spec"].update(strategy={"type": "Recreate"}),
)
def no_rolling_update_strategy(manifests: Manifests) -> Iterable[str]:
    """A new release comes little by little."""
    for pods in manifests.lasting:
        spec = pods.owner["spec"]
        if spec.get("strategy", spec.get("updateStrategy", {})).get("type") != "RollingUpdate":
            yield pods.id


@rule("non-isolated-pod", OPTIONAL, lambda o: pick(o, "NetworkPolicy", "deny-all")["spec"].update(podSelector={
    "matchLabels": {"app.kubernetes.io/name": "edge"}
}))  # fmt: skip
def non_isolated_pod(manifests: Manifests) -> Iterable[str]:
    """No pod can be reached by everybody."""
    policies = [policy["spec"] for policy in manifests.of("NetworkPolicy")]
    guards = [policy["podSelector"] for policy in policies if "Ingress" in policy["policyTypes"]]
    return (pods.id for pods in manifests.everybody if not any(matches(guard, pods.labels) for guard in guards))


@rule("priority-class-name", OPTIONAL, lambda o: pod(o).update(priorityClassName="mine"))
def priority_class_name(manifests: Manifests) -> Iterable[str]:
    """No pod claims a priority that the cluster does not know."""
    return each_pod(manifests, lambda pods: pods.spec.get("priorityClassName", "") not in SYSTEM_PRIORITIES)


@rule("privileged-ports", OPTIONAL, lambda o: container(o)["ports"].append({"containerPort": 443}))
def privileged_ports(manifests: Manifests) -> Iterable[str]:
    """No container listens where only root may."""
    return each_container(manifests, lambda one: any(port["containerPort"] < 1024 for port in one.get("ports", [])))


@rule(
    "read-secret-from-env-var",
    OPTIONAL,
    lambda o: container(o).update(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
)
def read_secret_from_env_var(manifests: Manifests) -> Iterable[str]:
    """Secrets arrive as files, which children and crash reports do not inherit."""

    def is_bad(one: Object) -> bool:
        singly = any("secretKeyRef" in entry.get("valueFrom", {}) for entry in one.get("env", []))
        return singly or any("secretRef" in source for source in one.get("envFrom", []))

    return each_container(manifests, is_bad)


@rule("required-annotation-email", OPTIONAL, lambda o: pick(o, "Service")["metadata"].pop("annotations"))
def required_annotation_email(manifests: Manifests) -> Iterable[str]:
    """Every object says whom to write to."""
    address = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
    for item in manifests.objects:
        if not address.fullmatch(item["metadata"].get("annotations", {}).get("email", "")):
            yield id_of(item)


@rule("required-label-owner", OPTIONAL, lambda o: pick(o, "Service")["metadata"]["labels"].pop("owner"))
def required_label_owner(manifests: Manifests) -> Iterable[str]:
    """Every object says whose it is."""
    return (id_of(item) for item in manifests.objects if not item["metadata"].get("labels", {}).get("owner"))


@rule("restart-policy", OPTIONAL, lambda o: pod(o, "Job", "migrate").update(restartPolicy="Never"))
def restart_policy(manifests: Manifests) -> Iterable[str]:
    """What fails is tried again."""
    return each_pod(manifests, lambda pods: pods.spec.get("restartPolicy", "Always") not in ("Always", "OnFailure"))


@rule(
    "scc-deny-privileged-container",
    OPTIONAL,
    lambda o: o.append({
        "apiVersion": "security.openshift.io/v1",
        "kind": "SecurityContextConstraints",
        "metadata": {"name": "open"},
        "allowPrivilegedContainer": True,
    }),
)  # fmt: skip
def scc_deny_privileged_container(manifests: Manifests) -> Iterable[str]:
    """On OpenShift, nothing of ours allows privileged containers."""
    constraints = manifests.of("SecurityContextConstraints")
    return (id_of(one) for one in constraints if one.get("allowPrivilegedContainer"))


@rule("schema-validation", OPTIONAL, lambda o: pick(o, "Deployment")["spec"].update(replica=3))
def schema_validation(manifests: Manifests) -> Iterable[str]:
    """Every object is of the schema of its kind, and no field is unknown."""
    return (id_of(item) for item in manifests.objects if fault(item))


def fault(item: Object) -> str:
    """Say what is wrong with an object by the schema of its kind; nothing is wrong with a good one."""
    return crds.fault(item) if crds.knows(item) else _fault(json.dumps(item))


@functools.cache
def _fault(text: str) -> str:
    item = json.loads(text)
    try:
        kubernetes_validate.validate(item, KUBERNETES, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return f"{id_of(item)}: {error}"
    return ""


@rule("sorted-keys", OPTIONAL, lambda o: o[0].update(aardvark=1))
def sorted_keys(manifests: Manifests) -> Iterable[str]:
    """Keys are in the order of the alphabet, as kustomize writes them."""

    def is_sorted(part: object) -> bool:
        if isinstance(part, dict):
            return list(part) == sorted(part) and all(map(is_sorted, part.values()))
        return all(map(is_sorted, part)) if isinstance(part, list) else True

    return (id_of(item) for item in manifests.objects if not is_sorted(item))


@rule("unsafe-proc-mount", OPTIONAL, lambda o: container(o)["securityContext"].update(procMount="Unmasked"))
def unsafe_proc_mount(manifests: Manifests) -> Iterable[str]:
    """No container sees more of /proc than it should."""
    return each_container(manifests, lambda one: context(one).get("procMount", "Default") == "Unmasked")


@rule("use-namespace", OPTIONAL, lambda o: pick(o, "Service")["metadata"].update(namespace="default"))
def use_namespace(manifests: Manifests) -> Iterable[str]:
    """Everything is in a namespace of its own."""
    for item in manifests.objects:
        if item["kind"] != "Namespace" and item["metadata"].get("namespace", "default") == "default":
            yield id_of(item)


@rule("wildcard-in-rules", OPTIONAL, lambda o: pick(o, "Role")["rules"][0].update(verbs=["*"]))
def wildcard_in_rules(manifests: Manifests) -> Iterable[str]:
    """Rights are named one by one."""
    for role, one in _rules_of(manifests):
        if any("*" in one.get(key, []) for key in ("apiGroups", "resources", "verbs")):
            yield id_of(role)


@rule("writable-host-mount", OPTIONAL, _host_path("/srv"))
def writable_host_mount(manifests: Manifests) -> Iterable[str]:
    """No pod writes to the disk of its node."""

    def is_bad(pods: Pods) -> bool:
        theirs = {volume["name"] for volume in pods.spec.get("volumes", []) if "hostPath" in volume}
        mounts = [mount for one in pods.all_containers for mount in one.get("volumeMounts", [])]
        return bool(theirs - {mount["name"] for mount in mounts if mount.get("readOnly")})

    return each_pod(manifests, is_bad)
