"""Settings: declared, read, checked, written, read again. To import the package costs nothing."""

#: Bytes of a configuration file.
LARGEST_FILE = 1 << 20
