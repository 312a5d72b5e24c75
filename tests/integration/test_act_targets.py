"""Targets as they come and go in a cluster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agentscaler.act.client import Api
from agentscaler.act.places import Kind, TargetKey
from agentscaler.act.targets import Targets
from agentscaler.act.workloads import Target
from agentscaler.api.policy import ScaleTargetRef
from agentscaler.errors import ClusterError, ForbiddenError, NotFoundError, NotScalableError
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.connected import HurriedClock, connected, until

DEPLOYMENT = Kind("apps/v1", "Deployment")
FLEET = Kind("example.dev/v1", "Fleet")


def ref(kind: Kind = DEPLOYMENT, name: str = "agent") -> ScaleTargetRef:
    return ScaleTargetRef(api_version=kind.api_version, kind=kind.name, name=name)


def deployment(replicas: int, namespace: str = "agents", name: str = "agent") -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"replicas": replicas, "strategy": {}},
        "status": {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1},
    }


def fleet(size: int, name: str = "agent") -> dict[str, Any]:
    metadata = {"namespace": "agents", "name": name}
    return {"metadata": metadata, "spec": {"size": size}, "status": {"live": 2}}


class Seeing:
    """Targets under watch, and what was told of them."""

    def __init__(self, server: FakeApiServer, api: Api, namespaces: tuple[str, ...]) -> None:
        self.server = server
        self.told: list[TargetKey] = []
        self.targets = Targets(
            api, clock=HurriedClock(), namespaces=namespaces, on_change=self.told.append
        )

    async def follow(self, *kinds: Kind) -> None:
        await self.targets.follow(kinds)
        await self.targets.settled()

    def knows(self, name: str) -> bool:
        """Tell whether it is known if there is such a fleet."""
        with suppress(ClusterError):
            self.targets.find("agents", ref(FLEET, name))
            return True
        return False

    def find(self, kind: Kind = DEPLOYMENT, name: str = "agent") -> Target:
        found = self.targets.find("agents", ref(kind, name))
        assert found is not None
        return found


@asynccontextmanager
async def seeing(folder: Path, *namespaces: str) -> AsyncIterator[Seeing]:
    async with connected(folder) as (server, api):
        it = Seeing(server, api, namespaces)
        try:
            yield it
        finally:
            await it.targets.close()


async def test_target_is_found_and_its_change_told(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        it.server.objects.put("deployments", deployment(3))
        await it.follow(DEPLOYMENT)
        assert it.targets.synced
        assert (it.find().replicas, it.find().ready) == (3, 1)
        it.server.objects.put("deployments", deployment(5))
        await until(lambda: it.find().replicas == 5)
        assert it.told == [TargetKey("agents", "Deployment", "agent")] * 2
        assert it.targets.age_seconds() < 100


async def test_target_that_does_not_exist_is_none(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        await it.follow(DEPLOYMENT)
        assert it.targets.find("agents", ref()) is None


async def test_one_watch_serves_all_targets_of_a_kind(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        for number in range(20):
            it.server.objects.put("deployments", deployment(1, name=f"agent-{number}"))
        await it.follow(DEPLOYMENT)
        await it.follow(DEPLOYMENT)
        await until(lambda: it.server.count("watch", "deployments") == 1)
        assert it.server.requests == [
            ("get", "discovery"),
            ("list", "deployments"),
            ("watch", "deployments"),
        ]


async def test_kinds_that_nobody_answers_for_are_waited_for_once(tmp_path: Path) -> None:
    """The connection of these tests gives a request half a second."""
    async with seeing(tmp_path) as it:
        it.server.faults.append(Fault("get", "discovery", times=-1, hang=True))
        began = asyncio.get_running_loop().time()
        await it.follow(*(Kind(f"made.up{number}/v1", "Agent") for number in range(12)))
        assert asyncio.get_running_loop().time() - began < 4
        it.server.cut()


async def test_only_the_given_namespaces_are_looked_at(tmp_path: Path) -> None:
    async with seeing(tmp_path, "agents", "others") as it:
        it.server.objects.put("deployments", deployment(3))
        it.server.objects.put("deployments", deployment(4, namespace="secret"))
        await it.follow(DEPLOYMENT)
        assert it.find().replicas == 3
        assert it.server.count("list", "deployments") == 2
        with pytest.raises(ClusterError, match="namespace secret is not among those"):
            it.targets.find("secret", ref())


async def test_kind_that_is_no_longer_wanted_is_no_longer_followed(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        await it.follow(DEPLOYMENT, FLEET)
        await it.follow(FLEET)
        with pytest.raises(ClusterError, match="not followed"):
            it.targets.find("agents", ref())
        it.server.objects.put("fleets", fleet(4))
        await until(lambda: it.targets.find("agents", ref(FLEET)) is not None)


async def test_nothing_followed_is_as_young_as_can_be(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        assert (it.targets.synced, it.targets.age_seconds()) == (True, 0.0)


async def test_kind_that_keeps_its_count_elsewhere_is_read_through_scale(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        it.server.objects.put("fleets", fleet(4))
        await it.follow(FLEET)
        target = it.find(FLEET)
        assert (target.replicas, target.ready, target.selector) == (4, 2, "app=agent")
        it.server.objects.put("fleets", fleet(0))
        await until(lambda: it.find(FLEET).replicas == 0)
        assert it.server.count("get", "fleets/scale") == 2


async def test_scale_is_not_asked_for_again_when_the_version_is_known(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        it.server.objects.put("fleets", fleet(4))
        await it.follow(FLEET)
        await until(lambda: it.server.count("watch", "fleets") == 1)
        it.server.objects.forget()
        await until(lambda: it.server.count("list", "fleets") == 2)
        await until(lambda: it.server.count("watch", "fleets") >= 2)
        assert it.server.count("get", "fleets/scale") == 1


def definition(**scale: str) -> dict[str, Any]:
    paths = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.live"}
    version = {"name": "v1", "subresources": {"scale": paths | scale}}
    metadata = {"namespace": "", "name": "fleets.example.dev"}
    return {"metadata": metadata, "spec": {"versions": [{"name": "v2"}, version]}}


async def test_kind_that_says_where_its_counts_are_costs_no_request_for_each(
    tmp_path: Path,
) -> None:
    async with seeing(tmp_path) as it:
        selector = {"labelSelectorPath": ".status.selector"}
        it.server.objects.put("customresourcedefinitions", definition(**selector))
        for number in range(20):
            told = fleet(number, name=f"agent-{number}")
            told["status"]["selector"] = "app=agent"
            it.server.objects.put("fleets", told)
        await it.follow(FLEET)
        target = it.find(FLEET, "agent-7")
        assert (target.replicas, target.ready, target.selector) == (7, 2, "app=agent")
        it.server.objects.put("fleets", fleet(0, name="agent-7"))
        await until(lambda: it.find(FLEET, "agent-7").replicas == 0)
        assert it.server.count("get", "fleets/scale") == 0


@pytest.mark.parametrize(
    "told",
    [
        definition(specReplicasPath=".spec['size']"),
        definition(labelSelectorPath=".status['selector']"),
        definition() | {"spec": {"versions": [{"name": "v2"}]}},
        definition() | {"spec": {"versions": [{"name": "v1"}]}},
    ],
    ids=["odd path", "odd selector", "other version", "no scale"],
)
async def test_kind_whose_counts_are_hard_to_find_is_read_through_scale(
    tmp_path: Path, told: dict[str, Any]
) -> None:
    async with seeing(tmp_path) as it:
        it.server.objects.put("customresourcedefinitions", told)
        it.server.objects.put("fleets", fleet(4))
        await it.follow(FLEET)
        assert (it.find(FLEET).replicas, it.find(FLEET).selector) == (4, "app=agent")
        assert it.server.count("get", "fleets/scale") == 1


async def test_definition_that_may_not_be_read_is_done_without(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        it.server.objects.put("customresourcedefinitions", definition())
        it.server.faults.append(Fault("get", "customresourcedefinitions", status=403))
        it.server.objects.put("fleets", fleet(4))
        await it.follow(FLEET)
        assert it.find(FLEET).replicas == 4


async def test_object_without_a_count_is_no_target(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        it.server.objects.put("customresourcedefinitions", definition())
        it.server.objects.put("fleets", fleet(4) | {"spec": {}})
        await it.follow(FLEET)
        assert it.targets.find("agents", ref(FLEET)) is None


async def test_object_that_goes_before_its_scale_is_read_is_none(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        it.server.objects.put("fleets", fleet(4))
        it.server.faults.append(Fault("get", "fleets/scale", status=404))
        await it.follow(FLEET)
        assert it.targets.find("agents", ref(FLEET)) is None


async def test_object_whose_scale_is_not_told_stays_as_it_was_until_it_is(tmp_path: Path) -> None:
    """Nothing in the cluster changes it any more, so no event comes that would have it read."""
    async with seeing(tmp_path) as it:
        it.server.objects.put("fleets", fleet(4))
        await it.follow(FLEET)
        it.server.faults.append(Fault("get", "fleets/scale", times=3, status=500))
        it.server.objects.put("fleets", fleet(5))
        await until(lambda: it.server.count("get", "fleets/scale") >= 2)
        assert it.find(FLEET).replicas in {4, 5}
        await until(lambda: it.find(FLEET).replicas == 5)


async def test_object_whose_scale_was_never_told_is_unknown_until_it_is(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        it.server.faults.append(Fault("get", "fleets/scale", times=-1, status=500, message="no"))
        it.server.objects.put("fleets", fleet(4))
        it.server.objects.put("fleets", fleet(2, name="other"))
        await it.follow(FLEET)
        for name in ("agent", "other"):
            with pytest.raises(ClusterError, match="no"):
                it.targets.find("agents", ref(FLEET, name))
        it.server.objects.remove("fleets", "agents", "other")
        await until(lambda: it.knows("other"))
        assert it.targets.find("agents", ref(FLEET, "other")) is None
        it.server.faults.clear()
        await until(lambda: it.knows("agent"))
        assert it.find(FLEET).replicas == 4


async def test_definition_that_was_not_answered_is_asked_for_again(tmp_path: Path) -> None:
    """Else each object would cost a request from then on."""
    async with seeing(tmp_path) as it:
        it.server.objects.put("customresourcedefinitions", definition())
        it.server.faults.append(Fault("get", "customresourcedefinitions", times=-1, status=500))
        it.server.objects.put("fleets", fleet(4))
        await it.follow(FLEET)
        with pytest.raises(ClusterError):
            it.targets.find("agents", ref(FLEET))
        it.server.faults.clear()
        while it.server.count("list", "fleets") == 0:
            await it.follow(FLEET)
        assert it.find(FLEET).replicas == 4
        assert it.server.count("get", "fleets/scale") == 0


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        (Kind("apps/v1", "Deploymnt"), NotFoundError, "knows no kind 'Deploymnt' in 'apps/v1'"),
        (Kind("nowhere.dev/v1", "Thing"), NotFoundError, "serves no API 'nowhere.dev/v1'"),
        (Kind("apps/v1", "ControllerRevision"), NotScalableError, "no /scale subresource"),
        (Kind("example.dev/v1", "Region"), NotScalableError, "have no namespace"),
    ],
    ids=["typo", "unknown group", "no scale", "no namespace"],
)
async def test_kind_that_cannot_be_a_target_is_told_when_it_is_looked_for(
    tmp_path: Path, kind: Kind, error: type[ClusterError], message: str
) -> None:
    async with seeing(tmp_path) as it:
        it.server.objects.put("deployments", deployment(3))
        await it.follow(kind, DEPLOYMENT)
        assert it.find().replicas == 3
        for _ in range(2):
            with pytest.raises(error, match=message):
                it.targets.find("agents", ref(kind))


async def test_kind_that_appears_later_is_followed_then(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        served = it.server.served
        it.server.served = [one for one in served if one.plural != "fleets"]
        await it.follow(FLEET)
        it.server.served = served
        it.server.objects.put("fleets", fleet(4))
        await it.follow(FLEET)
        assert it.server.count("get", "discovery") == 1
        while it.server.count("get", "discovery") < 2:
            await it.follow(FLEET)
        assert it.find(FLEET).replicas == 4


async def test_target_is_unknown_while_its_kind_cannot_be_listed(tmp_path: Path) -> None:
    async with seeing(tmp_path) as it:
        it.server.objects.put("deployments", deployment(3))
        it.server.faults.append(Fault("list", "deployments", times=3, status=403, message="no"))
        await it.targets.follow([DEPLOYMENT])
        with pytest.raises(ClusterError, match="not listed yet"):
            it.targets.find("agents", ref())
        await it.targets.settled()
        assert not it.targets.synced
        with pytest.raises(ForbiddenError, match="no"):
            it.targets.find("agents", ref())
        await until(lambda: it.targets.synced)
        assert it.find().replicas == 3


async def test_defect_of_whoever_is_told_is_not_kept_quiet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(key: TargetKey) -> None:
        raise RuntimeError(f"a defect at {key.name}")

    async with connected(tmp_path) as (server, api):
        server.objects.put("deployments", deployment(3))
        targets = Targets(api, clock=HurriedClock(), on_change=fail)
        await targets.follow([DEPLOYMENT])
        await until(lambda: "a defect at agent" in caplog.text)
        await targets.close()
