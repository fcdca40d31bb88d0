"""Reports: files made of a whole run or capture, to be read elsewhere.

A report is a function of what ``gathering.py`` has kept of the snapshots, one after the other.
Importing the package itself is cheap.
"""

#: The formats, which are also the ends of their files' names.
FORMATS = ("csv", "har", "html")
