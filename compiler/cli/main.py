"""`sluice`: the command line. A command's module is imported when it is run, so that `sluice check` starts at once."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

# name -> (module, one line for the list of commands)
COMMANDS = {
    "check": ("compiler.cli.check", "Check manifests, their examples and their migrations."),
    "dev": ("compiler.cli.dev", "Run the whole environment on this machine: up, down, status."),
    "iam": ("compiler.cli.iam", "Show what deploying takes, and what a change gives to whom."),
    "init": ("compiler.cli.init", "Write a first manifest with examples."),
    "migrate": ("compiler.cli.migrate", "Apply migrations to a database, or show where it stands."),
    "plan": ("compiler.cli.plan", "Write the migrations that a changed manifest needs."),
    "publish": ("compiler.cli.publish", "Send a file of records to a dataset's buffer."),
    "stacks": ("compiler.cli.stacks", "Say which stack deploys which dataset, and which a change touches."),
    "status": ("compiler.cli.status", "Show which plan the running sinks have."),
    "show": ("compiler.cli.show", "Show a dataset with every default, type and limit."),
}


class Commands(click.Group):
    """The group of COMMANDS; listing them imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Their names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, from its module."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for --help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the command that a misspelt one may mean."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from compiler.suggest import did_you_mean, quoted

            question = did_you_mean(name, COMMANDS) or "See sluice --help."
            ctx.fail(f"There is no command {quoted(name)}. {question}")
        return super().resolve_command(ctx, args)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all is well, 1 problems were found or the work failed, 2 the command line is wrong.",
)
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help='The project\'s folder. By default the nearest one, here or above, that has a folder "datasets".',
)
@click.version_option(package_name="sluice", message="sluice %(version)s")
@click.pass_context
def main(ctx: click.Context, project: Path | None) -> None:
    """Buffered Postgres datasets, declared in git.

    A dataset is a folder datasets/NAME with a manifest, dataset.json. From it come the buffer, the
    permissions, the table with its migrations, and the sink's plan.
    """
    ctx.obj = project


if __name__ == "__main__":
    main()
