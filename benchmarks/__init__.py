"""Rostrum beside Socket.IO and the chat of Channels' tutorial, under one load generator: see README.md."""
