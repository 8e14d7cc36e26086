"""Managers, as Debian packages them, on the embedded VPP: `make managers-test`.

One file for each; what it does with its manager is its `tell`.  Nothing is installed for it: a
package that is not there is unpacked into a directory of its own, with nothing of it started,
configured or left behind.
"""
