"""The lines of the Containerfile that a cluster without network or root relies on."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "Containerfile").read_text().splitlines()


def test_base_is_an_argument_before_the_first_stage() -> None:
    stated = [line for line in LINES if line and not line.startswith("#")]
    assert stated[:2] == ["ARG BASE=python:3.12-slim", "FROM ${BASE}"]


def test_nothing_is_fetched_while_it_is_built() -> None:
    text = "\n".join(LINES)
    assert "--no-index --find-links /wheels" in text
    assert not [word for word in ("apt-get", "curl", "wget", "ADD http") if word in text]


def test_it_runs_as_a_user_that_has_a_name() -> None:
    assert "USER 65532:65532" in LINES
    assert any(":x:65532:65532:" in line and "/etc/passwd" in line for line in LINES)


def test_it_starts_the_operator() -> None:
    assert LINES[-1] == 'ENTRYPOINT ["agentscaler", "run"]'


def test_only_wheels_are_sent_to_the_builder() -> None:
    assert (ROOT / ".dockerignore").read_text().split() == ["*", "!wheels"]
