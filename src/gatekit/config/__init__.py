"""From ``gatekit.yaml`` to one frozen ``Config``, or to the list of everything that is wrong with the file.

In the order a load takes: ``document.py`` (YAML to plain data that knows its lines), ``references.py``
(``${env:…}`` and ``${file:…}``), ``schema.py`` over ``fields.py`` (what an operator may write), ``faults.py``
(what to say about the rest), ``resolve.py`` with ``addresses``, ``connections``, ``selectors``, ``servers``
and ``commands`` (what it means), ``model.py`` (the result), ``load.py`` (all in one call). ``checks.py``
warns of weak settings, ``show.py`` prints without secrets, ``reload.py`` swaps a changed file in.

Only ``app`` and ``cli`` call this room; everybody else is handed the few values it needs. Nothing here opens
a socket, starts a process or writes.
"""
