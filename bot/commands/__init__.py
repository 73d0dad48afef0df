"""The command line, one file per subject. Commands parse, call a handler, and print; they decide nothing."""
