"""The project's settings and entry points: everything that knows all the apps."""
