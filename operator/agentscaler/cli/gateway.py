"""agentscaler gateway: the reverse proxy in front of agent pods."""

from pathlib import Path

import click

from agentscaler.gateway import config, process


@click.command()
@click.option(
    "--config",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The YAML file with the routes; docs/gateway.md lists every field.",
)
@click.option("--check", is_flag=True, help="Only check the file.")
def command(path: Path, *, check: bool) -> None:
    """Pass requests to agent pods: route, hold, wake, until told to stop."""
    settings = config.read(path)
    if check:
        click.echo(f"{path}: {len(settings.routes)} routes")
        return
    process.run(settings)
