"""`sluice publish`: a file of records into a dataset's buffer."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import click

from compiler.cli.common import fail, printable, project_root, stop
from compiler.dataset import Dataset, MessageKey
from compiler.operation import BufferFormat
from compiler.pipeline import DATASETS, compile_datasets
from compiler.problems import Problem, ProblemsError
from compiler.publish.destination import Destination, DestinationError, from_outputs, from_stack, sqs_client
from compiler.publish.envelopes import Body, TooLargeError, pack
from compiler.publish.records import Record, RecordsError, digest, read
from compiler.publish.send import SendError, batches, send
from compiler.publish.validation import split
from compiler.suggest import counted

SHOWN_REFUSALS = 50
INTERRUPTED = 130


@dataclass
class Tally:
    """What a run did, as far as it came.

    `records` were read, and `skipped` of them refused: they are no JSON, or the effective schema does not admit them;
    `refusals` say why. `sent` records in `messages` of `bytes` are those that SQS has said it took (with --dry-run, those
    that would be sent), `under_way` those of a call that it has not answered.
    """

    records: int = 0
    sent: int = 0
    under_way: int = 0
    messages: int = 0
    bytes: int = 0
    skipped: int = 0
    refusals: list[Problem] = field(default_factory=list)


@click.command(
    "publish",
    epilog="Exit codes: 0 every record was sent, 1 it was not, 2 the command line is wrong, 130 interrupted (Ctrl-C).",
)
@click.argument("name")
@click.argument("file", type=click.File("rb"))
@click.option("--as", "producer", metavar="PRODUCER", help="Assume this producer's role first.")
@click.option("--queue-url", help="The buffer's address, where it is neither the embedded one nor a stack's.")
@click.option("--stack", metavar="NAME", help="Publish to the stack of Pulumi.NAME.yaml on AWS.")
@click.option("--skip-invalid", is_flag=True, help="Send the valid records although others are not.")
@click.option("--no-validate", is_flag=True, help="Send records unseen; the sink then dead-letters bad ones.")
@click.option("--dry-run", is_flag=True, help="Validate and pack, and send nothing.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def command(  # noqa: PLR0913, PLR0917 - click passes each option as an argument, by name
    ctx: click.Context,
    name: str,
    file: BinaryIO,
    producer: str | None,
    queue_url: str | None,
    stack: str | None,
    skip_invalid: bool,  # noqa: FBT001 - click passes flags by name
    no_validate: bool,  # noqa: FBT001
    dry_run: bool,  # noqa: FBT001
    form: str,
) -> None:
    """Send the records of FILE (`-` is stdin) to the buffer of the dataset NAME.

    FILE is JSON Lines or one JSON array. All records are validated before the first is sent; with a record that is not
    valid nothing is sent. Records are packed into envelopes whose ids follow from the file's content, so publishing
    a file twice changes nothing in the table. (Buffers of format "record" carry no ids: there the table's key
    decides.)

    By default the records go to the embedded environment of `sluice dev up`; with --stack to a deployed stack, under
    your own AWS credentials or, with --as, as the producer.
    """
    root, file_name = project_root(ctx), getattr(file, "name", "<stdin>")
    dataset = _dataset(root, name)
    destination = _destination(root, dataset, producer, queue_url, stack)
    tally = Tally()
    with _told(dataset, destination, file_name, tally), _seekable(file) as source:
        if not no_validate:
            _validate(dataset, source, file_name, tally)
            if tally.skipped and not skip_invalid:
                _refuse(tally, form)
        records = _chosen(dataset, source, file_name, skip_invalid=skip_invalid)
        bodies = pack(dataset, records, digest(source))
        _send(destination, bodies, tally, dry_run=dry_run, total=tally.records - tally.skipped or None)
    _report(dataset, destination, tally, form, dry_run=dry_run)
    ctx.exit(1 if tally.skipped else 0)


@contextmanager
def _told(dataset: Dataset, destination: Destination, file: str, tally: Tally) -> Iterator[None]:
    """Tell what ended a run before its end, and how far it came."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        fail(
            f"{destination.queue_url}: {error}. Is it up? See sluice dev status.",
            _sent_so_far(dataset, tally),
        )
    except RecordsError as error:
        _print_refusals(tally)
        fail(str(error), _sent_so_far(dataset, tally))
    except (TooLargeError, SendError) as error:
        fail(f"{file}: {error}", _sent_so_far(dataset, tally))
    except KeyboardInterrupt:
        click.echo(f"sluice: interrupted. {_sent_so_far(dataset, tally)}", err=True)
        sys.exit(INTERRUPTED)


def _dataset(root: Path, name: str) -> Dataset:
    """The dataset of that name; its manifest's problems, or a name that is none, end the run."""
    folder = root / DATASETS / name
    if not folder.is_dir():
        from compiler.suggest import did_you_mean

        known = [path.name for path in (root / DATASETS).iterdir() if path.is_dir()]
        fail(f'there is no dataset "{name}".', did_you_mean(name, known) or "See sluice check.")
    try:
        dataset = compile_datasets(root, (folder,)).require()[0].dataset
    except ProblemsError as error:
        stop(error.problems)
    if dataset.tombstone is not None:
        stone = dataset.tombstone
        fail(
            f"{name} is sealed since {stone.date} by {printable(stone.who)}, and takes no more records:"
            f" {printable(stone.why)}"
        )
    return dataset


def _destination(
    root: Path, dataset: Dataset, producer: str | None, queue_url: str | None, stack: str | None
) -> Destination:
    try:
        if stack:
            from compiler.stack import load_stack

            found = from_stack(load_stack(root / f"Pulumi.{stack}.yaml").require(), dataset, producer)
        elif queue_url and producer is None:
            return Destination(queue_url, None)
        else:
            found = from_outputs(_embedded_outputs(root), dataset, producer)
    except ProblemsError as error:
        stop(error.problems)
    except DestinationError as error:
        fail(str(error))
    return found if queue_url is None else Destination(**{**asdict(found), "queue_url": queue_url})


def _embedded_outputs(root: Path) -> dict[str, Any]:
    from dev.outputs import load_outputs
    from dev.state import DevError

    try:
        return load_outputs(root)
    except DevError as error:
        raise DestinationError(str(error)) from error


def _seekable(file: BinaryIO) -> BinaryIO:
    """The file itself, or a temporary copy of a stream: it is read once to check, and once to send."""
    if file.seekable():
        return file
    copy = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - the caller's `with` closes it
    for piece in iter(lambda: file.read(1 << 20), b""):
        copy.write(piece)
    copy.seek(0)
    return copy


def _validate(dataset: Dataset, source: BinaryIO, file: str, tally: Tally) -> None:
    for outcome in split(dataset, read(source, file), file):
        tally.records += 1
        if not isinstance(outcome, Record):
            tally.skipped += 1
            tally.refusals.extend(outcome)


def _chosen(dataset: Dataset, source: BinaryIO, file: str, *, skip_invalid: bool) -> Iterator[Record]:
    """The records to send. Raises RecordsError at a line that is no JSON, unless it was refused and is skipped."""
    if skip_invalid:
        found = split(dataset, read(source, file), file)
        yield from (outcome for outcome in found if isinstance(outcome, Record))
        return
    for outcome in read(source, file):
        if not isinstance(outcome, Record):
            raise RecordsError(outcome)
        yield outcome


def _send(
    destination: Destination, bodies: Iterable[Body], tally: Tally, *, dry_run: bool, total: int | None
) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    client = None if dry_run else sqs_client(destination)
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("sending", total=total)
        for batch in batches(bodies):
            tally.under_way = sum(body.records for body in batch)
            if client is not None:
                send(client, destination.queue_url, batch)
            tally.messages += len(batch)
            tally.bytes += sum(body.size for body in batch)
            tally.sent, tally.under_way = tally.sent + tally.under_way, 0
            bar.update(task, completed=tally.sent)
    tally.records = tally.sent + tally.skipped


def _refuse(tally: Tally, form: str) -> NoReturn:
    if form == "json":
        click.echo(_as_json(tally))
    else:
        _print_refusals(tally)
        click.echo(
            f"sluice: {tally.skipped:,} of {tally.records:,} records are not valid, so nothing was sent. Mend them, or send"
            " the others with --skip-invalid.",
            err=True,
        )
    raise SystemExit(1)


def _print_refusals(tally: Tally) -> None:
    for refusal in tally.refusals[:SHOWN_REFUSALS]:
        click.echo(str(refusal), err=True)
    if len(tally.refusals) > SHOWN_REFUSALS:
        click.echo(f"… and {len(tally.refusals) - SHOWN_REFUSALS} more", err=True)


def _sent_so_far(dataset: Dataset, tally: Tally) -> str:
    """What SQS has surely taken, what it may have, and whether publishing again is safe."""
    if not tally.sent and not tally.under_way:
        return "Nothing was sent."
    total = f"{tally.sent:,} of {counted(tally.records - tally.skipped, 'record')}"
    sent = total if tally.records else counted(tally.sent, "record")
    sent = f"{sent}, in {counted(tally.messages, 'message')}, are in the buffer"
    doubt = f"; of a call without an answer, up to {tally.under_way:,} more may be" if tally.under_way else ""
    return f"{sent}{doubt}. {_again(dataset)}"


def _again(dataset: Dataset) -> str:
    """What doing it once more does to the table: envelopes carry ids that follow from the file, bare records none."""
    if dataset.buffer.format is BufferFormat.ENVELOPE:
        return (
            "Publish the same file again, with the same options: what was taken before changes nothing then."
        )
    if isinstance(dataset.key, MessageKey):
        return (
            "Do not publish the whole file again: bare records carry no id and the table no key of theirs, so those "
            "that were taken would be stored twice. Publish the rest of the file."
        )
    return (
        "Publish the same file again: the table's key keeps a record that was taken from being stored twice."
    )


def _report(dataset: Dataset, destination: Destination, tally: Tally, form: str, *, dry_run: bool) -> None:
    if form == "json":
        click.echo(_as_json(tally))
        return
    _print_refusals(tally)
    skipped = f", {tally.skipped} skipped as not valid" if tally.skipped else ""
    verb = "would be sent" if dry_run else "sent"
    click.echo(
        f"{dataset.name}: {counted(tally.records - tally.skipped, 'record')} in {counted(tally.messages, 'message')}"
        f" ({counted(tally.bytes, 'byte')}) {verb} to {destination.queue_url}{skipped}"
    )


def _as_json(tally: Tally) -> str:
    return json.dumps(asdict(tally), indent=2, ensure_ascii=False)
