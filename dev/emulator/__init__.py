"""The AWS emulator of the embedded environment: moto's server with access control on, and ECS-like credentials.

Everything in it lives in memory: when the process ends, queues, topics, roles, secrets and objects are gone, and
`sluice dev up` makes them again.
"""
