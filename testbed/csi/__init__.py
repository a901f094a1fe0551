"""A CSI driver whose volumes are sparse files: it expands for real, and fails when told to."""
