"""`make bench`: what the agent costs, beside the agents it is to be measured against.

It is no part of the package: whoever installs the agent does not get it.
"""
