"""What the schema cannot say of a stack's configuration, alone and together with its datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from compiler import names
from compiler.canonical import Json
from compiler.dataset import Dataset
from compiler.manifest.assignment import FOLDER, Assignment
from compiler.problems import Finding
from compiler.stack.config import EMBEDDED, EVERYONE, StackConfig
from compiler.stack.rule import Rule
from compiler.suggest import fix_for, quoted


def assignment_findings(
    name: str, values: Mapping[str, Json], assigned: Assignment | None
) -> Iterator[Finding]:
    """What a stack deploys is said once: by its assignment, or by patterns."""
    if assigned is not None and "datasets" in values:
        message = f"{FOLDER}/{assigned.stack}.json says which datasets this stack deploys."
        yield Finding(("datasets",), "stack-assigned-twice", message, "Remove the key, or the file.")
    elif assigned is None and "assignment" in values:
        message = f"there is no {FOLDER}/{values['assignment']}.json."
        yield Finding(
            ("assignment",), "stack-unassigned", message, "Run `sluice stacks assign`, or mend the name."
        )
    elif assigned is None and "datasets" not in values:
        fix = f"Write {FOLDER}/{name}.json (`sluice stacks assign`), or add it: shell patterns over dataset names."
        yield Finding((), "stack-missing-key", '"sluice:datasets" is missing.', fix)


def _plain_connections(name: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    if values["database"]["sslmode"] == "disable" and name != EMBEDDED:
        message = f"connections without TLS are for the stack {quoted(EMBEDDED)} only."
        yield Finding(("database", "sslmode"), "stack-plain-connection", message, 'Write "verify-full".')


def _no_foundation_elsewhere(name: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    if values["foundation"] != "own" and name == EMBEDDED:
        message = (
            f"the stack {quoted(EMBEDDED)} stands alone on this machine: there is no other stack to refer to."
        )
        yield Finding(("foundation",), "stack-foundation", message, 'Write "own".')


def _authentication(_: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    """A token is sent as it is, to whom the certificate names; RDS knows the database by its resource id."""
    database = values["database"]
    if database["auth"] == "secret":
        if "resource_id" in database:
            message = 'resource_id serves auth "iam", and auth is "secret": nothing would read it.'
            yield Finding(
                ("database", "resource_id"), "stack-authentication", message, "Remove it, or set auth."
            )
        return
    if "resource_id" not in database:
        message = 'auth "iam" needs resource_id: RDS names the database by it in rds-db:connect.'
        fix = "Add it, such as db-ABCDEFGHIJKL01234; `aws rds describe-db-instances` shows DbiResourceId."
        yield Finding(("database", "auth"), "stack-authentication", message, fix)
    if database["sslmode"] != "verify-full":
        message = f'auth "iam" sends a token as it is, and sslmode is {quoted(database["sslmode"])}.'
        yield Finding(("database", "sslmode"), "stack-authentication", message, 'Write "verify-full".')
    if database["password_rotation"]:
        message = 'auth "iam" has no passwords, so that password_rotation changes nothing.'
        yield Finding(("database", "password_rotation"), "stack-authentication", message, "Remove it.")


def _database_name(_: str, values: Mapping[str, Json]) -> Iterator[Finding]:
    """Postgres cuts a longer one where the database is made, and refuses it where somebody connects."""
    size = len(values["database"]["name"].encode())
    if size > names.POSTGRES_LIMIT:
        message = f"the name has {size} bytes, and a name in Postgres has at most {names.POSTGRES_LIMIT}."
        yield Finding(("database", "name"), "stack-value", message, "Write the name as Postgres has it.")


RULES: tuple[Rule, ...] = (
    (("database.sslmode",), _plain_connections),
    (
        ("database.auth", "database.resource_id", "database.sslmode", "database.password_rotation"),
        _authentication,
    ),
    (("database.name",), _database_name),
    (("foundation",), _no_foundation_elsewhere),
)


def dataset_findings(stack: StackConfig, datasets: tuple[Dataset, ...]) -> Iterator[Finding]:
    """What the stack lacks for the datasets: patterns that name none, producers and readers that nobody is."""
    for number, pattern in enumerate(stack.datasets):
        yield from _pattern(number, pattern, datasets)
    ours = _own_roles(stack, datasets)
    yield from _operator(stack, ours)
    for dataset in datasets:
        if stack.selects(dataset.name):
            yield from _producers(stack, dataset)
            yield from _readers(stack, dataset, ours)


def _pattern(number: int, pattern: str, datasets: tuple[Dataset, ...]) -> Iterator[Finding]:
    known = [dataset.name for dataset in datasets]
    if pattern != EVERYONE and not any(fnmatchcase(name, pattern) for name in known):
        fix = fix_for(pattern, known, "Add the dataset, or remove the pattern.")
        message = f"no dataset is named {quoted(pattern)}."
        yield Finding(("datasets", number), "stack-names-no-dataset", message, fix)


def _producers(stack: StackConfig, dataset: Dataset) -> Iterator[Finding]:
    for name in dataset.producers:
        bound = stack.bind(name)
        if bound is None or bound.aws_arn is None:
            message = f"producer {quoted(name)} of dataset {dataset.name} is bound to no IAM role."
            yield _unbound(stack, name, message, "aws: <ARN of an IAM role>")


def _readers(stack: StackConfig, dataset: Dataset, ours: frozenset[str]) -> Iterator[Finding]:
    for name in dataset.readers:
        bound = stack.bind(name)
        if bound is None or bound.postgres_role is None:
            message = f"reader {quoted(name)} of dataset {dataset.name} is bound to no Postgres role."
            yield _unbound(stack, name, message, "postgres: <role>")
        elif bound.postgres_role in ours:
            message = f"reader {quoted(name)} is bound to {quoted(bound.postgres_role)}, a role that the stack itself makes."
            fix = "Bind it to a role of the reader's own."
            yield Finding(("principals", name, "postgres"), "stack-reader-is-ours", message, fix)


def _unbound(stack: StackConfig, name: str, message: str, entry: str) -> Finding:
    known = [who for who, _ in stack.principals if who != EVERYONE]
    if name in known:
        return Finding(("principals", name), "stack-unbound", message, f"Add {entry} to the entry.")
    fix = fix_for(name, known, f"Add to sluice:principals: {name}: {{{entry}}}.")
    return Finding(("principals",), "stack-unbound", message, fix)


def _operator(stack: StackConfig, ours: frozenset[str]) -> Iterator[Finding]:
    role = stack.operator.postgres_role if stack.operator else None
    if role in ours:
        message = f"operator is bound to {quoted(str(role))}, a role that the stack itself makes."
        fix = "Bind it to the role that operators log in as."
        yield Finding(("operator", "postgres"), "stack-operator-is-ours", message, fix)


def _own_roles(stack: StackConfig, datasets: tuple[Dataset, ...]) -> frozenset[str]:
    makers = (names.writer_role, names.reader_role, names.sink_login)
    made = {make(stack.prefix, dataset.name) for dataset in datasets for make in makers}
    return frozenset(made | {names.OWNER_ROLE, *names.GROUP_ROLES, names.operator_role(stack.prefix)})
