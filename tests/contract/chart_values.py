"""The ways in which the chart is meant to be installed; together they set every value there is."""

from typing import Any

URL = {"prometheus": {"url": "http://prometheus.monitoring:9090"}}
ROUTES: list[dict[str, Any]] = [
    {
        "agent": "research",
        "backends": {"service": {"name": "research", "namespace": "agents"}},
        "wake": {"policy": "research-policy"},
    },
    {"agent": "writer", "path": "/writer", "backends": {"service": {"name": "writer"}}},
    {"agent": "coder", "path": "/coder", "backends": {"static": ["10.0.0.7:8000"]}},
]
GATEWAY: dict[str, Any] = {"enabled": True, "config": {"routes": ROUTES}}
_PLACED: dict[str, Any] = {
    "podAnnotations": {"team": "platform"},
    "podLabels": {"team": "platform"},
    "tolerations": [{"operator": "Exists"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "affinity": {"nodeAffinity": {}},
    "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
    "terminationGracePeriodSeconds": 90,
}
VALUES: dict[str, dict[str, Any]] = {
    "plain": {},
    "namespaced": {"watchNamespaces": ["agents", "research"]},
    "secured": {
        "prometheus": URL["prometheus"]
        | {
            "bearerTokenSecret": {"name": "token", "key": "token"},
            "caSecret": {"name": "authority", "key": "ca.crt"},
            "tenant": "team-a|team-b",
            "allowedServers": ["https://thanos.legal:9090"],
        },
        "policySecrets": {"enabled": True},
        "tenancy": {"sharedNamespaces": ["rabbitmq"], "trustedNamespaces": ["*"]},
    },
    "draining": {"drain": {"enabled": True}},
    "monitored": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "runbook": "https://wiki.example/agentscaler"},
        "dashboard": {"enabled": True},
        "networkPolicy": {
            "enabled": True,
            "scrapersFrom": [{"namespaceSelector": {}}],
            "apiServerTo": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
            "prometheusTo": [{"namespaceSelector": {}}],
        },
        "topologySpreadConstraints": [
            {
                "topologyKey": "topology.kubernetes.io/zone",
                "maxSkew": 1,
                "whenUnsatisfiable": "ScheduleAnyway",
            }
        ],
    },
    "monitored-elsewhere": {
        "serviceMonitor": {"enabled": True, "interval": "15s"},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "labels": {"dashboards": "yes"}},
        "networkPolicy": {"enabled": True, "apiServerPorts": [6443], "prometheusPorts": [9090]},
        "logLevel": "debug",
        "logFormat": "console",
        "apiRate": 50,
    },
    "asked": {
        "webhook": {"enabled": True},
        "watchNamespaces": ["agents"],
        "networkPolicy": {"enabled": True},
    },
    "asked-with-a-certificate": {
        "webhook": {
            "enabled": True,
            "failurePolicy": "Fail",
            "certificate": {"secretName": "given", "caBundle": "Z2l2ZW4="},
            "annotations": {"cert-manager.io/inject-ca-from": "system/given"},
        },
    },
    "other-targets": {
        "scaleTargets": [{"apiGroup": "argoproj.io", "resource": "rollouts"}],
        "keda": {"enabled": False},
    },
    "alone": {
        **_PLACED,
        "replicas": 1,
        "crds": {"enabled": False},
        "serviceAccount": {"create": False, "name": "given"},
        "rbac": {"create": False},
        "priorityClassName": "system-cluster-critical",
        "imagePullSecrets": [{"name": "registry"}],
    },
    "renamed": {
        "global": {"team": "platform"},
        "nameOverride": "scaler",
        "fullnameOverride": "scaler-of-agents",
        "crds": {"enabled": True, "keep": False},
        "image": {"repository": "registry.example/scaler", "tag": "1", "pullPolicy": "Always"},
        "leaderElection": {"leaseName": "scaler"},
        "replicas": 4,
        "shards": 3,
        "serviceAccount": {"create": True, "annotations": {"team": "platform"}},
        "service": {"port": 80, "annotations": {"team": "platform"}},
        "podDisruptionBudget": {"enabled": False, "minAvailable": 2},
    },
}
# The gateway's objects carry labels of their own, so they are apart from the operator's.
WITH_GATEWAY: dict[str, dict[str, Any]] = {
    "gateway": {"gateway": GATEWAY},
    "gateway-placed": {
        "gateway": GATEWAY
        | {
            **_PLACED,
            "replicas": 3,
            "service": {"port": 8080, "annotations": {"team": "platform"}},
            "serviceAccount": {"create": True, "name": "door", "annotations": {"a": "b"}},
            "admissionPolicy": {"enabled": False},
            "podDisruptionBudget": {"enabled": True, "minAvailable": 2},
        },
    },
    "gateway-watched": {
        "gateway": GATEWAY
        | {
            "serviceMonitor": {"enabled": True, "interval": "5s", "labels": {"release": "p"}},
            "networkPolicy": {
                "enabled": True,
                "clientsFrom": [{"namespaceSelector": {}}],
                "scrapersFrom": [{"namespaceSelector": {}}],
                "backendsTo": [{"podSelector": {}}],
                "backendPorts": [8000],
                "apiServerTo": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
                "apiServerPorts": [6443],
            },
        },
    },
    "gateway-given": {
        "gateway": GATEWAY | {"serviceAccount": {"create": False, "name": "given"}},
    },
}
