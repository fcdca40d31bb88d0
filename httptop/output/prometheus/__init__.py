"""Serve metrics to Prometheus: what is counted, as text or with native histograms, over HTTP.

``metrics.Metrics`` (collect/metrics.py) of the moment of a scrape go one way: names.py says how
endpoints and httptop's own figures are called, buckets.py where latencies belong, text.py and
native.py write the two formats; scrapes.py sends them, server.py takes the connections, and
exporter.py is what the run knows of it all.
"""
