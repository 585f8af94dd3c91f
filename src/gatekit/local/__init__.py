"""The stdio side of Gatekit: one local person whose client speaks newline-delimited JSON-RPC to us.

``lines`` (standard input and output) ↔ ``pump`` (each line becomes an exchange, each answer lines again) ↔ a
``Channel``: ``inside`` leads to the data plane of this same process (``gatekit stdio``), ``remote`` leads
over HTTP to somebody else's server (``gatekit bridge``). The pump is a Streamable HTTP client of both eras,
so both commands treat sessions, streams and cancellation alike, and there stays one door to the data plane.

``person`` says who a local person is. Nothing here listens on a port, knows a configuration file or prints:
``localapp`` and the command line put it together.
"""
