"""What every test shares: how hypothesis behaves."""

import os
import signal

from hypothesis import HealthCheck, settings

# No deadline: a test says what is right, never how fast this machine is.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples on every run: a red build can be reproduced from its commit.
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell's background jobs ignore SIGINT, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.support.emulator", "tests.support.postgres"]
