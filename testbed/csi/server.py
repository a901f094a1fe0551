"""Serves the driver's methods over gRPC, with faults and the record around each."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message_factory import (  # type: ignore[import-untyped] # no stubs needed for one function
    GetMessageClass,
)

from testbed.csi.faults import Faults, Record, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

# Asked all the time by the sidecars and the kubelet, and no part of any promise.
UNRECORDED = frozenset(
    {
        "ControllerGetCapabilities",
        "GetInfo",
        "GetPluginCapabilities",
        "GetPluginInfo",
        "NodeGetCapabilities",
        "NodeGetInfo",
        "NotifyRegistrationStatus",
        "Probe",
    }
)


class Service:
    """One gRPC service of a descriptor, answered by an object.

    ``ControllerExpandVolume`` is its method ``controller_expand_volume(request)``; a method it does
    not have answers UNIMPLEMENTED.
    """

    def __init__(self, descriptor: Any, servicer: object, faults: Faults, record: Record) -> None:  # noqa: ANN401 # protobuf's classes come with the compiled protocol
        self._faults = faults
        self._record = record
        self._servicer = servicer
        self._descriptor = descriptor

    def handler(self) -> grpc.GenericRpcHandler:
        """Return what a gRPC server adds."""
        methods = {}
        for method in self._descriptor.methods:
            answer = getattr(self._servicer, snake_case(method.name), None)
            if answer is not None:
                methods[method.name] = grpc.unary_unary_rpc_method_handler(
                    self._around(method.name, answer),
                    request_deserializer=GetMessageClass(method.input_type).FromString,
                    response_serializer=GetMessageClass(method.output_type).SerializeToString,
                )
        return grpc.method_handlers_generic_handler(self._descriptor.full_name, methods)

    def _around(self, name: str, answer: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
        if name in UNRECORDED:
            return lambda request, _context: answer(request)

        def handle(request: Any, context: Any) -> Any:  # noqa: ANN401 # as above
            volume_id = getattr(request, "volume_id", "")
            started, code, message = time.time(), grpc.StatusCode.OK, ""
            try:
                self._faults.apply(name, volume_id)
                return answer(request)
            except Refusal as refusal:
                code, message = refusal.code, str(refusal)
            finally:
                self._note(name, request, started, code, message)
            return context.abort(code, message)

        return handle

    def _note(
        self,
        name: str,
        request: Any,  # noqa: ANN401 # as above
        started: float,
        code: grpc.StatusCode,
        message: str,
    ) -> None:
        capacity = getattr(request, "capacity_range", None)
        self._record.add(
            time=round(started, 3),
            seconds=round(time.time() - started, 3),
            method=name,
            volume=getattr(request, "volume_id", "") or getattr(request, "name", ""),
            bytes=capacity.required_bytes if capacity else None,
            code=code.name,
            message=message,
        )


def snake_case(name: str) -> str:
    """Return ``node_get_info`` for ``NodeGetInfo``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
