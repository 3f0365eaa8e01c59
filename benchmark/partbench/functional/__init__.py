"""Pure functions: what the metrics compute. Imports no module of partbench but `nn` and `types`, and each when used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
