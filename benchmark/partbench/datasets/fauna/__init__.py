"""`fauna`: the embedded world of rendered animals, whose parts are known exactly (see `render`)."""
