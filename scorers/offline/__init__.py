"""Data and measurements. Serving code never imports this."""
