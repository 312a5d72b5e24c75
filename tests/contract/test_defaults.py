"""What each of the twelve systems does when nothing is said, in the order of the README's table.

A number that changes here changes what users get at an upgrade: it belongs into the changelog.
"""

from datetime import timedelta
from inspect import signature

from agentscaler.analyze import bottlenecks
from agentscaler.api.policy import Method, parse_spec
from agentscaler.api.strategies import Threshold
from agentscaler.forecast import rows, timeofday
from agentscaler.gateway import windows
from agentscaler.gateway.ejection import Ejection
from agentscaler.gateway.routing.adaptive import Adaptive
from agentscaler.gateway.settings import QueueSettings, RuleSettings
from agentscaler.runtime import caching, profiling, state
from agentscaler.runtime.batching import BatchOptions
from agentscaler.runtime.options import ServiceOptions
from agentscaler.runtime.pooling import PoolOptions
from agentscaler.runtime.service import AgentService
from agentscaler.runtime.state import MemoryStateStore

MINIMAL = {"scaleTargetRef": {"name": "agent"}}


def test_service_works_on_ten_requests_and_keeps_sessions_for_an_hour() -> None:
    assert signature(AgentService).parameters["max_concurrent"].default == 10
    options = ServiceOptions()
    assert (options.max_queued, options.max_wait_seconds, options.overload_status) == (100, 30, 503)
    assert (options.drain_delay_seconds, options.drain_limit_seconds) == (5, 25)
    assert signature(MemoryStateStore).parameters["ttl_seconds"].default == 3600
    assert state.DEFAULT_MAX_BYTES == 256 * 1024


def test_gateway_balances_adaptively_and_holds_what_finds_no_slot() -> None:
    rule, queue = RuleSettings(), QueueSettings()
    assert (rule.name, rule.key.name, rule.num_shards) == ("adaptive", "x-session-id", 1024)
    assert (queue.max_waiting, queue.wait_seconds) == (1000, 30)


def test_score_and_window_of_the_balancer_are_the_documented_ones() -> None:
    score = Adaptive()
    weights = (score.per_weight, score.per_active, score.per_second, score.per_error_ratio)
    assert weights == (100, 10, 10, 1000)  # 10 a second is a hundredth a millisecond
    assert windows.MAX_RESPONSES == 100
    assert Ejection().consecutive_errors == 5


def test_autoscaler_has_its_thresholds_steps_and_clocks() -> None:
    threshold = Threshold()
    up, down = threshold.scale_up, threshold.scale_down
    assert (up.utilization, up.queue_pressure, up.latency) == (0.8, 0.5, timedelta(seconds=5))
    assert (down.utilization, down.queue_pressure, down.error_ratio) == (0.3, 0.1, 0.01)
    assert (up.step, down.step) == (2, 1)
    assert (up.cooldown, down.cooldown) == (timedelta(seconds=60), timedelta(seconds=300))
    spec = parse_spec(MINIMAL)
    assert (spec.min_replicas, spec.max_replicas) == (1, 10)


def test_predictive_scaler_looks_a_quarter_of_an_hour_ahead_by_the_hour_of_the_day() -> None:
    spec = parse_spec({**MINIMAL, "prediction": {"method": "TimeOfDay"}})
    assert spec.prediction.method is Method.TIME_OF_DAY
    assert rows.lookahead(spec, timedelta(seconds=40)) == timedelta(minutes=15)
    assert spec.prediction.season == timedelta(hours=24)
    assert spec.prediction.season / timeofday.SHARE_OF_SEASON == timedelta(hours=1)
    assert timeofday.SAMPLES == 10


def test_batch_is_ten_requests_or_a_tenth_of_a_second() -> None:
    options = BatchOptions()
    assert (options.max_size, options.max_wait_seconds) == (10, 0.1)
    assert options.adaptive is None


def test_pool_has_two_to_ten_connections_idle_for_five_minutes() -> None:
    options = PoolOptions()
    assert (options.min_size, options.max_size, options.max_idle_seconds) == (2, 10, 300)


def test_cache_keeps_for_five_minutes_within_a_bound() -> None:
    assert caching.DEFAULT_TTL_SECONDS == 300
    assert signature(caching.Cache).parameters["max_entries"].default == 1000


def test_profiler_calls_twice_the_mean_a_tail_and_a_second_high() -> None:
    assert (profiling.TAIL_OVER_MEAN, profiling.HIGH_ABOVE_SECONDS) == (2, 1)
    assert profiling.KEPT_SAMPLES == 1000


def test_analyzer_judges_resources_by_mean_and_peak_and_names_the_worst_three() -> None:
    assert (bottlenecks.MEAN_ABOVE, bottlenecks.PEAK_ABOVE) == (0.8, 0.95)
    assert (bottlenecks.TAIL_OVER_MEAN, bottlenecks.HIGH_ABOVE_SECONDS) == (2, 1)
    assert bottlenecks.WORST == 3
