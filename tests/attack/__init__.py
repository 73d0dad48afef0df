"""An attack on the web process, on loopback and bounded in number and time: `make attack`, and in short in the suite."""
