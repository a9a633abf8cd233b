"""The parts of gpu.py, each a module that runs as a process of its own."""
