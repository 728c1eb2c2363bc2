"""Nothing points at what is not there: secrets and who makes them, ports, claims, issuers, engines, streams."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from services.common.streams import CONSUMERS, CONTEXTS, STREAMS
from services.provision import holders
from services.provision.keepers import Folder
from tests.k8s.manifests import Manifests, Object, Pods, id_of, name_of
from tests.k8s.rules import container, pick, pod, rule

SOURCE = "references"


def secrets_made(manifests: Manifests) -> Mapping[str, set[str]]:
    """Return who keeps which keys: what the administrator's job makes, or cert-manager and External Secrets do."""
    made: dict[str, set[str]] = {}
    if manifests.find("Job", "provision-secrets-0-1-0"):
        made |= _by_the_job()
    for secret in manifests.of("ExternalSecret"):
        made[name_of(secret)] = set(secret["spec"]["target"]["template"]["data"])
    for certificate in manifests.of("Certificate"):
        made[certificate["spec"]["secretName"]] = {"tls.crt", "tls.key", "ca.crt"}
    return made


def _by_the_job() -> Mapping[str, set[str]]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        holders.write_all(Folder(folder), "postgres:5432", ["{service}"])
        return {made.name: {file.name for file in made.iterdir()} for made in folder.iterdir()}


Read = tuple[str, str, set[str]]
"""Who reads which keys of which secret; no keys where all are mounted."""


def _secrets_read(manifests: Manifests) -> Iterator[Read]:
    for pods in manifests.pods:
        for volume in pods.spec.get("volumes", []):
            if secret := volume.get("secret"):
                yield pods.id, secret["secretName"], {item["key"] for item in secret.get("items", [])}
    for cluster in manifests.of("Cluster"):
        yield from _read_by_cluster(cluster)
    for gateway in manifests.of("Gateway"):
        for listener in gateway["spec"]["listeners"]:
            for reference in listener.get("tls", {}).get("certificateRefs", []):
                yield id_of(gateway), reference["name"], {"tls.crt", "tls.key"}
    keys = [(one, one["spec"]["secretTargetRef"]) for one in manifests.of("TriggerAuthentication")]
    stores = [(one, one["spec"]["configuration"]["s3Credentials"].values()) for one in manifests.of("ObjectStore")]
    for reader, references in keys + stores:
        yield from ((id_of(reader), key["name"], {key["key"]}) for key in references)


def _read_by_cluster(cluster: Object) -> Iterator[Read]:
    spec = cluster["spec"]
    for name in spec["certificates"].values():
        yield id_of(cluster), name, {"tls.crt", "tls.key", "ca.crt"}
    logins = [bootstrap["secret"]["name"] for bootstrap in spec["bootstrap"].values() if bootstrap]
    logins += [role["passwordSecret"]["name"] for role in spec["managed"]["roles"]]
    yield from ((id_of(cluster), login, {"username", "password"}) for login in logins)


@rule("secrets-are-made", SOURCE, lambda o: pod(o)["volumes"][1]["secret"].update(secretName="nobodys"))
def secrets_are_made(manifests: Manifests) -> Iterable[str]:
    """Every secret that somebody reads is made by somebody, with the keys that are read."""
    made = secrets_made(manifests)
    for reader, name, keys in _secrets_read(manifests):
        if name not in made or not keys <= made[name]:
            yield reader


@rule(
    "secrets-are-read",
    SOURCE,
    lambda o: pick(o, "ExternalSecret", "edge-secrets")["metadata"].update(name="nobody-reads-this"),
    "prod",
)
def secrets_are_read(manifests: Manifests) -> Iterable[str]:
    """No secret is fetched into the cluster that nobody reads."""
    read = {name for _, name, _ in _secrets_read(manifests)}
    return (id_of(secret) for secret in manifests.of("ExternalSecret") if name_of(secret) not in read)


@rule("only-own-secrets", SOURCE, lambda o: pod(o)["volumes"][1]["secret"].update(secretName="catalog-secrets"))
def only_own_secrets(manifests: Manifests) -> Iterable[str]:
    """No pod mounts the secrets of another service; of its certificate, others see the authority at most."""
    for pods in manifests.pods:
        for volume in pods.spec.get("volumes", []):
            secret = volume.get("secret", {})
            name = secret.get("secretName", "")
            only_authority = [item["key"] for item in secret.get("items", [])] == ["ca.crt"]
            if name and not only_authority and name not in _own(pods):
                yield pods.id


def _own(pods: Pods) -> set[str]:
    engines = {"postgres": {"postgres-secrets"}, "seaweedfs": {"seaweedfs-identities"}, "nats": {"nats-config"}}
    own = {f"{pods.name}-secrets", f"{pods.name}-tls"} | engines.get(pods.name, set())
    if pods.name.startswith("provision-"):
        own.add("provision-secrets")
    if pods.name.startswith("migrate-"):
        own.add(f"{pods.name.removeprefix('migrate-')}-owner")
    if pods.name.startswith("recover-"):
        own.add(f"{pods.name.removeprefix('recover-')}-secrets")
    return own


@rule("mounts-have-volumes", SOURCE, lambda o: pod(o)["volumes"].pop())
def mounts_have_volumes(manifests: Manifests) -> Iterable[str]:
    """Every mount is of a volume of its pod, and every volume is mounted."""
    for pods in manifests.pods:
        mounted = {mount["name"] for one in pods.all_containers for mount in one.get("volumeMounts", [])}
        if mounted != {volume["name"] for volume in pods.volumes}:
            yield pods.id


@rule("config-maps-exist", SOURCE, lambda o: o.remove(pick(o, "ConfigMap", "user-settings")))
def config_maps_exist(manifests: Manifests) -> Iterable[str]:
    """Every ConfigMap that a pod reads is there, and every one that is there is read."""
    read = set()
    for pods in manifests.pods:
        sources = [source for one in pods.all_containers for source in one.get("envFrom", [])]
        names = {source["configMapRef"]["name"] for source in sources}
        names |= {volume["configMap"]["name"] for volume in pods.spec.get("volumes", []) if "configMap" in volume}
        read |= names
        if not all(manifests.find("ConfigMap", name) for name in names):
            yield pods.id
    yield from (id_of(item) for item in manifests.of("ConfigMap") if name_of(item) not in read)


@rule("ports-by-name", SOURCE, lambda o: pick(o, "Service", "edge")["spec"]["ports"][0].update(targetPort="web"))
def ports_by_name(manifests: Manifests) -> Iterable[str]:
    """Ports that services, policies, probes and monitors name are ports of the pods that they mean."""
    for service in manifests.of("Service"):
        for pods in manifests.selected({"matchLabels": service["spec"]["selector"]}):
            if any(pods.port(port["targetPort"]) is None for port in service["spec"]["ports"]):
                yield id_of(service)
    for pods in manifests.pods:
        if any(pods.port(port) is None for port in _probed(pods)):
            yield pods.id
    for monitor in manifests.of("PodMonitor"):
        names = {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
        for pods in manifests.selected(monitor["spec"]["selector"]):
            if pods.spec and any(pods.port(name) is None for name in names):
                yield id_of(monitor)


def _probed(pods: Pods) -> Iterator[str | int]:
    for one in pods.containers:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = one.get(probe, {})
            yield from (asked[way]["port"] for way in ("httpGet", "tcpSocket", "grpc") if way in asked)


@rule("budgets-hold-something", SOURCE, lambda o: pick(o, "PodDisruptionBudget")["spec"]["selector"].update(
    matchLabels={"a": "b"}
))  # fmt: skip
def budgets_hold_something(manifests: Manifests) -> Iterable[str]:
    """Every disruption budget is about exactly one workload."""
    for budget in manifests.of("PodDisruptionBudget"):
        if len(manifests.selected(budget["spec"]["selector"])) != 1:
            yield id_of(budget)


@rule("sets-have-services", SOURCE, lambda o: pick(o, "StatefulSet")["spec"].update(serviceName="gone"))
def sets_have_services(manifests: Manifests) -> Iterable[str]:
    """The pods of a stateful set have names in the namespace: its service is there and has no address of its own."""
    for pods in manifests.lasting:
        if pods.kind == "StatefulSet" and not manifests.find("Service", pods.owner["spec"]["serviceName"]):
            yield pods.id


@rule("roles-are-bound", SOURCE, lambda o: pick(o, "RoleBinding")["subjects"][0].update(name="gone"))
def roles_are_bound(manifests: Manifests) -> Iterable[str]:
    """A binding names a role and an account that are there."""
    for binding in manifests.of("RoleBinding"):
        role = manifests.find(binding["roleRef"]["kind"], binding["roleRef"]["name"])
        if not (role and all(manifests.find(who["kind"], who["name"]) for who in binding["subjects"])):
            yield id_of(binding)


@rule("accounts-are-used", SOURCE, lambda o: pick(o, "ServiceAccount", "user")["metadata"].update(name="idle"))
def accounts_are_used(manifests: Manifests) -> Iterable[str]:
    """No account is there that no pod has."""
    used = {pods.spec["serviceAccountName"] for pods in manifests.pods if "serviceAccountName" in pods.spec}
    return (id_of(account) for account in manifests.of("ServiceAccount") if name_of(account) not in used)


@rule("issuers-exist", SOURCE, lambda o: pick(o, "Certificate", "user")["spec"]["issuerRef"].update(name="x"), "prod")
def issuers_exist(manifests: Manifests) -> Iterable[str]:
    """Every certificate has an issuer here; only the public one has the cluster's."""
    for certificate in manifests.of("Certificate"):
        reference = certificate["spec"]["issuerRef"]
        is_public = reference["kind"] == "ClusterIssuer" and name_of(certificate) == "public"
        if not (is_public or manifests.find(reference["kind"], reference["name"])):
            yield id_of(certificate)
    for issuer in manifests.of("Issuer"):
        authority = issuer["spec"].get("ca", {}).get("secretName")
        if authority and authority not in secrets_made(manifests):
            yield id_of(issuer)


@rule("names-in-certificates", SOURCE, lambda o: pick(o, "Certificate", "user")["spec"].update(uris=[]), "prod")
def names_in_certificates(manifests: Manifests) -> Iterable[str]:
    """A service's certificate has the SPIFFE id by which others know it, and its name in the namespace."""
    for certificate in manifests.of("Certificate"):
        owner = certificate["spec"]["secretName"].removesuffix("-tls")
        spec = certificate["spec"]
        if owner in (*CONTEXTS, "edge") and (spec["uris"], spec["dnsNames"]) != (
            [f"spiffe://spotilike.local/{owner}"],
            [owner],
        ):
            yield id_of(certificate)


@rule("routes-have-gateways", SOURCE, lambda o: pick(o, "HTTPRoute")["spec"]["parentRefs"][0].update(
    sectionName="gone"
), "prod")  # fmt: skip
def routes_have_gateways(manifests: Manifests) -> Iterable[str]:
    """Every route belongs to a listener of a gateway, and every listener has a route."""
    listeners = {
        (name_of(gateway), listener["name"])
        for gateway in manifests.of("Gateway")
        for listener in gateway["spec"]["listeners"]
    }
    routed = set()
    for route in manifests.of("HTTPRoute"):
        parents = {(parent["name"], parent["sectionName"]) for parent in route["spec"]["parentRefs"]}
        routed |= parents
        if not parents <= listeners:
            yield id_of(route)
    yield from (f"Gateway/{gateway}" for gateway, _ in listeners - routed)


@rule(
    "backups-have-places",
    SOURCE,
    lambda o: pick(o, "ScheduledBackup", "user")["spec"]["cluster"].update(name="catalog-db"),
    "prod",
)
def backups_have_places(manifests: Manifests) -> Iterable[str]:
    """Every database archives its log to a store of its own and is backed up every night."""
    backed_up = [backup["spec"]["cluster"]["name"] for backup in manifests.of("ScheduledBackup")]
    places = [one["spec"]["configuration"]["destinationPath"] for one in manifests.of("ObjectStore")]
    for cluster in manifests.of("Cluster"):
        archivers = [plugin for plugin in cluster["spec"]["plugins"] if plugin.get("isWALArchiver")]
        stores = [plugin["parameters"]["barmanObjectName"] for plugin in archivers]
        has_place = len(stores) == 1 and manifests.find("ObjectStore", stores[0]) and len(places) == len(set(places))
        if not (has_place and backed_up.count(name_of(cluster)) == 1):
            yield id_of(cluster)


@rule("triggers-have-keys", SOURCE, lambda o: pick(o, "ScaledObject")["spec"]["triggers"][0][
    "authenticationRef"
].update(name="gone"), "prod")  # fmt: skip
def triggers_have_keys(manifests: Manifests) -> Iterable[str]:
    """Every trigger of a scaler has the means to ask."""
    for scaler in manifests.of("ScaledObject"):
        names = [trigger["authenticationRef"]["name"] for trigger in scaler["spec"]["triggers"]]
        if not all(manifests.find("TriggerAuthentication", name) for name in names):
            yield id_of(scaler)


@rule("streams-have-owners", SOURCE, lambda o: o.remove(pick(o, "Deployment", "catalog")))
def streams_have_owners(manifests: Manifests) -> Iterable[str]:
    """Whoever tells or hears facts by a stream runs, and the job that makes streams and consumers is there."""
    running = {pods.name for pods in manifests.lasting}
    tellers = {stream.lower() for stream in STREAMS} | {consumer.stream.lower() for consumer in CONSUMERS}
    missing = (tellers | {consumer.context for consumer in CONSUMERS}) - running
    yield from (f"stream of {context}" for context in sorted(missing))
    if "provision-streams" not in {pods.name for pods in manifests.pods}:
        yield "Job/provision-streams"


@rule("images-are-pinned", SOURCE, lambda o: container(o).update(image="spotilike:stable"))
def images_are_pinned(manifests: Manifests) -> Iterable[str]:
    """Every image has an exact version."""
    for owner, image in _images(manifests):
        version = image.rpartition(":")[2]
        if ":" not in image or version.split("-")[0].count(".") < 1 or not version[0].isdigit():
            yield owner


def _images(manifests: Manifests) -> Iterator[tuple[str, str]]:
    for pods in manifests.pods:
        yield from ((pods.id, one["image"]) for one in pods.all_containers)
    yield from ((id_of(cluster), cluster["spec"]["imageName"]) for cluster in manifests.of("Cluster"))


@rule("one-release", SOURCE, lambda o: container(o).update(image="spotilike:0.0.9"))
def one_release(manifests: Manifests) -> Iterable[str]:
    """Our own images are of one release, and jobs carry it in their names."""
    ours = [(owner, image.rpartition(":")[2]) for owner, image in _images(manifests) if image.startswith("spotilike")]
    release = pick_release(manifests)
    yield from (owner for owner, version in ours if version != release)
    for job in manifests.of("Job"):
        if not name_of(job).endswith("-" + release.replace(".", "-")):
            yield id_of(job)


def pick_release(manifests: Manifests) -> str:
    """Return the release of the edge, which is everybody's."""
    edge: Object = next(pods for pods in manifests.pods if pods.name == "edge").containers[0]
    return str(edge["image"]).rpartition(":")[2]
