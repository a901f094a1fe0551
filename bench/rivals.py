"""python rivals.py flask|kopf PORT DIRECTORY: other webhook servers that give the same answer.

They call the product's own review, so that only the server differs. This runs where the packages
of requirements/bench.txt are. Flask is as its guide begins: `app.run` with a certificate. Of kopf
it is the webhook server, without the dispatch to handlers.
"""

import asyncio
import json
import sys
from typing import Any

from rso.app.reviews import judge, read
from rso.core.policy import Bounds
from rso.core.rules import Rules

RULES = Rules(Bounds(2000 * 2**30, 10, template_follows=False))


def flask(port: int, directory: str) -> None:
    """Serve with Flask until killed."""
    from flask import Flask, Response, request  # noqa: PLC0415  one of two is there to be used

    app = Flask("webhook")

    def mutate() -> Response:
        answer = judge(read(request.get_data()), RULES)[1]
        return Response(answer, mimetype="application/json")

    app.add_url_rule("/mutate", view_func=mutate, methods=["POST"])
    pair = (f"{directory}/tls.crt", f"{directory}/tls.key")
    app.run("127.0.0.1", port, ssl_context=pair, threaded=True)


async def kopf(port: int, directory: str) -> None:
    """Serve with kopf's webhook server until killed."""
    from kopf import WebhookServer  # noqa: PLC0415  likewise

    async def review(body: Any, **_: Any) -> Any:  # noqa: ANN401  what kopf passes
        return json.loads(judge(read(json.dumps(dict(body)).encode()), RULES)[1])

    server = WebhookServer(
        addr="127.0.0.1",
        port=port,  # its path is what comes after the first slash
        certfile=f"{directory}/tls.crt",
        pkeyfile=f"{directory}/tls.key",
    )
    async for _ in server(review):
        await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == "flask":
        flask(int(sys.argv[2]), sys.argv[3])
    else:
        asyncio.run(kopf(int(sys.argv[2]), sys.argv[3]))
