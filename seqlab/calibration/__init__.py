"""Which settings are the fastest on this device? Measured once per device and stored with the timings."""
