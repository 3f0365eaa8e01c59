"""`fauna_scenes`: embedded, rendered rooms that are told by their objects, whose masks are known exactly."""
