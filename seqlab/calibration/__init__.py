"""Which settings are the fastest on this device: tried once, kept with their figures."""
