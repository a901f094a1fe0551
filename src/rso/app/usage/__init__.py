"""Where the autoscaler learns how full volumes are: one protocol, one file per source."""
