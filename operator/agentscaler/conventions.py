"""Names that cross a process or the wire: resource, metrics, labels, annotations.

Constants only. Whoever writes one of these names and whoever reads it import it from here, so that
the runtime, the gateway, the operator and the chart cannot drift apart.
"""

from typing import Final

GROUP: Final = "agentscaler.dev"
VERSION: Final = "v1alpha1"
KIND: Final = "AgentScalingPolicy"
PLURAL: Final = "agentscalingpolicies"
SINGULAR: Final = "agentscalingpolicy"
SHORT_NAME: Final = "asp"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FIELD_MANAGER: Final = "agentscaler"
LEASE_NAME: Final = "agentscaler-leader"
# On Leases: into how many shards the holder divides the namespaces.
SHARDS_LABEL: Final = f"{GROUP}/shards"

# Labels of the metrics below. `agent` is the target's name unless a policy says otherwise.
NAMESPACE_LABEL: Final = "namespace"
AGENT_LABEL: Final = "agent"
POD_LABEL: Final = "pod"
PROVIDER_LABEL: Final = "provider"  # of LLM_RESPONSES

# Exported by the runtime and the gateway, read by the operator's defaults.
QUEUE_DEPTH: Final = "agent_queue_depth"
ACTIVE_REQUESTS: Final = "agent_active_requests"
CAPACITY: Final = "agent_capacity"
REQUESTS_RECEIVED: Final = "agent_requests_received_total"
REQUESTS_ENDED: Final = "agent_requests_total"
REQUEST_DURATION: Final = "agent_request_duration_seconds"
REQUEST_WAIT: Final = "agent_request_wait_seconds"
PENDING_LLM_CALLS: Final = "agent_pending_llm_calls"
LLM_RESPONSES: Final = "agent_llm_responses_total"
OPERATION_DURATION: Final = "agent_operation_duration_seconds"
OPERATION_LABEL: Final = "operation"

# On pods that a policy drains. A pod whose template carries the label, with the value "true", is
# taken out of service by it: its Service has to select it.
SERVING_LABEL: Final = f"{GROUP}/serving"
DRAINING_ANNOTATION: Final = f"{GROUP}/draining-since"
DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"

# On policies: when the gateway last saw a request wait for a target at zero (RFC 3339).
WAKE_ANNOTATION: Final = f"{GROUP}/wake"

OUTCOME_LABEL: Final = "outcome"
OUTCOME_OK: Final = "ok"
OUTCOME_ERROR: Final = "error"
OUTCOME_RATE_LIMITED: Final = "rate_limited"
