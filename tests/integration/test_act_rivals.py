"""Other autoscalers are noticed as they come and go, and it is known when they may be missed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agentscaler.act.places import TargetKey
from agentscaler.act.rivals import Rival, Rivals
from agentscaler.errors import ForbiddenError
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.connected import HurriedClock, connected, until
from tests.fakes.objects import SCALED_OBJECTS


def autoscaler(name: str, target: str) -> dict[str, Any]:
    target_ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    metadata = {"namespace": "agents", "name": name}
    return {"metadata": metadata, "spec": {"scaleTargetRef": target_ref}}


def scaled_object(name: str, target: str, **annotations: str) -> dict[str, Any]:
    keda = {f"autoscaling.keda.sh/{key}": value for key, value in annotations.items()}
    metadata = {"namespace": "agents", "name": name, "annotations": keda}
    return {"metadata": metadata, "spec": {"scaleTargetRef": {"name": target}}}


@asynccontextmanager
async def rivalled(folder: Path) -> AsyncIterator[tuple[FakeApiServer, Rivals, list[TargetKey]]]:
    async with connected(folder) as (server, api):
        told: list[TargetKey] = []
        rivals = Rivals(api, clock=HurriedClock(), on_change=told.append)
        server.objects.put("horizontalpodautoscalers", autoscaler("hpa", "agent"))
        rivals.start()
        await rivals.settled()
        try:
            yield server, rivals, told
        finally:
            await rivals.close()


AGENT = TargetKey("agents", "Deployment", "agent")
OTHER = TargetKey("agents", "Deployment", "other")
HPA = Rival("HorizontalPodAutoscaler", "hpa")


async def test_rival_is_noticed_until_it_goes(tmp_path: Path) -> None:
    async with rivalled(tmp_path) as (server, rivals, told):
        assert (rivals.of(*AGENT), rivals.of(*OTHER)) == ((HPA,), ())
        server.objects.remove("horizontalpodautoscalers", "agents", "hpa")
        await until(lambda: not rivals.of(*AGENT))
        assert told == [AGENT, AGENT]


async def test_rival_that_turns_to_another_target_leaves_the_first(tmp_path: Path) -> None:
    async with rivalled(tmp_path) as (server, rivals, told):
        server.objects.put("horizontalpodautoscalers", autoscaler("hpa", "other"))
        await until(lambda: rivals.of(*OTHER) == (HPA,))
        assert rivals.of(*AGENT) == ()
        assert told == [AGENT, AGENT, OTHER]


async def test_scaled_objects_are_noticed_where_keda_is_installed(tmp_path: Path) -> None:
    async with rivalled(tmp_path) as (server, rivals, _):
        assert rivals.synced
        assert rivals.doubt("agents") is None
        server.served.append(SCALED_OBJECTS)
        server.objects.put("scaledobjects", scaled_object("keda", "agent"))
        await until(lambda: rivals.of(*AGENT) == (HPA, Rival("ScaledObject", "keda")))
        server.objects.put("scaledobjects", scaled_object("keda", "agent", paused="true"))
        await until(lambda: rivals.of(*AGENT) == (HPA,))


async def test_scaled_objects_that_are_not_looked_for_need_no_right(tmp_path: Path) -> None:
    async with connected(tmp_path) as (server, api):
        server.faults.append(Fault("list", "scaledobjects", times=-1, status=403))
        rivals = Rivals(api, clock=HurriedClock(), keda=False)
        rivals.start()
        try:
            await rivals.settled()
            assert rivals.doubt("agents") is None
        finally:
            await rivals.close()


async def test_rivals_that_may_not_be_listed_are_told(tmp_path: Path) -> None:
    async with connected(tmp_path) as (server, api):
        server.faults.append(Fault("list", "horizontalpodautoscalers", times=-1, status=403))
        rivals = Rivals(api, clock=HurriedClock(), namespaces=("agents",))
        rivals.start()
        try:
            await rivals.settled()
            assert not rivals.synced
            doubt = rivals.doubt("agents")
            assert doubt is not None
            assert isinstance(doubt.why, ForbiddenError)
        finally:
            await rivals.close()


@asynccontextmanager
async def doubtful(folder: Path, *faults: Fault) -> AsyncIterator[tuple[FakeApiServer, Rivals]]:
    """Follow the rivals of two namespaces, while these faults are in force."""
    async with connected(folder) as (server, api):
        server.faults.extend(faults)
        rivals = Rivals(api, clock=HurriedClock(), namespaces=("agents", "gone"))
        rivals.start()
        await rivals.settled()
        try:
            yield server, rivals
        finally:
            await rivals.close()


def forbidden(verb: str, namespace: str = "") -> Fault:
    return Fault(verb, "horizontalpodautoscalers", times=-1, status=403, namespace=namespace)


async def test_rivals_of_a_namespace_without_rights_are_doubtful_in_no_other(
    tmp_path: Path,
) -> None:
    async with doubtful(tmp_path, forbidden("list", "gone")) as (_, rivals):
        assert rivals.doubt("agents") is None  # that KEDA is not installed is no doubt
        doubt = rivals.doubt("gone")
        assert doubt is not None
        assert (str(doubt.why), doubt.passing) == ("broken on purpose", True)


async def test_doubt_about_rivals_ends_once_they_are_listed(tmp_path: Path) -> None:
    fault = Fault("list", "horizontalpodautoscalers", times=2, namespace="gone")
    async with doubtful(tmp_path, fault) as (_, rivals):
        assert rivals.doubt("gone") is not None
        await until(lambda: rivals.doubt("gone") is None)


async def test_doubt_about_rivals_that_can_never_be_listed_is_soon_no_passing_one(
    tmp_path: Path,
) -> None:
    def lasts(rivals: Rivals) -> bool:
        doubt = rivals.doubt("agents")
        assert doubt is not None
        return not doubt.passing

    async with doubtful(tmp_path, forbidden("list")) as (server, rivals):
        assert not lasts(rivals)
        await until(lambda: lasts(rivals))
        server.faults.clear()
        await until(lambda: rivals.doubt("agents") is None)


async def test_rivals_are_not_doubtful_while_the_api_server_is_away(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as (server, rivals):
        server.faults.append(Fault("*", "horizontalpodautoscalers", times=-1))
        server.cut()
        await until(lambda: rivals._followed[0].age_seconds() > 1000)
        assert rivals.doubt("agents") is None


async def test_right_to_follow_rivals_that_is_withdrawn_becomes_a_doubt(tmp_path: Path) -> None:
    async with doubtful(tmp_path) as (server, rivals):
        server.faults.append(forbidden("watch", "agents"))
        server.cut()
        await until(lambda: rivals._followed[0].trouble is not None)
        assert rivals.doubt("agents") is None  # what was seen a moment ago is still true
        await until(lambda: rivals.doubt("agents") is not None)
        doubt = rivals.doubt("agents")
        assert doubt is not None
        assert not doubt.passing
        assert rivals.doubt("gone") is None
