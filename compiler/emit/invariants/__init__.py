"""What must hold of every stack's resources, whoever changed the program: plain functions over the resource graph.

queues.py      every buffer has its dead-letter queue; all that holds data is encrypted, reached over TLS, protected
documents.py   no wildcards in what is allowed
wider.py       nobody may more than the manifests say
limits.py      sizes of policies, and counts against an account's quotas
loss.py        no data is lost that nobody agreed to

pytest runs them over the datasets of the repository, `sluice check --stack STACK` over a project's own.
"""

from compiler.emit.invariants.all import INVARIANTS, problems
from compiler.emit.invariants.stack import Compiled, Violation

__all__ = ["INVARIANTS", "Compiled", "Violation", "problems"]
