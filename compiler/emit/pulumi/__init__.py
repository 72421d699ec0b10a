"""The Pulumi program's parts, and the only importers of Pulumi in the compiler.

program.py      configuration, providers, exports: what `__main__.py` is made of
foundation.py   what the datasets of one environment share
dataset.py      one dataset: roles.py, then the table, then buffer.py
encryption.py   the stack's own key for its queues, where it has one
producers.py    one producer: its policy, attached to its role
operator.py     those who tend the queues: a role in IAM and one in Postgres
table_provider.py, login_provider.py   dynamic providers; admin.py finds the deploying user's connection
"""
