"""`make dist-test`: the sdist and the wheel, as those who install them meet them."""
