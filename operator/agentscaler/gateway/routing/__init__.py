"""Which backend gets a request: pure rules, one file each, that know no clock, socket or lock.

A rule picks; it never counts. It is given candidates (healthy, with room, never none) and members
(all that are healthy, with or without room), and what it may know of the request. Chance comes in
as a number drawn by the caller.
"""
