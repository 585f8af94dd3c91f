"""People of an LDAP directory or Active Directory, who sign in with their password there.

Search, then bind: the gateway's own account finds exactly one entry for the name, and the person's password
is tried against that entry and no other (RFC 4513 §5.1.3). ``wire`` is the only file that knows the library,
which blocks, so it runs in threads of its own. ``filters`` writes searches, ``entries`` reads what comes
back, ``lookup`` finds people and groups over one connection, ``servers`` chooses among hosts, ``provider``
signs people in and asks again at refresh.

Identity is (connection, the constant issuer ``ldap``, entryUUID or objectGUID): a DN changes when somebody
moves, a login when somebody marries, and both are given to other people afterwards (checklist F1, U5).
"""
