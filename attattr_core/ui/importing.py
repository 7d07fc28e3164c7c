"""Gradio, imported in less than half of its time."""

import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _NoStubs(MetaPathFinder):
    """Gradio writes type stubs of its own components, for editors, at every import; here it finds nothing to do."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "gradio.component_meta":
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_without(module: ModuleType) -> None:
                execute(module)
                module.create_or_modify_pyi = lambda *arguments: None

            spec.loader.exec_module = execute_without
        return spec


def import_gradio() -> None:
    """Imports gradio without its work for editors, and without looking for garbage, of which an import makes none."""
    finder, collects = _NoStubs(), gc.isenabled()
    sys.meta_path.insert(0, finder)
    gc.disable()
    try:
        import gradio  # noqa: F401
    finally:
        sys.meta_path.remove(finder)
        if collects:
            gc.enable()
