"""Adapters to the machine: time, randomness, sealing, outgoing HTTP, limits, logging.

Each is one small file that implements a port and holds no opinion about MCP or OAuth. ``outbound`` is the
only place that may open an HTTP connection to somewhere else.
"""
