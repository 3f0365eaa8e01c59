"""partbench: which explainers of image classifiers deserve trust.

The public door: what scripts, notebooks and plugins need. Names are listed once, in `__init__.pyi`, and imported when
they are used.
"""

import lazy_loader
import pluggy

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("partbench")

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__", "hookimpl"]
