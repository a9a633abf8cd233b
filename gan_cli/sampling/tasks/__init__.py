"""Built-in tasks of gan-sample, one file each, named after the task."""

from pkgutil import iter_modules

BUILT_IN = sorted(module.name for module in iter_modules(__path__))  # imports none of them
