"""Many hosts on one screen: a feed that asks a Prometheus server what their httptops export."""
