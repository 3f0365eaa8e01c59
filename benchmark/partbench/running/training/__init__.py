"""Training of performers: what is asked for, how weights descend, checkpoints, and the folder that is kept."""
