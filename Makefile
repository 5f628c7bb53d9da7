# The commands that people and CI type. `make` alone lists them.
