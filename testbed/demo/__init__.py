"""The main job on a cluster that is brought up for it: `make demo`."""
