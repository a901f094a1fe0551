"""Finishes recreates in namespaces that this resizer does not watch.

It worked there before: `--namespace` named them, or nothing. Its caches show no set there, so each
look reads the set, its claims and its backups anew. Nothing is begun, only what a backup demands
is done: no set may stay away because a flag has changed.
"""

from rso.app.assembly import make_tools
from rso.app.live import LiveView
from rso.app.notice import Notices
from rso.app.resume import Resume, is_demanded
from rso.app.seal import Sealer
from rso.core.policy import Bounds
from rso.core.world import Key
from rso.kube.client import Client
from rso.kube.clock import Clock


class Outside:
    """Brings sets of other namespaces to the end of a recreate that was begun there."""

    def __init__(
        self, client: Client, sealer: Sealer, bounds: Bounds, notices: Notices, clock: Clock
    ) -> None:
        self._client = client
        self._sealer = sealer
        self._bounds = bounds
        self._notices = notices
        self._clock = clock

    async def finish(self, key: Key) -> None:
        """Return when no backup of this set demands anything.

        Raises: Refused; whatever a request raises. Limit the time: a server that is away is
        waited for.
        """
        log = self._notices.named(key)
        view = LiveView(self._client, self._sealer.namespace)
        tools = make_tools(
            self._client, view, self._sealer, self._bounds, self._notices, self._clock
        )
        resume = Resume(tools, view, lambda text: log.warning("not finished yet", why=text))
        if is_demanded(await resume.look(key)):
            log.warning("a recreate is finished in a namespace that --namespace does not name")
            await resume.run(key)
