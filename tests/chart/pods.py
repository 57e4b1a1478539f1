"""Reads rendered manifests as the API server and a network would: Pod Security `restricted`, credentials, ways out.

    python3 tests/chart/pods.py RENDERED.yaml…
"""

import pathlib
import sys

import yaml

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def pods(document):
    """The pod specs in an object, each with its metadata."""
    if document["kind"] == "Pod":
        yield document["metadata"], document["spec"]
    template = document.get("spec", {}).get("template")
    if isinstance(template, dict):
        yield template.get("metadata", {}), template["spec"]


def restricted(spec):
    """What the Pod Security Standard `restricted` (1.34) forbids."""
    pod = spec.get("securityContext", {})
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield field
    for volume in spec.get("volumes", []):
        if kinds := set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']} of kind {kinds}"
    for container in spec.get("initContainers", []) + spec["containers"]:
        own, name = container.get("securityContext", {}), container["name"]
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{name}: privileges may grow"
        if own.get("privileged"):
            yield f"{name}: privileged"
        if "ALL" not in own.get("capabilities", {}).get("drop", []):
            yield f"{name}: capabilities"
        if set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
            yield f"{name}: capabilities are added"
        if not own.get("runAsNonRoot", pod.get("runAsNonRoot")):
            yield f"{name}: root"
        if own.get("runAsUser", pod.get("runAsUser")) == 0:
            yield f"{name}: user 0"
        seccomp = own.get("seccompProfile", pod.get("seccompProfile", {})).get("type")
        if seccomp not in ("RuntimeDefault", "Localhost"):
            yield f"{name}: seccomp {seccomp}"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield f"{name}: hostPort"


def ours(spec):
    """What this chart promises beyond that."""
    if spec.get("automountServiceAccountToken") is not False:
        yield "a service-account token"
    secret = {volume["name"] for volume in spec.get("volumes", []) if "secret" in volume}
    for volume in spec.get("volumes", []):
        if "secret" in volume and volume["secret"].get("defaultMode") != 0o440:
            yield f"secret volume {volume['name']}: mode {volume['secret'].get('defaultMode')}"
    for container in spec.get("initContainers", []) + spec["containers"]:
        mounts = container.get("volumeMounts", [])
        if any("subPath" in mount for mount in mounts):
            yield f"{container['name']}: subPath is never updated"
        if container["name"] != "privet" and secret & {mount["name"] for mount in mounts}:
            yield f"{container['name']}: sees a Secret"
        if container["name"] == "privet" and not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
            yield "privet: the root file system can be written to"
        if container["name"] != "shop" and "limits" not in container.get("resources", {}):
            yield f"{container['name']}: no limits"


def network(documents):
    """Agents reach Privet and the name server, and nothing else."""
    policies = {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "NetworkPolicy"}
    workload = next((d for d in documents if d["kind"] in ("Deployment", "DaemonSet") and d["metadata"]["name"] != "shop"), None)
    for name, spec in policies.items():
        if "Egress" not in spec["policyTypes"]:
            yield f"{name}: egress is open"
        for rule in spec["egress"]:
            if not rule.get("ports"):
                yield f"{name}: a way out on every port"
        if workload and name.endswith("-agents"):
            labels = workload["spec"]["template"]["metadata"]["labels"]
            ports = {port["containerPort"] for c in workload["spec"]["template"]["spec"]["containers"] for port in c["ports"]}
            for rule in spec["egress"]:
                numbers = {port["port"] for port in rule["ports"]}
                peers = rule.get("to") or [{}]
                to_privet = numbers <= ports and all(
                    set(peer) == {"podSelector"} and peer["podSelector"]["matchLabels"].items() <= labels.items() for peer in peers)
                to_names = numbers == {53} and all(peer.get("namespaceSelector") is not None for peer in peers)
                if not (to_privet or to_names):
                    yield f"{name}: a way round Privet: {rule}"
    if workload and workload["metadata"]["name"] not in policies:
        yield "no NetworkPolicy"


def main():
    wrong = looked = 0
    for file in sys.argv[1:]:
        documents = [d for d in yaml.safe_load_all(pathlib.Path(file).read_text()) if d]
        found = list(network(documents))
        for document in documents:
            if document["kind"] in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "Secret", "ServiceAccount"):
                found.append(f"a {document['kind']}")
            for _, spec in pods(document):
                looked += 1
                name = f"{document['kind']}/{document['metadata']['name']}"
                found += [f"{name}: {what}" for what in [*restricted(spec), *ours(spec)]]
        for what in found:
            print(f"{pathlib.Path(file).name}: {what}", file=sys.stderr)
        wrong += len(found)
    if not looked:
        sys.exit("no pods were looked at")
    sys.exit(wrong > 0)


main()
