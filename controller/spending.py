"""What requests have cost on each backend since the process started, by the prices in the settings."""

from __future__ import annotations

from pointsman.runtime.errors import NotCalibrated
from pointsman.v1 import routing_pb2


class Spending:
    """Sums by backend; the names are the settings', so they are bounded."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, int]] = {}

    def add(self, receipt: routing_pb2.Receipt) -> None:
        """A finished request; one without a cost doesn't count."""
        if receipt.HasField("cost"):
            amount, requests = self._spent.get(receipt.decision.backend, (0.0, 0))
            self._spent[receipt.decision.backend] = amount + receipt.cost.amount, requests + 1

    def per_thousand(self, backend: str) -> float:
        """Of 1,000 requests. Raises `NotCalibrated` where none has had a cost."""
        amount, requests = self._spent.get(backend, (0.0, 0))
        if not requests:
            raise NotCalibrated(
                f"No request to {backend} has had a cost since this controller started, so a budget can't be turned into a share: set its "
                "prices and send traffic, or ask for a strong share.",
                param="targets",
            )
        return 1000 * amount / requests
