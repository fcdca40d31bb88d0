"""A line for each sampled request: formats, and where the lines go.

==============  ====================================================================================
``sink.py``     one destination of a run: batches of requests become lines, and are written
``formats.py``  what a format is, and which one a name means; ``json.py``, ``text.py`` and
                ``apache.py`` are formats, ``fields.py`` has what they share
``lines.py``    lines that wait to be written, and what writes them
``file.py``     files, which go on in another one when they are rotated, and standard output
``stream.py``   TCP and Unix sockets
``syslog.py``   what syslog wants around a line, and its datagrams
``opening.py``  which of these a destination means
==============  ====================================================================================
"""
