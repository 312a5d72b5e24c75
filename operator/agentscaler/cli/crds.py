"""agentscaler crds: print the CustomResourceDefinition."""

import click

from agentscaler.api import crd


@click.command
def command() -> None:
    """Print the CustomResourceDefinition as YAML.

    Use it as: agentscaler crds | kubectl apply --server-side -f -
    """
    click.echo(crd.render(), nl=False)
