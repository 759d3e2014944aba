"""pinroute: the same user always meets the same version.

The library is the compiler: `load` reads specs, `compile_specs` turns them into
manifests. Names are loaded when they are used, so that `import pinroute` is free.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pinroute.compilation import Compilation, Source, compile_specs, load

__all__ = ["Compilation", "Source", "__version__", "compile_specs", "load"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from pinroute import compilation

        return getattr(compilation, name)
    raise AttributeError(f"module 'pinroute' has no attribute {name!r}")
