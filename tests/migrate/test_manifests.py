"""Any manifest that `check` accepts: its chain is written and whole, its SQL accepted, and the catalog its table."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings

from compiler.migrate import catalog, session
from compiler.migrate.apply import apply_control, apply_in, relation_of, status_in
from compiler.migrate.chain import chain_findings, read_chain
from compiler.migrate.planner import Nothing
from compiler.migrate.propose import propose, write
from compiler.table import table_of
from tests.migrate.conftest import writer
from tests.record.strategies import dataset_of, manifests
from tests.support.postgres import every_major


@every_major
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(manifest=manifests())
def test_what_check_accepts_is_planned_applied_and_read_back(database, manifest):
    dataset = dataset_of(manifest)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(propose(dataset, folder))
        assert list(chain_findings(dataset, folder)) == []
        assert propose(dataset, folder).plan == Nothing()
        assert propose(dataset, folder).files == ()
        chain = read_chain(folder, dataset.name, dataset.version)
    assert chain is not None
    with session.connect(database.conninfo) as connection, connection.transaction(force_rollback=True):
        apply_control(connection, [dataset.schema])
        connection.execute("RESET ROLE")
        connection.execute(f'CREATE ROLE "{writer(dataset)}"')
        assert apply_in(connection, chain, writer(dataset)).applied == ("0001_create.sql",)
        assert apply_in(connection, chain, writer(dataset)).applied == ()
        live = catalog.read(connection, relation_of(chain))
        assert live is not None
        assert (live.shape, live.odd) == (table_of(dataset).shape, ())
        found = status_in(connection, chain)
        assert (found.pending, found.drift, found.trouble) == ((), (), ())
