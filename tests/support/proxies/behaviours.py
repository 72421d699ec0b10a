"""What may become of a call: the ways in which SQS, or the way to it, fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support.proxies.aws import Answer, Behaviour, Call

Entries = list[dict[str, Any]]


def refuse(code: str, status: int = 400) -> Behaviour:
    """The service refuses the whole call."""
    body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "refused by a test"}).encode()
    return lambda _: Answer(status, body)


def say(body: bytes, status: int = 200) -> Behaviour:
    """Something answers in the service's place."""
    return lambda _: Answer(status, body)


def lose_request(_: Call) -> None:
    """The connection ends before the service hears of it."""


def lose_answer(call: Call) -> None:
    """The service does it, and the connection ends before it can say so."""
    call.forward()


def fail_entries(
    code: str,
    *,
    at_fault: bool = False,
    chosen: Callable[[Entries], Entries] = lambda entries: entries,
    done: bool = False,
) -> Behaviour:
    """The batch call answers 200, and says that the chosen entries failed; `done`: they had their effect all the same.

    `at_fault` is the entry's SenderFault.
    """

    def behave(call: Call) -> Answer:
        failing = [entry["Id"] for entry in chosen(call.entries())]
        if done:
            answer = call.forward()
        else:
            left = [entry for entry in call.entries() if entry["Id"] not in failing]
            answer = call.forward(request=call.request | {"Entries": left}) if left else Answer(200, b"{}")
        told = answer.document()
        failed = [{"Id": one, "Code": code, "SenderFault": at_fault} for one in failing]
        successful = [one for one in told.get("Successful") or () if one["Id"] not in failing]
        return answer.saying({"Successful": successful, "Failed": [*(told.get("Failed") or ()), *failed]})

    return behave


def deliver_twice(call: Call) -> Answer:
    """Every message of a receive stands in the answer twice."""
    answer = call.forward()
    told = answer.document()
    return answer.saying(told | {"Messages": [one for one in told.get("Messages") or () for _ in range(2)]})


def deliver_nothing(call: Call) -> Answer:
    """An empty receive, at once."""
    return Answer(200, b"{}")


def come_back_sooner(call: Call) -> Answer:
    """Time passes faster: what is hidden for many seconds is hidden for one."""
    entries = [one | {"VisibilityTimeout": min(1, int(one["VisibilityTimeout"]))} for one in call.entries()]
    return call.forward(request=call.request | {"Entries": entries})
