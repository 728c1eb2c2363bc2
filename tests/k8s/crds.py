"""Strict schemas of the operators' resources: exactly the fields that the manifests use, and no other.

Kubernetes' own kinds have their schemas in `kubernetes-validate`. The operators' CustomResourceDefinitions are in no
package for this Python, so what they say of these fields is written here, each from the file that is named. A field
that is added to a manifest is added here after looking it up.
"""

import copy
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from tests.k8s.manifests import Object, id_of

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
Duration = Annotated[str, StringConstraints(pattern=r"^\d+h$")]
"""Of Go, as far as it is used here."""
GatewayDuration = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")]
Quantity = Annotated[str, StringConstraints(pattern=r"^\d+(m|[KMGT]i)?$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Texts = dict[str, str]


class Strict(BaseModel):
    """Knows its fields and no others, and takes no type for another."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Named(Strict):
    """A reference within the namespace."""

    name: Name


class Key(Strict):
    """A key of a Secret."""

    name: Name
    key: str


class Selector(Strict):
    """meta/v1 LabelSelector."""

    match_labels: Texts | None = None
    match_expressions: list["Expression"] | None = None


class Expression(Strict):
    """meta/v1 LabelSelectorRequirement."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] | None = None


class Resources(Strict):
    """core/v1 ResourceRequirements."""

    requests: dict[Literal["cpu", "memory"], Quantity]
    limits: dict[Literal["cpu", "memory"], Quantity]


# cert-manager 1.21: deploy/crds/cert-manager.io_issuers.yaml, cert-manager.io_certificates.yaml


class Authority(Strict):
    """IssuerSpec.ca."""

    secret_name: Name


class Issuer(Strict):
    """IssuerSpec; one of the two."""

    self_signed: dict[str, None] | None = None
    ca: Authority | None = None


class PrivateKey(Strict):
    """CertificateSpec.privateKey."""

    algorithm: Literal["RSA", "ECDSA", "Ed25519"]
    size: int
    encoding: Literal["PKCS1", "PKCS8"] | None = None
    rotation_policy: Literal["Never", "Always"]


class IssuerRef(Strict):
    """CertificateSpec.issuerRef."""

    group: Literal["cert-manager.io"]
    kind: Literal["Issuer", "ClusterIssuer"]
    name: Name


class SecretTemplate(Strict):
    """CertificateSpec.secretTemplate."""

    labels: Texts


class Certificate(Strict):
    """CertificateSpec."""

    secret_name: Name
    issuer_ref: IssuerRef
    is_ca: bool | None = Field(default=None, alias="isCA")
    common_name: Annotated[str, StringConstraints(max_length=64)] | None = None
    dns_names: list[str] | None = None
    uris: list[str] | None = None
    duration: Duration
    renew_before: Duration
    private_key: PrivateKey
    usages: list[Literal["digital signature", "server auth", "client auth"]] | None = None
    secret_template: SecretTemplate | None = None


# CloudNativePG 1.30: config/crd/bases/postgresql.cnpg.io_clusters.yaml, postgresql.cnpg.io_scheduledbackups.yaml


class ServerCertificates(Strict):
    """ClusterSpec.certificates."""

    server_ca_secret: Name = Field(alias="serverCASecret")
    server_tls_secret: Name = Field(alias="serverTLSSecret")


class InitDb(Strict):
    """ClusterSpec.bootstrap.initdb."""

    database: str
    owner: str
    secret: Named
    encoding: str
    locale_provider: str
    builtin_locale: str
    post_init_application_sql: list[str] = Field(alias="postInitApplicationSQL")


class RecoveryTarget(Strict):
    """ClusterSpec.bootstrap.recovery.recoveryTarget."""

    target_time: str


class Recovery(Strict):
    """ClusterSpec.bootstrap.recovery."""

    source: Name
    database: str
    owner: str
    secret: Named
    recovery_target: RecoveryTarget


class Bootstrap(Strict):
    """ClusterSpec.bootstrap; one of the two."""

    initdb: InitDb | None = None
    recovery: Recovery | None = None


class ManagedRole(Strict):
    """ClusterSpec.managed.roles."""

    name: str
    ensure: Literal["present", "absent"]
    login: bool
    connection_limit: int
    password_secret: Named


class Managed(Strict):
    """ClusterSpec.managed."""

    roles: list[ManagedRole]


class Plugin(Strict):
    """ClusterSpec.plugins and externalClusters.plugin."""

    name: str
    is_wal_archiver: bool | None = Field(default=None, alias="isWALArchiver")
    parameters: Texts


class ExternalCluster(Strict):
    """ClusterSpec.externalClusters."""

    name: Name
    plugin: Plugin


class Synchronous(Strict):
    """ClusterSpec.postgresql.synchronous."""

    method: Literal["any", "first"]
    number: Annotated[int, Field(ge=1)]
    data_durability: Literal["required", "preferred"]
    failover_quorum: bool


class Postgresql(Strict):
    """ClusterSpec.postgresql."""

    synchronous: Synchronous
    parameters: Texts


class Storage(Strict):
    """ClusterSpec.storage and walStorage."""

    size: Quantity


class Affinity(Strict):
    """ClusterSpec.affinity."""

    enable_pod_anti_affinity: bool
    pod_anti_affinity_type: Literal["required", "preferred"]
    topology_key: str


class Spread(Strict):
    """core/v1 TopologySpreadConstraint."""

    topology_key: str
    max_skew: Annotated[int, Field(ge=1)]
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    label_selector: Selector
    match_label_keys: list[str]


class InheritedMetadata(Strict):
    """ClusterSpec.inheritedMetadata."""

    labels: Texts


class Cluster(Strict):
    """ClusterSpec."""

    instances: Annotated[int, Field(ge=1)]
    image_name: str
    primary_update_strategy: Literal["unsupervised", "supervised"]
    primary_update_method: Literal["switchover", "restart"]
    enable_superuser_access: bool
    certificates: ServerCertificates
    bootstrap: Bootstrap
    managed: Managed
    plugins: list[Plugin]
    external_clusters: list[ExternalCluster] | None = None
    postgresql: Postgresql
    storage: Storage
    wal_storage: Storage
    resources: Resources
    affinity: Affinity
    topology_spread_constraints: list[Spread]
    inherited_metadata: InheritedMetadata


class PluginConfiguration(Strict):
    """ScheduledBackupSpec.pluginConfiguration."""

    name: str


class ScheduledBackup(Strict):
    """ScheduledBackupSpec."""

    cluster: Named
    schedule: Annotated[str, StringConstraints(pattern=r"^(\S+ ){5}\S+$")]
    immediate: bool
    backup_owner_reference: Literal["none", "self", "cluster"]
    target: Literal["primary", "prefer-standby"]
    method: Literal["barmanObjectStore", "volumeSnapshot", "plugin"]
    plugin_configuration: PluginConfiguration


# plugin-barman-cloud 0.14: config/crd/bases/barmancloud.cnpg.io_objectstores.yaml


class S3Credentials(Strict):
    """ObjectStoreSpec.configuration.s3Credentials."""

    access_key_id: Key
    secret_access_key: Key


class Log(Strict):
    """ObjectStoreSpec.configuration.wal."""

    compression: Literal["bzip2", "gzip", "lz4", "snappy", "xz", "zstd"]
    max_parallel: Annotated[int, Field(ge=1)]


class Rows(Strict):
    """ObjectStoreSpec.configuration.data."""

    compression: Literal["bzip2", "gzip", "lz4", "snappy"]
    jobs: Annotated[int, Field(ge=1)]


class BackupPlace(Strict):
    """ObjectStoreSpec.configuration."""

    destination_path: Annotated[str, StringConstraints(min_length=1)]
    endpoint_url: str = Field(alias="endpointURL")
    s3_credentials: S3Credentials = Field(alias="s3Credentials")
    wal: Log
    data: Rows


class Sidecar(Strict):
    """ObjectStoreSpec.instanceSidecarConfiguration."""

    resources: Resources


class ObjectStore(Strict):
    """ObjectStoreSpec."""

    instance_sidecar_configuration: Sidecar

    configuration: BackupPlace
    retention_policy: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[dwm]$")]


# external-secrets 2.9: config/crds/bases/external-secrets.io_externalsecrets.yaml


class StoreRef(Strict):
    """ExternalSecretSpec.secretStoreRef."""

    kind: Literal["SecretStore", "ClusterSecretStore"]
    name: Name


class RemoteRef(Strict):
    """ExternalSecretSpec.data.remoteRef."""

    key: str
    property: str


class SecretData(Strict):
    """ExternalSecretSpec.data."""

    secret_key: Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$")]
    remote_ref: RemoteRef


class TemplateMetadata(Strict):
    """ExternalSecretSpec.target.template.metadata."""

    labels: Texts


class Template(Strict):
    """ExternalSecretSpec.target.template."""

    engine_version: Literal["v2"]
    type: Literal["kubernetes.io/basic-auth"] | None = None
    metadata: TemplateMetadata | None = None
    data: Texts


class Target(Strict):
    """ExternalSecretSpec.target."""

    creation_policy: Literal["Owner", "Orphan", "Merge", "None", "CreateOrMerge"]
    deletion_policy: Literal["Delete", "Merge", "Retain"]
    template: Template


class ExternalSecret(Strict):
    """ExternalSecretSpec."""

    refresh_interval: Duration
    secret_store_ref: StoreRef
    target: Target
    data: list[SecretData]


# KEDA 2.20: config/crd/bases/keda.sh_scaledobjects.yaml, keda.sh_triggerauthentications.yaml


class ScaleTarget(Strict):
    """ScaledObjectSpec.scaleTargetRef."""

    api_version: str
    kind: str
    name: Name


class Fallback(Strict):
    """ScaledObjectSpec.fallback."""

    failure_threshold: int
    replicas: int
    behavior: Literal["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]


class ScalingPolicy(Strict):
    """autoscaling/v2 HPAScalingPolicy."""

    type: Literal["Pods", "Percent"]
    value: Annotated[int, Field(ge=1)]
    period_seconds: Annotated[int, Field(ge=1, le=1800)]


class ScalingRules(Strict):
    """autoscaling/v2 HPAScalingRules."""

    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)]
    policies: list[ScalingPolicy]
    select_policy: Literal["Max", "Min", "Disabled"] | None = None


class Behavior(Strict):
    """autoscaling/v2 HorizontalPodAutoscalerBehavior."""

    scale_up: ScalingRules
    scale_down: ScalingRules


class HpaConfig(Strict):
    """ScaledObjectSpec.advanced.horizontalPodAutoscalerConfig."""

    behavior: Behavior


class Advanced(Strict):
    """ScaledObjectSpec.advanced."""

    horizontal_pod_autoscaler_config: HpaConfig


class AuthenticationRef(Strict):
    """ScaledObjectSpec.triggers.authenticationRef."""

    name: Name


class PostgresqlMetadata(Strict):
    """What the scaler `postgresql` reads: https://keda.sh/docs/2.20/scalers/postgresql/."""

    query: str
    target_query_value: str
    activation_target_query_value: str


class Trigger(Strict):
    """ScaledObjectSpec.triggers."""

    type: Literal["postgresql"]
    metric_type: Literal["AverageValue", "Value", "Utilization"]
    authentication_ref: AuthenticationRef
    metadata: PostgresqlMetadata


class ScaledObject(Strict):
    """ScaledObjectSpec."""

    scale_target_ref: ScaleTarget
    polling_interval: int
    cooldown_period: int
    min_replica_count: Annotated[int, Field(ge=0)]
    max_replica_count: Annotated[int, Field(ge=1)]
    fallback: Fallback
    advanced: Advanced
    triggers: list[Trigger]


class SecretTarget(Strict):
    """TriggerAuthenticationSpec.secretTargetRef."""

    parameter: str
    name: Name
    key: str


class TriggerAuthentication(Strict):
    """TriggerAuthenticationSpec."""

    secret_target_ref: list[SecretTarget]


# Gateway API 1.6: config/crd/standard/gateway.networking.k8s.io_gateways.yaml, …_httproutes.yaml


class CertificateRef(Strict):
    """GatewaySpec.listeners.tls.certificateRefs."""

    kind: Literal["Secret"]
    name: Name


class GatewayTls(Strict):
    """GatewaySpec.listeners.tls."""

    mode: Literal["Terminate", "Passthrough"]
    certificate_refs: list[CertificateRef]


class RouteNamespaces(Strict):
    """GatewaySpec.listeners.allowedRoutes.namespaces."""

    from_: Literal["All", "Selector", "Same", "None"] = Field(alias="from")


class AllowedRoutes(Strict):
    """GatewaySpec.listeners.allowedRoutes."""

    namespaces: RouteNamespaces


class Listener(Strict):
    """GatewaySpec.listeners."""

    name: Name
    protocol: Literal["HTTP", "HTTPS", "TLS", "TCP", "UDP"]
    port: Port
    hostname: str
    tls: GatewayTls | None = None
    allowed_routes: AllowedRoutes


class Gateway(Strict):
    """GatewaySpec."""

    gateway_class_name: Name
    listeners: list[Listener]


class ParentRef(Strict):
    """HTTPRouteSpec.parentRefs."""

    name: Name
    section_name: Name


class PathMatch(Strict):
    """HTTPRouteSpec.rules.matches.path."""

    type: Literal["Exact", "PathPrefix", "RegularExpression"]
    value: str


class RouteMatch(Strict):
    """HTTPRouteSpec.rules.matches."""

    path: PathMatch


class RequestRedirect(Strict):
    """HTTPRouteSpec.rules.filters.requestRedirect."""

    scheme: Literal["http", "https"]
    status_code: Literal[301, 302, 303, 307, 308]


class RouteFilter(Strict):
    """HTTPRouteSpec.rules.filters."""

    type: Literal["RequestRedirect"]
    request_redirect: RequestRedirect


class RouteTimeouts(Strict):
    """HTTPRouteSpec.rules.timeouts."""

    request: GatewayDuration


class BackendRef(Strict):
    """HTTPRouteSpec.rules.backendRefs."""

    name: Name
    port: Port


class RouteRule(Strict):
    """HTTPRouteSpec.rules."""

    matches: list[RouteMatch] | None = None
    filters: list[RouteFilter] | None = None
    timeouts: RouteTimeouts | None = None
    backend_refs: list[BackendRef] | None = None


class HttpRoute(Strict):
    """HTTPRouteSpec."""

    parent_refs: list[ParentRef]
    rules: list[RouteRule]


# prometheus-operator 0.93: example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml, …_prometheusrules


class Endpoint(Strict):
    """PodMonitorSpec.podMetricsEndpoints."""

    port: str
    path: str
    interval: Annotated[str, StringConstraints(pattern=r"^\d+s$")]


class PodMonitor(Strict):
    """PodMonitorSpec."""

    selector: Selector
    job_label: str
    pod_metrics_endpoints: list[Endpoint]


class AlertRule(Strict):
    """PrometheusRuleSpec.groups.rules."""

    alert: str | None = None
    record: str | None = None
    expr: str
    for_: str | None = Field(default=None, alias="for")
    labels: Texts | None = None
    annotations: Texts | None = None


class RuleGroup(Strict):
    """PrometheusRuleSpec.groups."""

    name: Annotated[str, StringConstraints(min_length=1)]
    interval: str | None = None
    rules: list[AlertRule]


class PrometheusRule(Strict):
    """PrometheusRuleSpec."""

    groups: list[RuleGroup]


SPECS: dict[tuple[str, str], type[Strict]] = {
    ("cert-manager.io/v1", "Issuer"): Issuer,
    ("cert-manager.io/v1", "Certificate"): Certificate,
    ("postgresql.cnpg.io/v1", "Cluster"): Cluster,
    ("postgresql.cnpg.io/v1", "ScheduledBackup"): ScheduledBackup,
    ("barmancloud.cnpg.io/v1", "ObjectStore"): ObjectStore,
    ("external-secrets.io/v1", "ExternalSecret"): ExternalSecret,
    ("keda.sh/v1alpha1", "ScaledObject"): ScaledObject,
    ("keda.sh/v1alpha1", "TriggerAuthentication"): TriggerAuthentication,
    ("gateway.networking.k8s.io/v1", "Gateway"): Gateway,
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): HttpRoute,
    ("monitoring.coreos.com/v1", "PodMonitor"): PodMonitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): PrometheusRule,
}


def knows(item: Object) -> bool:
    """Say whether an object is of an operator's kind."""
    return (item["apiVersion"], item["kind"]) in SPECS


def fault(item: Object) -> str:
    """Say what is wrong with an operator's resource; nothing is wrong with a good one."""
    try:
        _Envelope.model_validate(item)
        SPECS[item["apiVersion"], item["kind"]].model_validate(item["spec"])
    except ValidationError as error:
        return f"{id_of(item)}: {error}"
    return ""


def copy_with(item: Object, path: Sequence[str | int], value: object) -> Object:
    """Copy an object with another value, or one more, somewhere in its spec."""
    copied = copy.deepcopy(item)
    part: Any = copied["spec"]
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return copied


class _Metadata(Strict):
    """meta/v1 ObjectMeta."""

    name: Name
    namespace: Name
    labels: Texts
    annotations: Texts


class _Envelope(Strict):
    """What every object has."""

    api_version: str
    kind: str
    metadata: _Metadata
    spec: dict[str, Any]
