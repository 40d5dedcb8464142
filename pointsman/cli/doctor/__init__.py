"""`pointsman doctor`: what stands in the way of Pointsman here, and what to do about each. It starts nothing and changes nothing."""
