"""A running webhook renews its certificate, and no connection notices."""

import json
import ssl
from http.client import HTTPSConnection

from rso.app.authority import LEAF_LIFE
from testbed.cluster import Cluster
from tests.support.clocks import ShiftedClock
from tests.support.review_servers import review_of
from tests.support.reviewed import reviewed_set
from tests.support.reviewers import Reviewer, settings_of, unregister

RENEWED_SECONDS = 60.0  # it looks each ten seconds
EXPIRY = "rso_certificate_expiry_timestamp_seconds"


class Caller:
    """A connection to a webhook, as an API server keeps it."""

    def __init__(self, reviewer: Reviewer) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        host = reviewer.cluster.host_address
        self._connection = HTTPSConnection(host, reviewer.port, context=context)
        self._connection.connect()

    @property
    def certificate(self) -> bytes:
        """What was shown in the handshake of this connection, which is never made again."""
        assert isinstance(self._connection.sock, ssl.SSLSocket)
        return self._connection.sock.getpeercert(binary_form=True) or b""

    def ask(self) -> int:
        """Return the status of the answer to a review."""
        headers = {"Content-Type": "application/json"}
        review = json.dumps(review_of(reviewed_set()))
        self._connection.request("POST", "/mutate", review, headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def test_a_leaf_is_renewed_under_open_connections(
    cluster: Cluster, namespace: str, operator_namespace: str
) -> None:
    """At two thirds of its life new connections see a new leaf; old ones are answered on."""
    clock = ShiftedClock()
    settings = settings_of(cluster, namespace, operator_namespace)
    reviewer = Reviewer(cluster, settings, clock).start()
    callers: list[Caller] = []
    try:
        reviewer.wait_ready()
        first = reviewer.metric(EXPIRY)
        callers.append(Caller(reviewer))
        before = callers[0].certificate
        statuses = [callers[0].ask()]
        clock.offset = LEAF_LIFE * 0.7

        def is_renewed() -> bool:
            statuses.append(callers[0].ask())
            return reviewer.metric(EXPIRY) != first

        cluster.wait(is_renewed, RENEWED_SECONDS, "another leaf")
        callers.append(Caller(reviewer))
        after = callers[1].certificate
        statuses += [each.ask() for each in callers]
    finally:
        for each in callers:
            each.close()
        unregister(cluster, settings)
        reviewer.stop()

    assert {200} == set(statuses)
    assert before not in (b"", after)
