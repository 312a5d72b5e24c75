"""The definition as text and as an object."""

import yaml

from agentscaler.api import crd


def test_text_and_object_say_the_same() -> None:
    text = crd.render()
    assert yaml.safe_load(text) == crd.definition()
    assert text.startswith("# Made by `make crds`")


def test_version_is_served_with_its_status_apart() -> None:
    version = crd.definition()["spec"]["versions"][0]
    assert version["served"]
    assert version["storage"]
    assert version["subresources"] == {"status": {}}
