"""Outputs: formats, the batch writer, exported files. Importing the package itself is cheap."""

#: The kinds of files that the screen exports, by the ends of their names.
EXPORTS = ("txt", "svg", "json")
#: The most bytes of an exported file, and the most such files of a run.
LARGEST_EXPORT = 16 << 20
MOST_EXPORTS = 200
