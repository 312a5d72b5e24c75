"""`make demo-full`: agent, sessions in Redis, model, gateway and operator together, all real.

Requests go over HTTP through the gateway to agent processes that follow the pods of their
Deployment. Only the model is a stand-in (examples/research-agent/llm_stub.py), unless LLM_URL names
another.
"""
