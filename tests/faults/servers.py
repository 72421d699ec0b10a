"""The mark of a test that is about SQS' semantics: it runs on both servers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.rig import Rig

MakeRig = Callable[..., Rig]

both_servers = pytest.mark.parametrize("aws_server", ["moto", "ministack"], indirect=True)
