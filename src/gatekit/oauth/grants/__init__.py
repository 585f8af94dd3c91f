"""Grant types of the token endpoint, one file each.

Each asks ``principal_is_active`` before it gives anything, and uses one-time things up last.
"""
