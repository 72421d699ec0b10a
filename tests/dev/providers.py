"""An importable dynamic provider that notes the order of the calls in its outputs."""

from __future__ import annotations

from typing import Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ResourceProvider,
    UpdateResult,
)


class Noting(ResourceProvider):
    """Counts its updates; `check` adds a property, `configure` reads one."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        self._region = req.config.require("region")

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        failures = [CheckFailure("word", "is rude")] if news.get("word") == "rude" else []
        return CheckResult({**news, "checked": self._region}, failures)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=_olds.get("word") != _news.get("word"))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("noted", {**props, "updates": 0})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult({**_news, "updates": _olds["updates"] + 1})
