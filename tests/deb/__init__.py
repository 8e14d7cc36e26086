"""`make deb-test`: the package on clean Debian systems, as an operator meets it."""
