"""The REST interface's own ground (docs/rest.md): who calls, how often, and what errors look like. The calls are in the
apps' `api.py`, the two interfaces made of them in `config/api.py`."""
