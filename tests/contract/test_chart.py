"""The chart renders with both Helms, under every set of values, and what it renders is safe to apply."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from contract.chart_helm import (
    CHART,
    CRD,
    NAMESPACE,
    Helm,
    Object,
    RenderError,
    assert_golden,
    ci_values,
    containers,
    helm_or_skip,
    named,
    only,
    pods,
    rights,
)
from warmcron.workers import tls
from warmworker import keys

MIN_KEY_BYTES = 32
DEMO = ("--set", "demo.enabled=true")


@pytest.fixture(params=["helm3", "helm4"], scope="module")
def helm(request: pytest.FixtureRequest) -> Helm:
    return helm_or_skip(request.param)


@pytest.fixture(params=ci_values(), ids=lambda path: path.name.removesuffix("-values.yaml"))
def values(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def operator(objects: list[Object], name: str = "warmcron") -> Object:
    spec: Object = only(objects, "Deployment", name)["spec"]["template"]["spec"]
    return spec


def env(container: Object) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


# --- all values, both Helms


def test_lint_has_no_complaint(helm: Helm, values: Path) -> None:
    helm.run("lint", "--strict", str(CHART), "--values", str(values), "--kube-version", "1.37.0")


def test_the_objects_are_the_expected_ones(helm: Helm, values: Path) -> None:
    objects = helm.render("--values", str(values))
    assert_golden(f"objects-{values.name.removesuffix('-values.yaml')}.yaml", named(objects))


def test_every_pod_is_restricted(helm: Helm, values: Path) -> None:
    found = list(pods(helm.render("--values", str(values))))
    assert found
    for name, _, spec in found:
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 10000, name
        assert spec["securityContext"]["runAsGroup"] > 10000, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(spec), name
        assert all({"emptyDir", "secret", "projected", "configMap"} & set(volume) for volume in spec["volumes"]), name
        for container in containers(spec):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            for bound in ("requests", "limits"):
                assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"][bound]), name
            assert not {port for port in container.get("ports", []) if "hostPort" in port}, name
            assert not container["image"].endswith(":latest"), name
            assert ":" in container["image"], name


def test_only_pods_that_ask_the_api_server_hold_a_token_and_it_is_short_lived(helm: Helm, values: Path) -> None:
    for name, _, spec in pods(helm.render("--values", str(values))):
        tokens = [
            source["serviceAccountToken"]
            for volume in spec["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
            if "serviceAccountToken" in source
        ]
        assert len(tokens) == (0 if "demo-worker" in name else 1), name
        assert all(token["expirationSeconds"] <= 3600 for token in tokens), name


def test_no_name_is_given_twice_in_an_environment(helm: Helm, values: Path) -> None:
    for name, _, spec in pods(helm.render("--values", str(values))):
        for container in containers(spec):
            names = [one["name"] for one in container.get("env", [])]
            assert len(names) == len(set(names)), name


def test_selectors_find_exactly_their_own_pods(helm: Helm, values: Path) -> None:
    objects = helm.render("--values", str(values))
    labels = {name: metadata["labels"] for name, metadata, _ in pods(objects)}
    for one in objects:
        if one["kind"] not in {"Service", "Deployment", "PodDisruptionBudget"}:
            continue
        selector = one["spec"]["selector"].get("matchLabels", one["spec"]["selector"])
        found = [name for name, has in labels.items() if selector.items() <= has.items()]
        assert found == [f"Deployment/{one['metadata']['name']}"], one["kind"]


def test_every_object_is_labelled_and_every_namespace_is_stated(helm: Helm, values: Path) -> None:
    cluster_wide = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    for one in helm.render("--values", str(values)):
        if one["metadata"]["name"] == "warmcron-extra":
            continue
        assert one["metadata"]["labels"]["app.kubernetes.io/name"] == "warmcron"
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "warmcron"
        assert (one["kind"] in cluster_wide) != ("namespace" in one["metadata"])


def test_hooks_leave_nothing_behind(helm: Helm, values: Path) -> None:
    hooks = [
        one["metadata"]["annotations"]
        for one in helm.render("--values", str(values))
        if "helm.sh/hook" in one["metadata"].get("annotations", {})
    ]
    assert hooks
    wanted = "before-hook-creation,hook-succeeded,hook-failed"
    assert {one["helm.sh/hook-delete-policy"] for one in hooks} == {wanted}


def test_no_rule_has_a_wildcard_or_touches_secrets(helm: Helm, values: Path) -> None:
    for role in rights(helm.render("--values", str(values))):
        for rule in role["rules"]:
            for words in rule.values():
                assert not [word for word in words if "*" in word], role["role"]
            assert not {"secrets", "configmaps", "pods/exec", "roles", "clusterroles"} & set(rule["resources"])
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def test_the_same_comes_out_of_both_helms(values: Path) -> None:
    def comparable(text: str) -> str:
        text = re.sub(r"^  key: [A-Za-z0-9+/=]+$", "  key: drawn", text, flags=re.MULTILINE)
        text = re.sub(r"^  (\w+\.pem): [A-Za-z0-9+/=]+$", r"  \1: drawn", text, flags=re.MULTILINE)
        text = re.sub(r"(callback-key|signing-keys): [0-9a-f]{64}$", r"\1: drawn", text, flags=re.MULTILINE)
        if "existingSecret" not in yaml.safe_load(values.read_text()).get("signing", {}):
            text = re.sub(r"^    whpk_\S+$", "    whpk_drawn", text, flags=re.MULTILINE)
        return re.sub(r"\n+", "\n", text)

    texts = [helm_or_skip(name).text("--values", str(values)) for name in ("helm3", "helm4")]
    assert comparable(texts[0]) == comparable(texts[1])


# --- rights


def test_rights_in_the_whole_cluster_are_exactly_these(helm: Helm) -> None:
    assert_golden("rights-cluster.yaml", rights(helm.render()))


def test_rights_in_single_namespaces_are_exactly_these(helm: Helm) -> None:
    objects = helm.render("--set", "watchNamespaces={team-a,team-b}")
    assert_golden("rights-namespaces.yaml", rights(objects))
    assert not [one for one in objects if one["kind"] in {"ClusterRole", "ClusterRoleBinding"}]
    assert env(operator(objects)["containers"][0])["WARMCRON_WATCH_NAMESPACES"] == "team-a,team-b"


@pytest.mark.parametrize("watched", [(), ("--set", "watchNamespaces={team-a,team-b}")])
def test_without_events_there_is_no_right_to_create_one(helm: Helm, watched: tuple[str, ...]) -> None:
    objects = helm.render("--set", "events.enabled=false", *watched)
    assert not [rule for role in rights(objects) for rule in role["rules"] if "events" in rule["resources"]]
    assert env(operator(objects)["containers"][0])["WARMCRON_EVENTS"] == "false"


def test_the_demo_adds_these_rights_only(helm: Helm) -> None:
    usual = rights(helm.render())
    assert_golden("rights-demo.yaml", [one for one in rights(helm.render(*DEMO)) if one not in usual])


def test_user_roles_join_the_clusters_own_only_when_asked(helm: Helm) -> None:
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    name = "rbac.userRoles.aggregate"
    plain, joined = helm.render(), helm.render("--set", f"{name}=true")
    assert not [one for one in plain if any(key.startswith(prefix) for key in one["metadata"].get("labels", {}))]
    view = only(joined, "ClusterRole", "warmcron-view")["metadata"]["labels"]
    edit = only(joined, "ClusterRole", "warmcron-edit")["metadata"]["labels"]
    assert {key for key in view if key.startswith(prefix)} == {f"{prefix}{to}" for to in ("view", "edit", "admin")}
    assert {key for key in edit if key.startswith(prefix)} == {f"{prefix}{to}" for to in ("edit", "admin")}
    with pytest.raises(RenderError, match=r"rbac\.userRoles\.aggregate is true, but watchNamespaces"):
        helm.render("--set", f"{name}=true,watchNamespaces={{team-a}}")


def test_rbac_and_service_account_can_be_left_to_somebody_else(helm: Helm) -> None:
    objects = helm.render(
        "--set", "rbac.create=false,rbac.userRoles.create=false,serviceAccount.create=false,serviceAccount.name=theirs"
    )
    ours = [one for one in objects if "helm.sh/hook" not in one["metadata"].get("annotations", {})]
    assert not [one for one in ours if "Role" in one["kind"] or one["kind"] == "ServiceAccount"]
    assert operator(objects)["serviceAccountName"] == "theirs"
    with pytest.raises(RenderError, match=r"serviceAccount\.name"):
        helm.render("--set", "serviceAccount.create=false")


# --- the callback key


def test_a_key_is_drawn_for_each_install_and_never_stands_in_values(helm: Helm) -> None:
    drawn = set()
    for _ in range(2):
        objects = helm.render()
        (key,) = only(objects, "Secret", "warmcron-callback-key")["data"].values()
        drawn.add(key)
        assert len(base64.b64decode(key)) >= MIN_KEY_BYTES
        annotations = only(objects, "Deployment", "warmcron")["spec"]["template"]["metadata"]["annotations"]
        assert annotations["checksum/callback-key"] == hashlib.sha256(key.encode()).hexdigest()
    assert len(drawn) == 2
    values = (CHART / "values.yaml").read_text()
    assert not re.findall(r"[A-Za-z0-9+/]{32,}", values)


def test_a_secret_of_the_users_own_is_used_and_nothing_is_drawn(helm: Helm) -> None:
    argv = ("--set", "callbackKey.existingSecret=mine,callbackKey.secretKey=k,signing.existingSecret=theirs")
    objects = helm.render(*argv)
    assert not [one for one in objects if one["kind"] == "Secret"]
    (volume,) = [one for one in operator(objects)["volumes"] if one["name"] == "callback-key"]
    assert volume["secret"]["secretName"] == "mine"
    assert volume["secret"]["items"] == [{"key": "k", "path": "callback-key"}]
    (volume,) = [one for one in operator(objects)["volumes"] if one["name"] == "signing-keys"]
    assert volume["secret"]["secretName"] == "theirs"
    assert helm.text(*argv) == helm.text(*argv)


def test_the_key_file_is_where_the_environment_says(helm: Helm) -> None:
    (container,) = operator(helm.render())["containers"]
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "callback-key"]
    assert env(container)["WARMCRON_CALLBACK_KEY_FILE"] == f"{mount['mountPath']}/callback-key"


# --- the signing keys

SEED = "MC4CAQAwBQYDK2VwBCIEI"  # how every Ed25519 private key in PEM begins


def private_keys(objects: list[Object]) -> dict[str, Ed25519PrivateKey]:
    found = {}
    for file, text in only(objects, "Secret", "warmcron-signing-keys")["data"].items():
        key = load_pem_private_key(base64.b64decode(text), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        found[file] = key
    return found


def public_keys(objects: list[Object], namespace: str = NAMESPACE) -> set[bytes]:
    (found,) = [
        one
        for one in objects
        if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", "warmcron-public-keys")
        and one["metadata"]["namespace"] == namespace
    ]
    return {key.public_bytes_raw() for key in keys.parse(found["data"]["keys"], name="as the worker reads it")}


def test_a_signing_key_is_drawn_for_each_install_and_workers_get_its_public_half(helm: Helm) -> None:
    drawn = set()
    for _ in range(2):
        objects = helm.render()
        (key,) = private_keys(objects).values()
        assert public_keys(objects) == {key.public_key().public_bytes_raw()}
        drawn.add(key.private_bytes_raw())
        annotations = only(objects, "Deployment", "warmcron")["spec"]["template"]["metadata"]["annotations"]
        assert re.fullmatch(r"[0-9a-f]{64}", annotations["checksum/signing-keys"])
    assert len(drawn) == 2


def test_two_keys_are_active_while_they_are_rotated(helm: Helm) -> None:
    objects = helm.render("--set", "signing.keys={old,new}")
    found = private_keys(objects)
    assert set(found) == {"old.pem", "new.pem"}
    assert public_keys(objects) == {key.public_key().public_bytes_raw() for key in found.values()}


def test_the_public_keys_are_wherever_workers_are_said_to_be(helm: Helm) -> None:
    objects = helm.render("--set", "watchNamespaces={team-a,team-b},signing.namespaces={team-b,team-c}")
    ours = public_keys(objects)
    assert all(public_keys(objects, namespace) == ours for namespace in ("team-a", "team-b", "team-c"))


def test_no_private_key_leaves_its_secret(helm: Helm, values: Path) -> None:
    text = helm.text("--values", str(values))
    encoded = base64.b64encode(b"-----BEGIN PRIVATE KEY").decode()[:20]
    assert SEED not in text
    for one in yaml.safe_load_all(text):
        if one and one["kind"] != "Secret":
            assert encoded not in yaml.safe_dump(one), one["kind"]


def test_keys_of_the_users_own_come_with_their_public_halves(helm: Helm) -> None:
    with pytest.raises(RenderError, match=r"set signing\.publicKeys to the public halves"):
        helm.render(*DEMO, "--set", "signing.existingSecret=mine")
    with pytest.raises(RenderError, match=r"signing\.publicKeys is set without signing\.existingSecret"):
        helm.render("--set-json", f'signing.publicKeys=["whpk_{"A" * 43}="]')
    with pytest.raises(RenderError):  # the schema: a private key has no business in values
        helm.render("--set", "signing.existingSecret=mine", "--set-json", f'signing.publicKeys=["whsk_{"A" * 43}="]')
    assert len(public_keys(helm.render("--values", str(CHART / "ci" / "gitops-values.yaml")))) == 2
    assert "ConfigMap" not in {one["kind"] for one in helm.render("--set", "signing.existingSecret=mine")}


def test_the_demos_workers_read_the_keys_from_where_they_are_mounted(helm: Helm) -> None:
    spec = only(helm.render(*DEMO), "Deployment", "warmcron-demo-worker")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "public-keys"]
    assert env(container)["WARMWORKER_PUBLIC_KEYS_FILE"] == f"{mount['mountPath']}/keys"
    (volume,) = [one for one in spec["volumes"] if one["name"] == "public-keys"]
    assert volume["configMap"] == {"name": "warmcron-public-keys"}


# --- TLS


def test_with_tls_every_address_is_https_and_every_certificate_has_its_name(helm: Helm) -> None:
    objects = helm.render(*DEMO, "--set", "tls.enabled=true,tls.certManager.issuerRef.name=internal")
    (container,) = operator(objects)["containers"]
    assert env(container)["WARMCRON_CALLBACK_URL"] == f"https://warmcron.{NAMESPACE}.svc:8081"
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert env(container)["WARMCRON_TLS_DIR"] == mounts["tls"]
    spec = only(objects, "Deployment", "warmcron-demo-worker")["spec"]["template"]["spec"]
    (worker,) = spec["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert worker[probe]["httpGet"]["scheme"] == "HTTPS"
    named = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "Certificate"}
    assert {secret: found["dnsNames"] for secret, found in named.items()} == {
        "warmcron-tls": [f"warmcron.{NAMESPACE}.svc"],
        "warmcron-workers-tls": [tls.worker_name(NAMESPACE)],
    }
    volumes = [one for spec in (operator(objects), spec) for one in spec["volumes"] if one["name"] == "tls"]
    assert [one["secret"]["secretName"] for one in volumes] == list(named)


def test_the_demo_asks_for_the_operators_certificate_by_its_name_when_told_to(helm: Helm) -> None:
    asked = "tls.enabled=true,tls.demoAsksForCertificate=true,tls.certManager.issuerRef.name=internal"
    objects = helm.render(*DEMO, "--set", asked)
    (worker,) = only(objects, "Deployment", "warmcron-demo-worker")["spec"]["template"]["spec"]["containers"]
    spec = only(objects, "Certificate", "warmcron-tls")["spec"]
    assert [env(worker)["WARMWORKER_TLS_CLIENT_NAME"]] == spec["dnsNames"]
    assert "client auth" in spec["usages"]
    (plain,) = only(helm.render(*DEMO), "Deployment", "warmcron-demo-worker")["spec"]["template"]["spec"]["containers"]
    assert "WARMWORKER_TLS_CLIENT_NAME" not in env(plain)


def test_without_an_issuer_the_secrets_are_the_users_own(helm: Helm) -> None:
    objects = helm.render("--set", "tls.enabled=true,tls.secretName=mine")
    assert not [one for one in objects if one["kind"] == "Certificate"]
    (volume,) = [one for one in operator(objects)["volumes"] if one["name"] == "tls"]
    assert volume["secret"]["secretName"] == "mine"
    assert "tls" not in [one["name"] for one in operator(helm.render())["volumes"]]


# --- the definition of ScheduledTask


def test_the_charts_copy_of_the_definition_is_the_generated_one() -> None:
    assert CRD.exists(), f"{CRD} is missing: generate it"
    copy = CHART / "files" / CRD.name
    assert copy.exists(), f"{copy} is missing: copy {CRD} there"
    assert copy.read_bytes() == CRD.read_bytes(), f"stale: cp {CRD} {copy}"


@pytest.mark.parametrize("keep", ["true", "false"])
def test_the_definition_is_rendered_with_nothing_but_metadata_added(helm: Helm, keep: str) -> None:
    text = helm.text("--show-only", "templates/crd.yaml", "--set", f"crds.keep={keep}")
    added = re.search(r"  name: scheduledtasks\.warmcron\.dev\n((?:  (?:annotations|labels):\n(?:    .*\n)+)+)", text)
    assert added
    assert text.replace(added[1], "", 1).removeprefix("---\n# Source: warmcron/templates/crd.yaml\n").strip() == (
        CRD.read_text().strip()
    )
    assert ("helm.sh/resource-policy: keep" in added[1]) == (keep == "true")


def test_the_definition_can_be_left_out(helm: Helm) -> None:
    objects = helm.render("--set", "crds.enabled=false")
    assert not [one for one in objects if one["kind"] == "CustomResourceDefinition"]


# --- the operator's pod


def test_the_environment_is_what_the_operator_reads(helm: Helm) -> None:
    (container,) = operator(helm.render())["containers"]
    assert env(container) == {
        "WARMCRON_NAMESPACE": {"fieldRef": {"fieldPath": "metadata.namespace"}},
        "WARMCRON_POD_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
        "WARMCRON_POD_IP": {"fieldRef": {"fieldPath": "status.podIP"}},
        "WARMCRON_WATCH_NAMESPACES": "",
        "WARMCRON_LEASE_NAME": "warmcron",
        "WARMCRON_LEASE_DURATION_SECONDS": "4",
        "WARMCRON_CALLBACK_URL": f"http://warmcron.{NAMESPACE}.svc:8081",
        "WARMCRON_CALLBACK_KEY_FILE": "/var/run/secrets/warmcron/callback-key",
        "WARMCRON_SIGNING_KEYS_DIR": "/var/run/secrets/warmcron-signing",
        "WARMCRON_HISTORY_URL": "sqlite:////var/lib/warmcron/history.db",
        "WARMCRON_HISTORY_DAYS": "30",
        "WARMCRON_HISTORY_RUNS": "250000",
        "WARMCRON_HISTORY_LOG_DAYS": "7",
        "WARMCRON_HISTORY_LOG_LINES": "500000",
        "WARMCRON_HISTORY_SQLITE_MEGABYTES": "800",
        "WARMCRON_EVENTS": "true",
        "WARMCRON_METRICS_TASKS": "1000",
        "WARMCRON_LOG_LEVEL": "info",
        "WARMCRON_LOG_FORMAT": "json",
    }


def test_a_history_url_with_a_password_comes_from_a_file(helm: Helm) -> None:
    spec = operator(helm.render("--set", "history.existingSecret=db,history.secretKey=dsn"))
    (container,) = spec["containers"]
    assert env(container)["WARMCRON_HISTORY_URL"] == ""
    folder, _, name = env(container)["WARMCRON_HISTORY_URL_FILE"].rpartition("/")
    volumes = {one["name"]: one for one in spec["volumes"]}
    (mount,) = [one for one in container["volumeMounts"] if one["mountPath"] == folder]
    secret = volumes[mount["name"]]["secret"]
    assert (secret["secretName"], secret["items"]) == ("db", [{"key": "dsn", "path": name}])


def test_the_file_of_the_history_stops_growing_before_its_volume_is_full(helm: Helm) -> None:
    spec = operator(helm.render("--set", "history.sqliteMegabytes=500"))
    (container,) = spec["containers"]
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert volumes["history"]["emptyDir"] == {"sizeLimit": "756Mi"}
    assert env(container)["WARMCRON_HISTORY_SQLITE_MEGABYTES"] == "500"


def test_the_lease_that_rbac_names_is_the_operators_and_goes_with_the_release(helm: Helm) -> None:
    objects = helm.render("--set", "fullnameOverride=cron")
    (container,) = operator(objects, "cron")["containers"]
    assert env(container)["WARMCRON_LEASE_NAME"] == "cron"
    assert only(objects, "Role", "cron-leader")["rules"][1]["resourceNames"] == ["cron"]
    assert only(objects, "Lease", "cron")["metadata"]["annotations"]["helm.sh/hook"] == "post-delete"


def test_callbacks_go_to_the_services_port(helm: Helm) -> None:
    objects = helm.render("--set", "service.callbacksPort=9000")
    (container,) = operator(objects)["containers"]
    assert env(container)["WARMCRON_CALLBACK_URL"] == f"http://warmcron.{NAMESPACE}.svc:9000"
    ports = {one["name"]: one for one in only(objects, "Service", "warmcron")["spec"]["ports"]}
    assert (ports["callbacks"]["port"], ports["callbacks"]["targetPort"]) == (9000, "callbacks")
    assert {one["name"]: one["containerPort"] for one in container["ports"]} == {
        "http": 8080,
        "callbacks": 8081,
        "api": 8082,
    }


def test_a_new_replica_is_warm_before_an_old_one_goes(helm: Helm) -> None:
    spec = only(helm.render(), "Deployment", "warmcron")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize("name", ["WARMCRON_LOG_LEVEL", "WARMCRON_POD_IP"])
def test_extra_env_cannot_name_what_the_chart_sets(helm: Helm, name: str) -> None:
    with pytest.raises(RenderError, match=f"extraEnv names {name}, which the chart sets itself"):
        helm.render("--set", f"extraEnv[0].name={name},extraEnv[0].value=x")


def test_extra_env_cannot_name_one_thing_twice(helm: Helm) -> None:
    with pytest.raises(RenderError, match="extraEnv names A twice"):
        helm.render("--set", "extraEnv[0].name=A,extraEnv[1].name=A")


def test_extra_env_comes_after_ours(helm: Helm) -> None:
    (container,) = operator(helm.render("--set", "extraEnv[0].name=A,extraEnv[0].value=b"))["containers"]
    assert container["env"][-1] == {"name": "A", "value": "b"}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ("image.tag=", "warmcron/operator:0.1.0"),
        ("image.tag=dev", "warmcron/operator:dev"),
        ("image.registry=mirror.example/", "mirror.example/warmcron/operator:0.1.0"),
        (f"image.tag=dev,image.digest=sha256:{'a' * 64}", f"warmcron/operator@sha256:{'a' * 64}"),
    ],
)
def test_an_image_is_put_together_from_its_parts(helm: Helm, settings: str, wanted: str) -> None:
    (container,) = operator(helm.render("--set", settings))["containers"]
    assert container["image"] == wanted


def test_the_demo_pulls_from_the_common_registry_unless_it_has_its_own(helm: Helm) -> None:
    def image(settings: str) -> object:
        objects = helm.render(*DEMO, "--set", settings)
        return operator(objects, "warmcron-demo-worker")["containers"][0]["image"]

    assert image("image.registry=a.example") == "a.example/warmcron/worker:0.1.0"
    assert image("image.registry=a.example,demo.image.registry=b.example") == "b.example/warmcron/worker:0.1.0"


def test_user_labels_and_annotations_never_replace_ours(helm: Helm) -> None:
    objects = helm.render("--values", str(CHART / "ci" / "everything-values.yaml"))
    template = only(objects, "Deployment", "cron")["spec"]["template"]
    assert template["metadata"]["labels"]["tier"] == "control"
    assert template["metadata"]["labels"]["team"] == "platform"
    assert template["metadata"]["labels"]["app.kubernetes.io/instance"] == "warmcron"
    assert template["metadata"]["annotations"]["example.com/note"] == "1"
    zone, host = template["spec"]["topologySpreadConstraints"]
    assert zone["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == "operator"
    assert host["labelSelector"]["matchLabels"] == {"mine": "true"}


# --- network


def test_the_network_policy_lets_in_workers_and_replicas_only(helm: Helm) -> None:
    spec = only(helm.render("--set", "networkPolicy.enabled=true"), "NetworkPolicy", "warmcron")["spec"]
    callbacks, http, api = spec["ingress"]
    workers = {"matchExpressions": [{"key": "warmcron.dev/pool", "operator": "Exists"}]}
    assert callbacks["from"] == [
        {"namespaceSelector": {}, "podSelector": workers},
        {"podSelector": spec["podSelector"]},
    ]
    assert callbacks["ports"] == [{"protocol": "TCP", "port": "callbacks"}]
    assert http == {"ports": [{"protocol": "TCP", "port": "http"}]}
    assert api == {"ports": [{"protocol": "TCP", "port": "api"}]}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert all(rule for rule in spec["egress"])


def test_the_network_policy_knows_the_watched_namespaces(helm: Helm) -> None:
    objects = helm.render("--set", "networkPolicy.enabled=true,watchNamespaces={team-a}")
    peer = only(objects, "NetworkPolicy", "warmcron")["spec"]["ingress"][0]["from"][0]
    assert peer["namespaceSelector"]["matchExpressions"][0]["values"] == ["team-a"]


def test_a_service_monitor_is_rendered_where_it_is_known(helm: Helm) -> None:
    on = ("--set", "serviceMonitor.enabled=true")
    known = ("--api-versions", "monitoring.coreos.com/v1/ServiceMonitor")
    only(helm.render(*on, *known), "ServiceMonitor", "warmcron")
    with pytest.raises(RenderError, match=r"install the Prometheus operator first, or set serviceMonitor\.renderMode"):
        helm.render(*on)
    objects = helm.render(*on, "--set", "serviceMonitor.renderMode=skipIfMissing")
    assert not [one for one in objects if one["kind"] == "ServiceMonitor"]


# --- the demo


def test_the_demo_is_two_workers_that_the_operator_finds(helm: Helm) -> None:
    objects = helm.render(*DEMO)
    deployment = only(objects, "Deployment", "warmcron-demo-worker")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["template"]["metadata"]["labels"]["warmcron.dev/pool"] == "demo"
    spec = deployment["template"]["spec"]
    (container,) = spec["containers"]
    assert container["ports"] == [{"name": "warmcron", "containerPort": 8080}]
    assert container["args"] == ["warmworker.demo"]
    assert int(env(container)["WARMWORKER_GRACE_SECONDS"]) < spec["terminationGracePeriodSeconds"]
    assert "/var/lib/warmworker" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_the_demos_task_is_no_object_of_the_release(helm: Helm) -> None:
    # Helm looks up all kinds first: beside its own definition it fails at the first install, with 3 and with 4.
    objects = helm.render(*DEMO)
    assert "ScheduledTask" not in {one["kind"] for one in objects}
    job = only(objects, "Job", "warmcron-demo-task")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade,post-rollback"
    assert "test" not in job["metadata"]["annotations"]["helm.sh/hook"]


def test_the_demo_needs_an_operator_that_sees_it(helm: Helm) -> None:
    with pytest.raises(RenderError, match=f"add {NAMESPACE} to watchNamespaces"):
        helm.render(*DEMO, "--set", "watchNamespaces={team-a}")
    helm.render(*DEMO, "--set", f"watchNamespaces={{{NAMESPACE}}}")


def test_without_the_demo_nothing_of_it_is_there(helm: Helm) -> None:
    assert "demo" not in " ".join(named(helm.render()))


def test_alerts_come_with_links_to_their_pages_where_somebody_says_where_those_are(helm: Helm) -> None:
    on = ("--set", "prometheusRule.enabled=true,prometheusRule.renderMode=alwaysRender")
    plain = only(helm.render(*on), "PrometheusRule", "warmcron")
    linked = only(helm.render(*on, "--set", "prometheusRule.runbookURL=https://x/y/"), "PrometheusRule", "warmcron")
    rules = [rule for group in linked["spec"]["groups"] for rule in group["rules"]]
    assert all(rule["annotations"]["runbook_url"] == f"https://x/y/{rule['alert']}.md" for rule in rules)
    assert "runbook_url" not in str(plain)
    assert "{{ $labels.task }}" in str(plain)
    with pytest.raises(RenderError, match="install the Prometheus operator first"):
        helm.render("--set", "prometheusRule.enabled=true")


def test_a_dashboard_is_found_by_grafanas_sidecar(helm: Helm) -> None:
    found = only(helm.render("--set", "grafanaDashboard.enabled=true"), "ConfigMap", "warmcron-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert '"uid": "warmcron"' in found["data"]["warmcron.json"]


def test_a_trace_leads_where_the_values_say(helm: Helm) -> None:
    (container,) = operator(helm.render())["containers"]
    assert "WARMCRON_TRACE_URL" not in env(container)
    url = "https://jaeger.example/trace/{traceId}"
    # Helm reads braces as a list, unless they are text.
    (container,) = operator(helm.render("--set-literal", f"dashboard.traceURL={url}"))["containers"]
    assert env(container)["WARMCRON_TRACE_URL"] == url
    with pytest.raises(RenderError, match="traceURL"):
        helm.render("--set", "dashboard.traceURL=javascript:alert(1)")


def test_notifications_are_signed_or_not_at_all(helm: Helm) -> None:
    url = ("--set", "notifications.url=https://hooks.example/x")
    with pytest.raises(RenderError, match=r"notifications\.existingSecret is not"):
        helm.render(*url)
    spec = operator(helm.render(*url, "--set", "notifications.existingSecret=hook"))
    (container,) = spec["containers"]
    folder, _, name = env(container)["WARMCRON_NOTIFY_SECRET_FILE"].rpartition("/")
    (mount,) = [one for one in container["volumeMounts"] if one["mountPath"] == folder]
    secret = {one["name"]: one for one in spec["volumes"]}[mount["name"]]["secret"]
    assert (secret["secretName"], secret["items"]) == ("hook", [{"key": "secret", "path": name}])
