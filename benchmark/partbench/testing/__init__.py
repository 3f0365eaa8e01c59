"""The contract, as checks that plugin authors run on their own classes.

Each raises `ContractError`, saying what was expected and found. `bench check` runs them on a file or a name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
