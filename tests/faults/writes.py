"""Which writes a resize makes in every run, and which only in some.

The crash tests strike the writes that an undisturbed run has recorded. All of them must come in
the other runs, too, but for those few that a race with the StatefulSet controller decides.
"""

from tests.support.faults import Point
from tests.support.scene import Shape


def due(shape: Shape) -> list[Point]:
    """Return the writes of every undisturbed run of a shape, in their order."""
    writes = ["status Growing", *_grows(shape)]
    if shape.when_deleted == "Delete":
        writes.append("retain")
    writes += ["save", "label deleting", "delete", "create", "label superseded"]
    return [Point(each) for each in (*writes, "managers", "drop", "status Done")]


def is_optional(shape: Shape, point: Point) -> bool:
    """Return whether an undisturbed run may do without a write.

    The Retain step is one that the controller has to follow. Who finds it slower than oneself says
    so in the status, and on going on says `Growing` again; and removes the references of claims
    that the controller would have removed a moment later.
    """
    if shape.when_deleted != "Delete":
        return False
    is_again = point.write == "status Growing" and point.number > 1
    return is_again or point.write == "status Waiting" or point.write.startswith("unreference ")


def _grows(shape: Shape) -> list[str]:
    return [
        f"grow {template}-db-{ordinal}"
        for ordinal in range(shape.replicas)
        for template in shape.sizes
    ]
