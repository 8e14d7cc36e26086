"""Whether the tests of what decides would notice a change of it: `make mutants`."""
