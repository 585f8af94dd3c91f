"""The pages at ``/admin``: what administrators look at and change in a browser.

A door like the command line and ``/api/v1``: every change is a use case of ``admin``, which judges whether
it may be done; nothing is judged here but whether the visitor's role opens these pages at all. The role is
looked up at every request. Every change is asked about on a page of its own first, which says what will
happen; the form on it is bound to the browser session, to the change, and to what the page showed. Changes
that make somebody more powerful, or that cannot be taken back, want a recent sign-in.

``route`` says where the pages lie and loads the rest at the first visit. ``views`` is what a page shows, in
the few shapes that all pages share; ``door`` lets visitors in; ``people``, ``groups``, ``keys``,
``clients``, ``programs``, ``connections``, ``provisioning``, ``pins``, ``rules``, ``approvals``
and ``overview`` fill the
shapes, ``holdings`` and ``events`` the page of a person. ``acts`` is the table of what can be done to a
person; ``deeds`` asks and does what can be done to things, which stands in tables like ``group_deeds``
(``pages.DEEDS`` is all of them). ``transfers`` is many people or groups at once.
"""
