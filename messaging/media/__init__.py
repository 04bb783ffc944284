"""Files and images that users send (docs/contract.md 4): their storage, rows and checks, their ways in and out.

Bytes never cross the socket: they go to the storage, and come from there, by addresses that are signed and expire.
"""
