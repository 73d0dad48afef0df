"""The command line, one subject a file. Commands parse, call a story, and print; they decide nothing."""
