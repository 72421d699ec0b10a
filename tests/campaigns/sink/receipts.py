"""How often each message was received, out of the proxy's record of calls, which is emptied meanwhile."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.proxies.aws import AwsProxy, Call


class Receipts:
    """Receives and give-backs by MessageId."""

    def __init__(self, proxy: AwsProxy) -> None:
        self._proxy = proxy
        self._ended = threading.Event()
        self._ids: dict[str, str] = {}
        self.received: Counter[str] = Counter()
        self.given_back: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    @contextmanager
    def counting(self) -> Iterator[Receipts]:
        """Counts meanwhile; complete afterwards."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()
            self._harvest()

    def beyond(self) -> Counter[int]:
        """How many messages were received how often, give-backs not counted."""
        return Counter(times - self.given_back[one] for one, times in self.received.items())

    def _run(self) -> None:
        while not self._ended.wait(0.5):
            self._harvest()

    def _harvest(self) -> None:
        calls = self._proxy.calls
        done = [call for call in calls[:] if call.ended is not None]
        for call in done:
            self._count(call)
            calls.remove(call)

    def _count(self, call: Call) -> None:
        self.calls[call.action] += 1
        if call.action == "ReceiveMessage":
            for message in call.messages():
                self._ids[message["ReceiptHandle"]] = message["MessageId"]
                self.received[message["MessageId"]] += 1
        if call.action == "ChangeMessageVisibilityBatch":
            for entry in call.entries():
                if int(entry["VisibilityTimeout"]) == 0 and entry["ReceiptHandle"] in self._ids:
                    self.given_back[self._ids[entry["ReceiptHandle"]]] += 1
