"""`Pulumi.<stack>.yaml` -> `StackConfig`: what one environment gives the datasets, checked whole before anything else.

source.py (YAML, places, the engine's values) -> shape.py (the JSON Schema) -> rule.py (the sound part) -> rules.py,
principal_rules.py and service_rules.py (meaning) -> config.py
"""

from compiler.stack.config import EMBEDDED, Database, Network, Principal, StackConfig
from compiler.stack.load import KEYS, LoadedStack, database_of, load_stack
from compiler.stack.overrides import overridden

__all__ = [
    "EMBEDDED",
    "KEYS",
    "Database",
    "LoadedStack",
    "Network",
    "Principal",
    "StackConfig",
    "database_of",
    "load_stack",
    "overridden",
]
