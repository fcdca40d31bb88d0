"""Settings: declare, read, check, write and reload them. Importing the package itself is cheap."""

#: The most bytes of a configuration file.
LARGEST_FILE = 256 << 10
