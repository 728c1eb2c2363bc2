"""The Pod Security Standard "restricted", control by control.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ (Kubernetes 1.37).
"""

from collections.abc import Callable, Iterable, Iterator

from tests.k8s.manifests import Manifests, Object, Pods, containers, id_of
from tests.k8s.rules import container, pick, pod, rule

SOURCE = "Pod Security restricted"
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
}
SELINUX_TYPES = {None, "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def each_container(manifests: Manifests, is_bad: Callable[[Object], object]) -> Iterator[str]:
    """Answer the workloads with a bad container."""
    return (pods.id for pods, one in containers(manifests) if is_bad(one))


def each_pod(manifests: Manifests, is_bad: Callable[[Pods], object]) -> Iterator[str]:
    """Answer the workloads with a bad pod."""
    return (pods.id for pods in manifests.pods if is_bad(pods))


def context(item: Object) -> Object:
    """Return a security context; an empty one when there is none."""
    found: Object = item.get("securityContext", {})
    return found


@rule("host-process", SOURCE, lambda o: container(o)["securityContext"].update(windowsOptions={"hostProcess": True}))
def host_process(manifests: Manifests) -> Iterable[str]:
    """No container is a process of a Windows host."""
    return each_container(manifests, lambda one: context(one).get("windowsOptions", {}).get("hostProcess"))


@rule("host-namespaces", SOURCE, lambda o: pod(o).update(hostNetwork=True))
def host_namespaces(manifests: Manifests) -> Iterable[str]:
    """No pod shares the network, the processes or the shared memory of its node."""
    return each_pod(manifests, lambda pods: any(pods.spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")))


@rule("privileged", SOURCE, lambda o: container(o)["securityContext"].update(privileged=True))
def privileged(manifests: Manifests) -> Iterable[str]:
    """No container is privileged."""
    return each_container(manifests, lambda one: context(one).get("privileged"))


@rule("capabilities", SOURCE, lambda o: container(o)["securityContext"].update(capabilities={"drop": ["NET_RAW"]}))
def capabilities(manifests: Manifests) -> Iterable[str]:
    """Every container drops all capabilities and adds none but NET_BIND_SERVICE."""

    def is_bad(one: Object) -> bool:
        wanted = context(one).get("capabilities", {})
        return wanted.get("drop") != ["ALL"] or bool(set(wanted.get("add", [])) - {"NET_BIND_SERVICE"})

    return each_container(manifests, is_bad)


@rule("volume-types", SOURCE, lambda o: pod(o)["volumes"].append({"name": "host", "hostPath": {"path": "/srv"}}))
def volume_types(manifests: Manifests) -> Iterable[str]:
    """Volumes are of the kinds that reach nothing of the node."""
    return each_pod(manifests, lambda pods: any(set(one) - {"name"} - VOLUMES for one in pods.spec.get("volumes", [])))


@rule("host-ports", SOURCE, lambda o: container(o)["ports"][0].update(hostPort=8443))
def host_ports(manifests: Manifests) -> Iterable[str]:
    """No container takes a port of its node."""
    return each_container(manifests, lambda one: any(port.get("hostPort") for port in one.get("ports", [])))


@rule(
    "probe-hosts", SOURCE, lambda o: container(o, name="edge")["readinessProbe"]["httpGet"].update(host="example.com")
)
def probe_hosts(manifests: Manifests) -> Iterable[str]:
    """Probes and hooks ask the pod itself and nobody else."""

    def is_bad(one: Object) -> bool:
        hooks = [one.get(f"{name}Probe", {}) for name in ("startup", "readiness", "liveness")]
        hooks += list(one.get("lifecycle", {}).values())
        return any("host" in hook.get(way, {}) for hook in hooks for way in ("httpGet", "tcpSocket"))

    return each_container(manifests, is_bad)


@rule("app-armor", SOURCE, lambda o: pod(o)["securityContext"].update(appArmorProfile={"type": "Unconfined"}))
def app_armor(manifests: Manifests) -> Iterable[str]:
    """AppArmor is not switched off."""

    def is_open(item: Object) -> bool:
        return bool(context(item).get("appArmorProfile", {}).get("type") == "Unconfined")

    return each_pod(manifests, lambda pods: any(is_open(item) for item in (pods.spec, *pods.all_containers)))


@rule("se-linux", SOURCE, lambda o: pod(o)["securityContext"].update(seLinuxOptions={"type": "spc_t"}))
def se_linux(manifests: Manifests) -> Iterable[str]:
    """SELinux keeps to the types of containers, and to no user or role of its own."""

    def is_bad(item: Object) -> bool:
        options = context(item).get("seLinuxOptions", {})
        return bool({"user", "role"} & set(options)) or options.get("type") not in SELINUX_TYPES

    return each_pod(manifests, lambda pods: any(is_bad(item) for item in (pods.spec, *pods.all_containers)))


@rule("proc-mount", SOURCE, lambda o: container(o)["securityContext"].update(procMount="Unmasked"))
def proc_mount(manifests: Manifests) -> Iterable[str]:
    """/proc is masked as it is by default."""
    return each_container(manifests, lambda one: context(one).get("procMount", "Default") != "Default")


@rule("seccomp", SOURCE, lambda o: pod(o)["securityContext"].pop("seccompProfile"))
def seccomp(manifests: Manifests) -> Iterable[str]:
    """The runtime's seccomp profile holds in every pod."""
    kept = ("RuntimeDefault", "Localhost")

    def is_bad(pods: Pods) -> bool:
        whole = context(pods.spec).get("seccompProfile", {}).get("type")
        return any(context(one).get("seccompProfile", {}).get("type", whole) not in kept for one in pods.all_containers)

    return each_pod(manifests, is_bad)


@rule("sysctls", SOURCE, lambda o: pod(o)["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]))
def sysctls(manifests: Manifests) -> Iterable[str]:
    """No pod changes a setting of the kernel that others share."""
    return each_pod(
        manifests, lambda pods: any(one["name"] not in SYSCTLS for one in context(pods.spec).get("sysctls", []))
    )


@rule("privilege-escalation", SOURCE, lambda o: container(o)["securityContext"].pop("allowPrivilegeEscalation"))
def privilege_escalation(manifests: Manifests) -> Iterable[str]:
    """No process can gain rights that its parent does not have."""
    return each_container(manifests, lambda one: context(one).get("allowPrivilegeEscalation") is not False)


@rule("non-root", SOURCE, lambda o: pod(o)["initContainers"][0].update(securityContext={"runAsNonRoot": False}))
def non_root(manifests: Manifests) -> Iterable[str]:
    """Kubernetes refuses to start a container as root."""

    def is_bad(pods: Pods) -> bool:
        whole = context(pods.spec).get("runAsNonRoot")
        return any(context(one).get("runAsNonRoot", whole) is not True for one in pods.all_containers)

    return each_pod(manifests, is_bad)


@rule("user-id", SOURCE, lambda o: pod(o)["securityContext"].update(runAsUser=0))
def user_id(manifests: Manifests) -> Iterable[str]:
    """Every container runs under a high number that no account of the node has."""

    def is_bad(pods: Pods) -> bool:
        rights = [{"runAsUser": 0, **context(pods.spec), **context(one)} for one in pods.all_containers]
        return any(one["runAsUser"] < 10_000 for one in rights)

    return each_pod(manifests, is_bad)


@rule(
    "enforced",
    SOURCE,
    lambda o: pick(o, "Namespace")["metadata"]["labels"].pop("pod-security.kubernetes.io/enforce"),
)
def enforced(manifests: Manifests) -> Iterable[str]:
    """The namespace refuses whatever is less restricted."""
    for namespace in manifests.of("Namespace"):
        if namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield id_of(namespace)
