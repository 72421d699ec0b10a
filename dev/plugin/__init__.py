"""Resource providers for the real Pulumi engine, made of the embedded environment's handlers.

__main__.py   `python -m dev.plugin aws|postgresql`: a process that the engine starts and speaks gRPC to
servicer.py   the engine's calls, each carried out by a resource type's handler
places.py     a provider's configuration -> where its handlers work
properties.py properties on the wire and as plain values

They stand in for the published providers where these cannot reach anything: in tests, on an emulator and a Postgres of
this machine. The program does not know; PATH and AWS_ENDPOINT_URL choose.
"""
