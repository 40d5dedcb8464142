"""Thresholds from data: calibration records and certificates, and whether traffic still looks like their sample. Pure Python."""
