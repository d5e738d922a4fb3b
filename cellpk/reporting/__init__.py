"""Tables, figures and the cellular-kinetics section."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules={"figures", "tables"}
)
