"""The agent's tools: they take their time, as searches and sandboxes do."""

import ast
import asyncio
import operator

SEARCH_SECONDS = 0.15
SANDBOX_SECONDS = 0.05

NOTES = {
    "queues": "Few wait long while utilization stays below its knee.",
    "caches": "A cache answers at once what was asked before.",
    "models": "A model's limit is shared by all replicas that call it.",
}
OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


async def search(topic: str) -> str:
    """Look a topic up in the notes."""
    await asyncio.sleep(SEARCH_SECONDS)
    return next((text for word, text in NOTES.items() if word in topic), "Nothing was found.")


async def calculate(expression: str) -> float:
    """Work out an expression of numbers and + - * /; raises `ValueError` for any other."""
    await asyncio.sleep(SANDBOX_SECONDS)
    return _value(ast.parse(expression, mode="eval").body)


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            found: float = OPERATIONS[type(op)](_value(left), _value(right))
            return found
        case _:
            raise ValueError("only numbers and + - * / can be worked out")
