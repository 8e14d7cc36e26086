"""Managers, as Debian packages them, on the embedded VPP: `make managers-test`.

One file for each; what it does with its manager is its `tell`.  Nothing is installed for it: a
package that is not there is unpacked into a directory of its own, or installed in an overlay of
this machine's files, with none of its services started, and nothing left behind.
"""
