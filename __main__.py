"""The Pulumi program. `pulumi up` and `sluice dev up` run this file.

check    every manifest, its migrations and the stack's configuration, whole, before any resource
shared   providers, and the Foundation that all datasets stand on
each     producer's right to send, the operators' rights, and each dataset's path from buffer to table
"""

from pathlib import Path

from compiler.emit.pulumi import program
from compiler.emit.pulumi.compute import Compute
from compiler.emit.pulumi.dashboard import dashboard_of
from compiler.emit.pulumi.dataset import BufferedDataset
from compiler.emit.pulumi.deployment import Deployment
from compiler.emit.pulumi.encryption import with_key
from compiler.emit.pulumi.foundation import foundation_of
from compiler.emit.pulumi.operator import OperatorAccess
from compiler.emit.pulumi.producers import ProducerAccess, buffers_by_producer
from compiler.pipeline import check_datasets

root = Path.cwd()

checked = check_datasets(root)
loaded = program.configuration(root)
datasets = [(one.dataset, one.folder) for one in checked.datasets]
program.require([*checked.problems, *loaded.problems, *loaded.serves(dataset for dataset, _ in datasets)])
stack = loaded.require()
units, unplanned = program.units(stack, root, datasets)
program.require(unplanned)

deployed, providers = [unit.dataset for unit in units], program.providers(stack)
deployment = with_key(Deployment(stack), deployed, providers)
foundation = foundation_of(deployment, [dataset.schema for dataset in deployed], providers)
producers = {
    producer: ProducerAccess(producer, deployment, buffers, providers)
    for producer, buffers in buffers_by_producer(deployed, deployment).items()
}
operator = (
    OperatorAccess(stack.operator, deployment, deployed, foundation.control, providers)
    if stack.operator
    else None
)
compute = Compute("sinks", deployment, providers)
dashboard_of(deployed, deployment, compute, providers)
trusted = [operator.exports["role_id"]] if operator else []
buffered = {
    unit.dataset.name: BufferedDataset(unit, deployment, foundation, compute, trusted, providers)
    for unit in units
}
program.export(deployment, foundation.exports, buffered, producers, operator)
program.begin()
